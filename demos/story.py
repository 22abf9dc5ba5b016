"""What every demo does: run deployments through the CLI, as the user's own runs do, and check how they ended."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from interlock.settings import Settings
from interlock.stack.errors import StackError
from interlock.stack.prefect_api import PrefectApi
from interlock.stack.processes import BIN, ROOT, client_environment

RUN_S = 300.0
CALL_S = 10.0


@dataclass(frozen=True)
class Ended:
    """How a flow run ended."""

    run_id: str
    state: str
    message: str


class Story:
    """A demo on a stack that is up; every promise is checked, the first broken one raises."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        """Take the stack and where the story is told."""
        self.settings = settings
        self.url = settings.serving[0]
        self.say = say

    @property
    def again(self) -> str:
        """What brings the stack back."""
        return "make up"

    def deploy(self, flow: str, parameters: dict[str, Any]) -> Ended:
        """Run a flow's deployment with *parameters* through the CLI and wait for its end."""
        name = f"demo-{uuid4().hex[:8]}"
        deployment = f"{flow}/{self.settings.environment}"
        passed = [word for key, value in parameters.items() for word in ("-p", f"{key}={json.dumps(value)}")]
        self.say(" ".join(["$ prefect deployment run", deployment, *map(_quoted, passed), "--watch"]))
        command = [f"{BIN}/prefect", "deployment", "run", deployment, *passed, "--flow-run-name", name, "--watch"]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=client_environment(self.settings),
                capture_output=True,
                text=True,
                timeout=RUN_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            msg = f"the run {name} did not end within {RUN_S:g} s; see {self.settings.local_url('prefect')}/runs"
            raise StackError(msg) from error
        ended = self._ended(name, done.stdout + done.stderr)
        self.say(f"-> {ended.state}: {ended.message}")
        return ended

    def _ended(self, name: str, output: str) -> Ended:
        body = {"flow_runs": {"name": {"any_": [name]}}}
        runs = PrefectApi.of(self.settings).post("flow_runs/filter", body)
        if not runs:
            msg = f"the run was not made: {output}"
            raise StackError(msg)
        return Ended(runs[0]["id"], runs[0]["state"]["name"], runs[0]["state"]["message"] or "")

    def expect(self, ended: Ended, state: str) -> None:
        """Raise unless the run ended as *state*."""
        if ended.state != state:
            msg = f"expected {state}; see `prefect flow-run logs {ended.run_id}`"
            raise StackError(msg)


def _quoted(word: str) -> str:
    return f"'{word}'" if "{" in word or '"' in word else word
