"""
One model on real sockets: MLflow, a serving app or two, users who ask all the time, a proxy before what is attacked.

    release, rollback, reconcile -> proxy -> MLflow
                                 -> proxy -> serving app 1      users -> serving app 1, 2
                                          -> serving app 2
"""

from dataclasses import dataclass
from functools import cache

from check.users import PATIENT_S, version_at
from inject.proxy import Calls, Proxy
from world.engines import serving_engine
from world.fake_mlflow import FakeMlflow
from world.fakes import RUN
from world.models import TOKEN, iris

from interlock.adapters.mlflow.registry import MlflowRegistry
from interlock.errors import Unreachable
from interlock.records import Candidate, EngineRef
from interlock.release.engine import Engine
from interlock.release.environment import Environment
from interlock.release.open import released, rolled_back
from interlock.release.steps import Release, Step, carry_out
from interlock.store import Store, Writer

MODEL = "best_model"
IMPATIENT_S = 0.25
TRIES = 3
C_OF = {1: 1.0, 2: 10.0}


@dataclass
class Wires:
    """`impatient` while the fault lasts, so that a call that never ends costs little."""

    store: Store
    mlflow: FakeMlflow
    registry_proxy: Proxy
    serving_proxy: Proxy
    apps: list[str]
    timeout_s: float = PATIENT_S

    @property
    def registry(self) -> MlflowRegistry:
        return MlflowRegistry(self.registry_proxy.url, timeout_s=self.timeout_s)

    @property
    def engine(self) -> Engine:
        urls = [self.serving_proxy.url, *self.apps[1:]]
        return serving_engine("dev", urls, TOKEN, timeout_s=self.timeout_s, latency_budget_ms=5000)

    def engine_for(self, ref: EngineRef) -> Engine:
        return self.engine

    @property
    def env(self) -> Environment:
        return Environment(self.store, self.registry, self.engine_for, RUN)

    @property
    def services(self) -> tuple[str, ...]:
        """What can be attacked."""
        return ("MLflow", "serving app")

    def attacked(self, service: str) -> Calls:
        """The proxy before a service."""
        return self.registry_proxy if service == "MLflow" else self.serving_proxy

    def live(self) -> int | None:
        return self.store.current(MODEL).version_of("A")

    def serving(self) -> list[int | None]:
        return [version_at(url) for url in self.apps]

    def release(self, version: int) -> None:
        """As the flow does: a step that nobody answers is tried again."""
        with released(self.env, candidate_of(version), [self.engine]) as release:
            carry_out(release, as_task)

    def release_killed_after_commit(self, version: int) -> None:
        """It leaves an open journal, a staged candidate, replicas and an alias that are behind."""
        with Writer.locked(self.store, MODEL, RUN) as writer:
            release = Release(self.env, writer, candidate_of(version), [self.engine], "", force=False)
            for step in (release.snapshot, release.materialize, release.load, release.commit):
                step()

    def rollback(self) -> None:
        """As `interlock rollback` does."""
        with rolled_back(self.env, MODEL, "A", None, why="test") as rollback:
            carry_out(rollback)

    def heal(self) -> None:
        self.registry_proxy.heal()
        self.serving_proxy.heal()
        self.timeout_s = PATIENT_S


def as_task(step: Step, release: Release) -> None:
    """Make the step as `tasks.release` does, without the pauses between attempts."""
    tries = TRIES if step.retried else 1
    for attempt in range(1, tries + 1):
        release.patient = attempt < tries
        try:
            step.make(release)
        except Unreachable:
            if attempt == tries:
                raise
        else:
            return


@cache
def files_of(version: int) -> dict[str, bytes]:
    trained = iris(C_OF[version])
    return {
        "onnx/model.onnx": trained.onnx,
        "manifest.json": trained.manifest(f"run-{version}").model_dump_json().encode(),
    }


def candidate_of(version: int) -> Candidate:
    sha256 = iris(C_OF[version]).sha256
    return Candidate(model=MODEL, alias="A", version=version, run_id=f"run-{version}", sha256=sha256)
