"""Two real replicas of the serving app, the first behind a proxy; what users see of them, and what must hold."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
from check.invariants import violations
from inject.proxy import Proxy, proxy
from support.ports import free_ports
from world.runs import wait_for

from blocks.serving_api import ServingApi
from demos.load import Load, confidence_of
from flows.train_register_reload import train_register_reload
from interlock.records import Current
from interlock.stack.processes import ROOT, environment, processes
from interlock.upkeep.reconcile import Reconciler

MODEL = "best_model"
RATE = 20
UP_S = 60
CALL_S = 10
"""Of each call to a replica: longer than by default, so that there is time to break things off meanwhile."""


@dataclass(frozen=True)
class Replicas:
    """Both replicas, enrolled as the engine `dev` of the stack."""

    stack: Any
    proxy: Proxy
    urls: tuple[str, str]

    @property
    def current(self) -> Current:
        return self.stack.store.current(MODEL)

    @property
    def live(self) -> int | None:
        return self.current.version_of("A")

    def served(self) -> list[tuple[int, int]]:
        """Version and epoch that each replica says it answers with."""
        infos = [httpx.get(f"{url}/model-info", timeout=5).json() for url in self.urls]
        return [(info["version"], info["epoch"]) for info in infos]

    def is_settled(self) -> bool:
        """Whether no release is open, and replicas, candidates and alias are as decided."""
        if self.stack.store.journal(MODEL):
            return False
        current = self.current
        staged = [httpx.get(f"{url}/variants", timeout=5).json()["staged"] for url in self.urls]
        alias = self.stack.env.registry.alias(MODEL, "A")
        decided = current.version_of("A")
        return self.served() == [(decided, current.epoch)] * 2 and not any(staged) and alias == decided

    def sweep(self) -> None:
        """A killed writer leaves unfinished files; a pass of reconcile finds nothing else."""
        (report,) = Reconciler(self.stack.env).reconcile([MODEL])
        assert [done for done in report.done if not done.startswith("swept")] == []

    def check_whole(self) -> None:
        """Every invariant holds."""
        broken = list(violations(self.stack.env, MODEL))
        assert not broken, broken

    @contextmanager
    def watched(self) -> Iterator[list[Load]]:
        """Ask both replicas all the time; no request fails, and each answer is that of the version it names."""
        with ExitStack() as stack:
            loads = [stack.enter_context(Load(url, rate=RATE, threads=2)) for url in self.urls]
            yield loads
        decided = {entry.after.version_of("A") for entry in self.stack.store.entries(MODEL)}
        for url, load in zip(self.urls, loads, strict=True):
            seen = load.tally.versions
            assert load.tally.failures == {}
            assert seen.keys() <= decided
            assert load.tally.requests > 0
            assert load.tally.mislabelled({version: confidence_of(url, version) for version in seen}) == 0

    def newest(self) -> int:
        """The version that was registered last."""
        params = {"filter": f"name='{MODEL}'", "order_by": ["version_number DESC"], "max_results": 1}
        url = f"{self.stack.settings.mlflow}/api/2.0/mlflow/model-versions/search"
        return int(httpx.get(url, params=params, timeout=5).json()["model_versions"][0]["version"])

    def hold(self, call: str) -> None:
        """Let the first replica do the work of each `METHOD path` *call*, and keep its answers until `let_go`."""
        self.proxy.hold(call)

    def let_go(self) -> None:
        self.proxy.heal()

    def garble(self, call: str) -> None:
        """Let the first replica answer garbage to the next *call*."""
        self.proxy.heal()
        self.proxy.calls.clear()
        self.proxy.fault = lambda _, asked: "garbage" if asked == call and self.proxy.calls.count(call) == 1 else ""

    def has_garbled(self, call: str) -> bool:
        return call in self.proxy.calls


@contextmanager
def second_replica(stack: Any) -> Iterator[str]:
    """The stack's serving app once more, over the same repository."""
    port, control = free_ports(2)
    (part,) = [part for part in processes(stack.settings) if part.name == "serving"]
    ports = {"INTERLOCK_SERVING_PORT": str(port), "INTERLOCK_SERVING_CONTROL_PORT": str(control)}
    variables = environment(stack.settings) | part.environment | ports
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(part.command, env=variables, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: answers(url), UP_S, "the second replica did not start")
            yield url
        finally:
            process.terminate()


def answers(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/healthz", timeout=2).is_success
    return False


@contextmanager
def two_replicas(stack: Any) -> Iterator[Replicas]:
    """Enrol both replicas and let a version serve; afterwards the stack's own one is enrolled alone again."""
    alone = ServingApi(name="dev", urls=list(stack.settings.serving_control), token=stack.token)
    with second_replica(stack) as second, proxy(stack.url) as first:
        ServingApi(name="dev", urls=[first.url, second], token=stack.token, timeout_s=CALL_S).save(
            "dev", overwrite=True
        )
        train_register_reload(params={"C": 2.0}, force=True)
        made = Replicas(stack, first, (stack.url, second))
        assert made.is_settled()
        yield made
        alone.save("dev", overwrite=True)
        train_register_reload(params={"C": 2.0}, force=True)
