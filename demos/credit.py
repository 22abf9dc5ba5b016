"""
Continuous deployment of a credit score, told to a new user, on a stack of its own beside the other one.

    seed -> train, not released -> stop the app -> a tick starts it and releases -> three customers -> a tick skips
"""

import json
import time
from typing import Any

import httpx

from demos.credit_table import TABLE, seed
from demos.main_job import TRAIN
from demos.story import CALL_S, Story
from interlock.adapters.feature_store import FeatureStore
from interlock.settings.stack import OFFSET, PORTS, Settings
from interlock.stack.errors import StackError
from interlock.stack.supervisor import Supervisor

TICK = "continuous-deployment"
MODEL = "credit"
ROWS = 20_000
SCORES = ("Poor", "Standard", "Good")
LABEL = "credit_score"
BESIDE = 200
LOGGED_S = 10.0


def beside(settings: Settings) -> Settings:
    """Return a stack for the credit model beside that of *settings*: another folder, and ports where none is chosen."""
    ports = {
        f"{listener}_port": getattr(settings, f"{listener}_port") or port + OFFSET[settings.environment] + BESIDE
        for listener, port in PORTS.items()
    }
    home = settings.home.with_name(f"{settings.home.name}-credit")
    return settings.model_copy(update={**ports, "home_folder": home, "serving_model": MODEL})


class DemoCredit(Story):
    """Tells the story on a stack that is up and serves the credit model."""

    @property
    def again(self) -> str:
        """What brings the stack back, on the ports of the other one."""
        return f"INTERLOCK_HOME_FOLDER={self.settings.home} INTERLOCK_SERVING_MODEL={MODEL} make up"

    def play(self) -> None:
        """
        Tell the whole story.

        Raises:
            StackError: Something is not as told.
        """
        self.say("\n== 1. A table of customers in the feature store, and a model trained on it, not released ==")
        self.say(seed(self.settings, ROWS))
        training = {"learner": LABEL, "model": MODEL, "threshold": 0.8, "release": False}
        self.expect(self.deploy(TRAIN, training), "Registered")
        self.say("\n== 2. The API is down; a tick of the schedule starts it, and releases what is newer ==")
        Supervisor(self.settings).stop_process("serving")
        self.expect(self.deploy(TICK, {"model": MODEL}), "Released")
        self.say("\n== 3. Three customers ==")
        request_ids = [self._ask(score) for score in SCORES]
        self.say("\n== 4. What the prediction log holds of them ==")
        self._show_log(request_ids)
        self.say("\n== 5. The next tick ==")
        self.expect(self.deploy(TICK, {"model": MODEL}), "Skipped")
        self.say("\n== Where to look ==")
        self.say(f"Prefect: {self.settings.local_url('prefect')}/deployments   switch the schedule of {TICK} on")
        self.say(f"Serving: {self.url}/metadata   what is live, since when, how it was trained, what it takes")
        self.say(f"Log:     {self.settings.prediction_log_folder}/predictions.db")

    def _ask(self, score: str) -> str:
        """Ask for the first customer of that score in the table; return the request's id."""
        query = f"SELECT * FROM {TABLE} WHERE {LABEL} = '{score}' ORDER BY customer_id LIMIT 1"  # noqa: S608 - constants
        table = FeatureStore(self.settings.feature_store.get_secret_value()).read(query)
        row: dict[str, Any] = {name: cells[0] for name, cells in table.items()}
        truth = row.pop(LABEL)
        record = json.dumps({"customer_id": row.pop("customer_id"), "features": row})
        self.say(f"$ curl -s {self.url}/predict -H 'content-type: application/json' -d '{record}'")
        headers = {"content-type": "application/json"}
        answer = httpx.post(f"{self.url}/predict", content=record, headers=headers, timeout=CALL_S).raise_for_status()
        self.say(f"{answer.text}   (the table says {truth})")
        return str(answer.json()["request_id"])

    def _show_log(self, request_ids: list[str]) -> None:
        asked = ", ".join(f"'{request_id}'" for request_id in request_ids)
        columns = "customer_id, model, version, prediction, confidence, elapsed_ms, created_at"
        query = f"SELECT {columns} FROM prediction_log WHERE request_id IN ({asked}) ORDER BY created_at"  # noqa: S608
        log = FeatureStore(self.settings.prediction_log.get_secret_value())
        deadline = time.monotonic() + LOGGED_S
        while len((table := log.read(query))["customer_id"]) < len(request_ids):
            if time.monotonic() > deadline:
                msg = f"the prediction log holds {len(table['customer_id'])} of {len(request_ids)} answers"
                raise StackError(msg)
            time.sleep(0.1)
        self.say(columns.replace(", ", " | "))
        for row in zip(*table.values(), strict=True):
            self.say(" | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row))
