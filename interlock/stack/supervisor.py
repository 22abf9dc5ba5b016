"""supervisor keeps the processes alive; this renders its configuration and talks to it over its socket."""

import configparser
import re
import subprocess
import xmlrpc.client
from pathlib import Path
from typing import Any, NoReturn

import psutil
from supervisor.xmlrpc import Faults, SupervisorTransport

from interlock.errors import NotHere
from interlock.settings import Settings
from interlock.stack.errors import StackError
from interlock.stack.processes import BIN, ROOT, Process, environment, processes
from interlock.waiting import waited_for

LONGEST_SOCKET_PATH = 100
START_S = 20.0
PAUSE_S = 0.1
_DO_NOT_WAIT = False
STOP_S = 60.0
HERE = "%(here)s"
NO_URL = re.compile(r"\?|%[0-9A-Fa-f]{2}")
"""What an SQLAlchemy URL takes for the end of a file's name, or for another character: the file would be elsewhere."""
COMMENT = re.compile(r"\s[;#]|[\r\n]")


class Supervisor:
    """The supervisor of one environment's stack."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is started before `start`."""
        self.settings = settings
        self.home = settings.home
        self.socket = self.home / "supervisor.sock"
        self.logs = self.home / "logs"

    def is_running(self) -> bool:
        """
        Return whether it answers.

        Raises:
            NotHere: It is another user's.
        """
        try:
            return self.socket.exists() and bool(self._rpc().getState()["statename"] == "RUNNING")
        except PermissionError as error:
            msg = f"the stack in {self.home} is another user's: give the command as the one who started it"
            raise NotHere(msg) from error
        except (OSError, xmlrpc.client.Error):
            return False

    def start(self) -> None:
        """
        Start it, and with it every process that can start before provisioning.

        Raises:
            StackError: A path is too long for a socket or cannot be written down, or it did not start.
        """
        if len(str(self.socket)) > LONGEST_SOCKET_PATH:
            msg = f"{self.home} is too long a path for a socket; choose another by INTERLOCK_HOME_FOLDER"
            raise StackError(msg)
        self.logs.mkdir(parents=True, exist_ok=True)
        command = [f"{BIN}/supervisord", "-c", str(self._configure())]
        done = subprocess.run(
            command,
            env=environment(self.settings),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )
        up = done.returncode == 0 and waited_for(self.is_running, longest_s=START_S, pause_s=PAUSE_S)
        if not up:
            msg = f"supervisord did not start: {done.stdout}{done.stderr}"
            raise StackError(msg)

    def read_again(self) -> None:
        """Let it know the processes as they are now; it starts what is new or changed, and stops what is gone."""
        self._configure()
        ((added, changed, removed),) = self._rpc().reloadConfig()
        for process in (*changed, *removed):
            self._rpc().stopProcessGroup(process)
            self._rpc().removeProcessGroup(process)
        for process in (*added, *changed):
            self._rpc().addProcessGroup(process)

    def outdated(self) -> list[str]:
        """Return the names of the variables that are otherwise now than when the processes were told of them."""
        then, now = psutil.Process(self._rpc().getPID()).environ(), environment(self.settings)
        ours = [name for name in then | now if name.startswith(("INTERLOCK_", "PREFECT_SERVER_", "MLFLOW_"))]
        return sorted(name for name in ours if then.get(name) != now.get(name))

    def missing(self) -> list[Process]:
        """Return the processes that it does not know."""
        known = self.states()
        return [process for process in processes(self.settings) if process.name not in known]

    def ensure(self, process: str) -> None:
        """Start a process that does not run."""
        if self.states().get(process) in ("RUNNING", "STARTING"):
            return
        try:
            self._rpc().startProcess(process, _DO_NOT_WAIT)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.ALREADY_STARTED:  # it started by itself meanwhile
                raise

    def stop_process(self, process: str) -> None:
        """Stop a process, and leave it so."""
        self._rpc().stopProcess(process)

    def states(self) -> dict[str, str]:
        """Return the state of each process as supervisor names it: RUNNING, STARTING, BACKOFF, STOPPED, FATAL."""
        return {info["name"]: info["statename"] for info in self._rpc().getAllProcessInfo()}

    def pids(self) -> dict[str, int]:
        """Return the process ids of the processes that run."""
        return {info["name"]: info["pid"] for info in self._rpc().getAllProcessInfo() if info["pid"]}

    def stop(self) -> None:
        """
        Stop everything and wait until it is gone.

        Raises:
            StackError: Something did not stop.
        """
        process = psutil.Process(self._rpc().getPID())
        family = [process, *process.children(recursive=True)]
        self._rpc().shutdown()
        _, alive = psutil.wait_procs(family, timeout=STOP_S)
        if alive:
            msg = f"did not stop within {STOP_S:g} s: {', '.join(str(p.pid) for p in alive)}"
            raise StackError(msg)

    def log_of(self, process: str) -> Path:
        """Return the log of a process."""
        return self.logs / f"{process}.log"

    def _rpc(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def _configure(self) -> Path:
        if NO_URL.search(str(self.home)):
            msg = f"no database's URL can name a file in {self.home}: choose a folder without ? and %XX"
            raise StackError(f"{msg} (INTERLOCK_HOME_FOLDER)")
        config = configparser.RawConfigParser()
        config["unix_http_server"] = {"file": str(self.socket), "chmod": "0700"}
        config["supervisorctl"] = {"serverurl": f"unix://{self.socket}"}
        config["supervisord"] = {
            "logfile": f"{self.logs}/supervisord.log",
            "pidfile": f"{self.home}/supervisord.pid",
            "childlogdir": str(self.logs),
        }
        factory = "supervisor.rpcinterface:make_main_rpcinterface"
        config["rpcinterface:supervisor"] = {"supervisor.rpcinterface_factory": factory}
        for process in processes(self.settings):
            config[f"program:{process.name}"] = self._program(process)
        for section in config.values():
            section.update({key: _escaped(value) for key, value in section.items()})
        path = self.settings.supervisor_config
        with path.open("w") as file:
            config.write(file)
        return path

    def _program(self, process: Process) -> dict[str, str]:
        variables = ",".join(f"{name}={_quoted(value)}" for name, value in process.environment.items())
        return {
            "command": " ".join(map(_quoted, process.guarded)),
            "environment": variables,
            "autostart": str(process.autostart),
            "autorestart": "True",
            "startsecs": "1",
            "startretries": "20",
            "stopasgroup": "True",
            "killasgroup": "True",
            "stopwaitsecs": "15",
            "redirect_stderr": "True",
            "stdout_logfile": _escaped(str(self.log_of(process.name))),  # the one value that supervisor expands twice
            "stdout_logfile_maxbytes": "20MB",
            "stdout_logfile_backups": "2",
        }


def _quoted(word: str) -> str:
    """Return *word* as supervisor's lists take it."""
    if '"' in word or "\\" in word:
        _refuse(word)
    return f'"{word}"'


def _escaped(value: str) -> str:
    """Return *value* so that supervisor expands nothing in it; what it replaces or cuts off all the same is refused."""
    if COMMENT.search(value) or HERE in value:
        _refuse(value)
    return value.replace("%", "%%")


def _refuse(value: str) -> NoReturn:
    msg = (
        f"supervisor's configuration cannot hold {value!r}: choose folders without quotes, backslashes, line ends, "
        f"{HERE}, and # or ; after a space (INTERLOCK_HOME_FOLDER)"
    )
    raise StackError(msg)
