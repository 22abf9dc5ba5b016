"""
The main job, told to a new user: v1 goes live, v2 replaces it under load, a bad candidate is refused.

Everything goes through `prefect deployment run`, as the user's own runs do.
"""

import json
from typing import Any

import httpx

from demos.load import Load, confidence_of
from demos.story import CALL_S, Story
from interlock.stack.errors import StackError

TRAIN = "train-register-reload"


class Demo(Story):
    """Tells the story on a stack that is up; every promise is checked, the first broken one raises."""

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
        self.expect(self.deploy(TRAIN, {"params": {"C": 1.0}}), "Completed")
        return self._show("after")

    def _release_under_load(self, before: int) -> int:
        self.say("\n== 2. Train it again with another C, and swap it in under 50 requests a second ==")
        self._show("before")
        with Load(self.url, rate=50) as load:
            self.expect(self.deploy(TRAIN, {"params": {"C": 10.0}}), "Completed")
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
        self.expect(self.deploy(TRAIN, {"params": {"max_iter": 1}}), "Rejected")
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
        self.say(f"         its login is the line in {self.settings.prefect_login_file}")
        self.say(f"MLflow:  {self.settings.mlflow}/#/models/best_model   versions, their runs, and the alias A")
        self.say(f"Serving: {self.url}/docs        every route; {self.url}/metrics for Prometheus")

    def _show(self, when: str) -> int:
        answer = httpx.get(f"{self.url}/model-info", timeout=CALL_S)
        self.say(f"{when}: GET /model-info -> {answer.status_code}")
        content: dict[str, Any] = answer.json()
        for key, value in content.items():
            self.say(f"    {key}: {value}")
        return int(content.get("version", 0))
