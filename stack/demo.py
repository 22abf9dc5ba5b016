"""
The main job, told to a new user: v1 goes live, v2 replaces it under load, a bad candidate is refused.

Everything goes through `prefect deployment run`, as the user's own runs do.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from blocks.settings import Settings
from stack.errors import StackError
from stack.load import Load, confidence_of
from stack.parts import BIN, ROOT, environment

RUN_S = 180.0
CALL_S = 10.0


@dataclass(frozen=True)
class Ended:
    """How a flow run ended."""

    run_id: str
    state: str
    message: str


class Demo:
    """Tells the story on a stack that is up; every promise is checked, the first broken one raises."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        """Take the stack and where the story is told."""
        self.settings = settings
        self.url = settings.serving[0]
        self.say = say

    def play(self) -> None:
        """
        Tell the whole story.

        Raises:
            StackError: Something is not as told.
        """
        first = self._release_first()
        second = self._release_under_load(first)
        self._refuse_third(second)
        self._predict()
        self._where_to_look()

    def _release_first(self) -> int:
        self.say("\n== 1. Train a model and make it live ==")
        self._show("before")
        self._expect(self.deploy({"params": {"C": 1.0}}), "Completed")
        return self._show("after")

    def _release_under_load(self, before: int) -> int:
        self.say("\n== 2. Train it again with another C, and swap it in under 50 requests a second ==")
        self._show("before")
        with Load(self.url, rate=50) as load:
            self._expect(self.deploy({"params": {"C": 10.0}}), "Completed")
        after = self._show("after")
        wrong = load.tally.mislabelled({version: confidence_of(self.url, version) for version in (before, after)})
        self.say(
            f"requests during the swap: {load.tally.requests}, failed: {load.tally.failed}, answered by "
            f"{', '.join(f'v{version}: {count}' for version, count in load.tally.versions.items())}, "
            f"answers that name another version than the one that computed them: {wrong}"
        )
        if load.tally.failed or wrong or set(load.tally.versions) != {before, after}:
            msg = f"the swap was not clean: {dict(load.tally.failures)}, {load.tally.versions}"
            raise StackError(msg)
        return after

    def _refuse_third(self, before: int) -> None:
        self.say("\n== 3. Send a candidate that the gate refuses: the solver may make one step only ==")
        self._expect(self.deploy({"params": {"max_iter": 1}}), "Rejected")
        if self._show("after") != before:
            msg = f"v{before} should serve on"
            raise StackError(msg)

    def _predict(self) -> None:
        body = [[5.1, 3.5, 1.4, 0.2]]
        self.say("\n== Ask it ==")
        self.say(f"$ curl -s {self.url}/predict -H 'content-type: application/json' -d '{json.dumps(body)}'")
        self.say(httpx.post(f"{self.url}/predict", json=body, timeout=CALL_S).raise_for_status().text)

    def _where_to_look(self) -> None:
        self.say("\n== Where to look ==")
        self.say(
            f"Prefect: {self.settings.local_url('prefect')}/runs   runs, their tasks, and below Artifacts the releases"
        )
        self.say(f"MLflow:  {self.settings.mlflow}/#/models/best_model   versions, their runs, and the alias A")
        self.say(f"Serving: {self.url}/docs        every route; {self.url}/metrics for Prometheus")

    def deploy(self, parameters: dict[str, Any]) -> Ended:
        """Run the deployment with *parameters* through the CLI and wait for its end."""
        name = f"demo-{uuid4().hex[:8]}"
        deployment = f"train-register-reload/{self.settings.environment}"
        passed = [word for key, value in parameters.items() for word in ("-p", f"{key}={json.dumps(value)}")]
        self.say(f"$ prefect deployment run {deployment} {' '.join(_quoted(word) for word in passed)} --watch")
        command = [f"{BIN}/prefect", "deployment", "run", deployment, *passed, "--flow-run-name", name, "--watch"]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment(self.settings),
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        ended = self._ended(name, done.stdout + done.stderr)
        self.say(f"-> {ended.state}: {ended.message}")
        return ended

    def _ended(self, name: str, output: str) -> Ended:
        body = {"flow_runs": {"name": {"any_": [name]}}}
        runs = (
            httpx.post(f"{self.settings.prefect_api}/flow_runs/filter", json=body, timeout=CALL_S)
            .raise_for_status()
            .json()
        )
        if not runs:
            msg = f"the run was not made: {output}"
            raise StackError(msg)
        return Ended(runs[0]["id"], runs[0]["state"]["name"], runs[0]["state"]["message"] or "")

    def _expect(self, ended: Ended, state: str) -> None:
        if ended.state != state:
            msg = f"expected {state}; see `prefect flow-run logs {ended.run_id}`"
            raise StackError(msg)

    def _show(self, when: str) -> int:
        answer = httpx.get(f"{self.url}/model-info", timeout=CALL_S)
        self.say(f"{when}: GET /model-info -> {answer.status_code}")
        content: dict[str, Any] = answer.json()
        for key, value in content.items():
            self.say(f"    {key}: {value}")
        return int(content.get("version", 0))


def _quoted(word: str) -> str:
    return f"'{word}'" if "{" in word or '"' in word else word
