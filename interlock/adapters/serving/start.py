"""
Whether the serving app answers, and the command that starts it.

Down is when nobody answers: an app that answers with an error or with nonsense is up, and starting it mends nothing.
"""

import shlex
import subprocess
from collections.abc import Sequence
from tempfile import TemporaryFile

from interlock.adapters.http import HttpClient
from interlock.errors import Refused, Unreachable
from interlock.waiting import waited_for

HEALTH = "/healthz"
POLL_S = 0.2
LONGEST_OUTPUT = 300


class ServingStart:
    """The replicas of the serving app at *urls*, which *command* starts, if there is one."""

    def __init__(
        self, urls: Sequence[str], command: Sequence[str] | None, *, timeout_s: float, longest_s: float
    ) -> None:
        """
        Nothing is asked or started yet.

        Args:
            urls: Base URL of every replica.
            command: Program and arguments; run without a shell.
            timeout_s: For one question.
            longest_s: For the command, and then for the app until it is alive.
        """
        self._replicas = [HttpClient(url, timeout_s) for url in urls]
        self._command = command
        self._longest_s = longest_s

    @property
    def command(self) -> str:
        """The command as a person types it; empty if there is none."""
        return shlex.join(self._command or ())

    def down(self) -> list[str]:
        """Return the addresses at which nobody answers."""
        return [replica.base_url for replica in self._replicas if not replica.is_answered(HEALTH)]

    def start(self) -> list[str]:
        """
        Run the command and wait until every replica is alive; return those that are not by then.

        Raises:
            Refused: There is no command, it cannot be run, or it failed.
            Unreachable: It did not return in time, or no replica is alive.
        """
        self._run()
        away = waited_for(self._away, longest_s=self._longest_s, pause_s=POLL_S, enough=lambda away: not away)
        if len(away) == len(self._replicas):
            msg = f"{', '.join(away)} is not alive {self._longest_s:g} s after `{self.command}`"
            raise Unreachable(msg)
        return away

    def _away(self) -> list[str]:
        return [replica.base_url for replica in self._replicas if not replica.is_well(HEALTH)]

    def _run(self) -> None:
        if not self._command:
            msg = f"{', '.join(self.down())} does not answer, and the block has no start_command"
            raise Refused(msg)
        with TemporaryFile() as output:  # a pipe would stay open for as long as the app that the command leaves behind
            try:
                done = subprocess.run(  # noqa: S603 - the operator's own command, from the block
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    timeout=self._longest_s,
                    check=False,
                    start_new_session=True,  # whoever ends the flow does not end the app
                )
            except subprocess.TimeoutExpired as error:
                msg = f"`{self.command}` did not return within {self._longest_s:g} s"
                raise Unreachable(msg) from error
            except OSError as error:
                msg = f"`{self.command}` cannot be run: {error.strerror}"
                raise Refused(msg) from error
            if done.returncode != 0:
                output.seek(0)
                said = output.read().decode(errors="replace").strip()[-LONGEST_OUTPUT:]
                msg = f"`{self.command}` failed with {done.returncode}: {said}"
                raise Refused(msg)
