"""Who holds a port, so that nobody has to guess."""

import errno
import socket

import psutil

from interlock.settings import Settings
from interlock.stack.errors import StackError
from interlock.stack.processes import Process


def check_free(settings: Settings, processes: list[Process]) -> None:
    """
    Refuse to start where nobody can listen.

    Raises:
        StackError: A port is taken, is not ours to take, or the host is no address of this machine; the message says
            which variable chooses another.
    """
    for process in processes:
        for listener in process.ports:
            port = settings.port(listener)
            if why := _why_not(settings.host, port):
                msg = f"port {port} of {process.name} {why}, or choose another by INTERLOCK_{listener.upper()}_PORT"
                raise StackError(msg)


def _why_not(host: str, port: int) -> str:
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except PermissionError:
        return "is for the administrator only: choose one above 1023"
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            msg = f"INTERLOCK_HOST={host} is no address that this machine can listen on: {error.strerror}"
            raise StackError(msg) from error
        return f"is taken by {_holder(port)}; stop that"
    return ""


def _holder(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return "another user's process"
    for connection in connections:
        if (
            connection.laddr
            and connection.laddr[1] == port
            and connection.status == psutil.CONN_LISTEN
            and connection.pid
        ):
            return f"process {connection.pid} ({' '.join(psutil.Process(connection.pid).cmdline())[:120]})"
    return "a process that cannot be seen from here"
