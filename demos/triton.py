"""Releases to a real Triton, told to a new user: good ones, three bad ones, and a kill; v2 answers throughout."""

import os
import signal
import time
from collections.abc import Callable
from hashlib import sha256
from uuid import uuid4

import httpx

from demos.bad_models import KINDS
from demos.load import Load, triton_question
from demos.main_job import TRAIN
from demos.story import CALL_S, Story
from interlock.adapters.mlflow.registry import MlflowRegistry, Registration
from interlock.adapters.mlflow.tracking import MlflowTracking
from interlock.stack.errors import StackError
from interlock.stack.supervisor import Supervisor
from interlock.store import Store

DEPLOY = "deploy-to-triton"
MODEL = "best_model"
BACK_S = 30.0


class DemoTriton(Story):
    """Tells the story on a stack that is up, with the wheel's tritonserver in it."""

    def play(self) -> None:
        """
        Tell the whole story.

        Raises:
            StackError: Something is not as told.
        """
        self.say("\n== 1. Train a model, make it live on the serving app, and enrol Triton ==")
        self.expect(self.deploy(TRAIN, {"params": {"C": 1.0}}), "Completed")
        self.expect(self.deploy(DEPLOY, {}), "Completed")
        first = self._show()
        with Load(self._triton, rate=100, threads=8, question=triton_question(MODEL)) as load:
            self.say("\n== 2. The next training goes live on both by one decision, under 100 requests a second ==")
            self.expect(self.deploy(TRAIN, {"params": {"C": 10.0}}), "Completed")
            second = self._show()
            self._refuse_bad_ones(second)
        self.say(f"\nun-versioned requests to Triton in all of this: {load.tally.requests}, by {load.tally.versions}")
        self.say(f"failed requests: {load.tally.failed}")
        if load.tally.failed or set(load.tally.versions) != {first, second}:
            msg = f"somebody noticed: {dict(load.tally.failures)}, {load.tally.versions}"
            raise StackError(msg)
        self._kill(second)

    @property
    def _triton(self) -> str:
        return self.settings.local_url("triton")

    def _refuse_bad_ones(self, serves: int) -> None:
        for number, (kind, make) in enumerate(KINDS.items(), start=3):
            self.say(f"\n== {number}. Somebody registers {kind} ==")
            version = self._register(serves, make)
            self.expect(self.deploy(DEPLOY, {"version": version}), "Failed")
            if self._show() != serves:
                msg = f"v{serves} should serve on"
                raise StackError(msg)

    def _register(self, good: int, make: Callable[[bytes], bytes]) -> int:
        """Register bytes made from the good version, with the golden rows of the good one."""
        store = Store(self.settings.repository_root)
        registry = MlflowRegistry(self.settings.mlflow, auth=self.settings.mlflow_auth)
        onnx = make(store.paths(MODEL).onnx(good).read_bytes())
        digest = sha256(onnx).hexdigest()
        tracking = MlflowTracking(self.settings.mlflow, "demo", self.settings.mlflow_auth)
        run_id = tracking.open_run(uuid4().hex, digest)
        changes = {"run_id": run_id, "sha256": digest, "size": len(onnx)}
        manifest = store.manifest(MODEL, good).model_copy(update=changes)
        run = tracking.log_files(run_id, onnx, manifest)
        tracking.close_run(run_id, {"demo": "bad on purpose"})
        return registry.register(Registration(MODEL, run_id, run.source, None, {"sha256": digest}))

    def _kill(self, serves: int) -> None:
        self.say("\n== 6. Triton is killed ==")
        supervisor = Supervisor(self.settings)
        started = time.monotonic()
        os.kill(supervisor.pids()["triton"], signal.SIGKILL)
        while self._version() != serves:
            if time.monotonic() - started > BACK_S:
                msg = f"Triton does not serve v{serves} again; see {supervisor.log_of('triton')}"
                raise StackError(msg)
            time.sleep(0.05)
        self.say(f"after {time.monotonic() - started:.1f} s it answers again, by v{self._version()}")

    def _show(self) -> int:
        version = self._version()
        self.say(f"POST {self._triton}/v2/models/{MODEL}/infer -> model_version {version}")
        return version or 0

    def _version(self) -> int | None:
        question = triton_question(MODEL)
        try:
            answer = httpx.post(f"{self._triton}{question.path}", json=question.body, timeout=CALL_S)
        except httpx.TransportError:
            return None
        return question.read(answer.json())[0] if answer.is_success else None
