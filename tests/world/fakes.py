"""Hand-written fakes that can be told to fail; the contract tests in `adapters/` hold them against the real things."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest

from interlock.errors import NotReady, SmokeFailed, TooSlow, Unreachable
from interlock.model.manifest import Column, Golden, Manifest
from interlock.model.trial import Limits, Trial
from interlock.records import Candidate, Current, EngineRef, Run
from interlock.release.engine import Engine, Seen, Served
from interlock.release.environment import Environment
from interlock.release.open import released, rolled_back
from interlock.release.steps import STEPS, Release, carry_out
from interlock.store import Store

RUN = Run(flow_run_id="flow-1", flow_run_name="test", who="test")


def onnx_of(version: int) -> bytes:
    """Bytes that differ from version to version."""
    return f"onnx of v{version}".encode()


def manifest_of(version: int) -> Manifest:
    content = onnx_of(version)
    return Manifest(
        run_id=f"run-{version}",
        learner="fake",
        trained_at_utc="20251231T025902Z",
        sha256=sha256(content).hexdigest(),
        size=len(content),
        input_name="input",
        columns=[Column(name="x")],
        outputs=["label", "probabilities"],
        class_names=["no", "yes"],
        golden=Golden(rows=[[1.0]], labels=[1], probabilities=[[0.25, 0.75]]),
    )


def candidate_of(version: int, alias: str = "A", model: str = "best_model") -> Candidate:
    digest = manifest_of(version).sha256
    return Candidate(model=model, alias=alias, version=version, run_id=f"run-{version}", sha256=digest)


@dataclass
class FakeRegistry:
    """A registry in memory. `down` makes it answer nobody."""

    aliases: dict[tuple[str, str], int] = field(default_factory=dict)
    artifacts: dict[tuple[int, str], bytes] = field(default_factory=dict)
    down: bool = False

    def fetch(self, candidate: Candidate, artifact: str, target: Path) -> None:
        self._reach()
        made = onnx_of(candidate.version) if artifact == "model.onnx" else _json(candidate.version)
        target.write_bytes(self.artifacts.get((candidate.version, artifact), made))

    def alias(self, model: str, alias: str) -> int | None:
        self._reach()
        return self.aliases.get((model, alias))

    def candidate(self, model: str, alias: str, version: int) -> Candidate:
        self._reach()
        return candidate_of(version, alias, model)

    def set_alias(self, model: str, alias: str, version: int) -> None:
        self._reach()
        self.aliases[model, alias] = version

    def delete_alias(self, model: str, alias: str) -> None:
        self._reach()
        self.aliases.pop((model, alias), None)

    def _reach(self) -> None:
        if self.down:
            raise Unreachable("the registry does not answer")


@dataclass
class FakeReplica:
    """
    A replica in memory.

    `fails` names verbs and the error that each raises; `forgets` makes it claim to follow and not do it; `slow`
    makes it answer rightly and over the budget.
    """

    address: str = "http://replica-1"
    name: str = "fake"
    serves: dict[str, Served] = field(default_factory=dict)
    staged: dict[str, int] = field(default_factory=dict)
    fails: dict[str, BaseException] = field(default_factory=dict)
    forgets: bool = False
    slow: bool = False
    asked: list[str] = field(default_factory=list)

    def load(self, candidate: Candidate) -> None:
        self._ask("load")
        self.staged[candidate.alias] = candidate.version

    def ready(self, candidate: Candidate) -> None:
        self._ask("ready")
        if self.staged.get(candidate.alias) != candidate.version:
            raise NotReady(f"{self.address} holds {self.staged}")

    def smoke(self, candidate: Candidate, manifest: Manifest, *, timed: bool) -> str:
        self._ask("smoke")
        if timed and self.slow:
            raise TooSlow(f"{self.address}: median latency 600 ms is over the budget of 500 ms")
        return "golden rows answered"

    def drop(self, model: str, alias: str) -> None:
        self._ask("drop")
        self.staged.pop(alias, None)

    def follow(self, current: Current) -> Seen:
        self._ask("follow")
        if not self.forgets:
            mine = {a: v for a, v in current.variants.items() if v.follows("fake", self.name)}
            self.serves = {a: Served(v.active_version, v.sha256, current.epoch) for a, v in mine.items()}
            self.staged = {a: v for a, v in self.staged.items() if a not in mine}
        return self.observe(current.model)

    def observe(self, model: str) -> Seen:
        self._ask("observe")
        return Seen(dict(self.serves), dict(self.staged))

    def survey(self, currents: Sequence[Current]) -> dict[str, Seen]:
        self._ask("survey")
        return {current.model: Seen(dict(self.serves), dict(self.staged)) for current in currents}

    def _ask(self, verb: str) -> None:
        self.asked.append(verb)
        if error := self.fails.get(verb) or self.fails.get("*"):
            raise error

    def goes_away(self) -> None:
        self.fails["*"] = Unreachable(f"{self.address} does not answer")

    def comes_back(self) -> None:
        self.fails.clear()

    def answers_wrongly(self) -> None:
        self.fails["smoke"] = SmokeFailed("golden rows: row 0: off by 0.5")


def engine_of(replicas: Sequence[FakeReplica], name: str = "fake") -> Engine:
    urls = tuple(replica.address for replica in replicas)
    return Engine(EngineRef(kind="fake", name=name, urls=urls), list(replicas))


@dataclass
class World:
    """One model's repository, one registry, one engine of two replicas."""

    store: Store
    registry: FakeRegistry
    replicas: list[FakeReplica]

    @property
    def engine(self) -> Engine:
        return engine_of(self.replicas)

    def engine_for(self, ref: EngineRef) -> Engine:
        return engine_of(self.replicas, ref.name)

    @property
    def env(self) -> Environment:
        return Environment(self.store, self.registry, self.engine_for, RUN)

    def serving(self) -> list[int | None]:
        """The version that each replica serves for alias A."""
        return [r.serves["A"].version if "A" in r.serves else None for r in self.replicas]

    def live(self, alias: str = "A") -> int | None:
        return self.store.current("best_model").version_of(alias)


def untried(folder: Path, manifest: Manifest, limits: Limits) -> Trial:
    """Pass without a look: these bytes are no ONNX, or there is no time for a process."""
    return Trial(
        sha256=manifest.sha256,
        size_bytes=manifest.size,
        nodes=1,
        domains=("",),
        golden_rows=len(manifest.golden.rows),
        worst=0.0,
        load_ms=1.0,
        row_ms=1.0,
        batch_rows=limits.largest_request,
        batch_ms=1.0,
        load_memory_bytes=1,
        request_memory_bytes=1,
    )


def run_rollback(
    world: World, version: int | None = None, alias: str = "A", *, why: str, force: bool = False
) -> Release:
    """Go back as an operator does."""
    with rolled_back(world.env, "best_model", alias, version, why=why, force=force) as rollback:
        carry_out(rollback)
    return rollback


def up_to(release: Release, last: str, *, but: str | None = None) -> None:
    """Make the steps of a release up to *last*, one of them left out."""
    names = [step.name for step in STEPS]
    for step in STEPS[: names.index(last) + 1]:
        if step.name != but:
            step.make(release)


@contextmanager
def without_trial() -> Iterator[None]:
    """Release without trials; a patch of its own, which a test that undoes its patches leaves alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Release, "try_out", staticmethod(untried))
        yield


def _json(version: int) -> bytes:
    return manifest_of(version).model_dump_json().encode()


def run_release(
    world: World, version: int, alias: str = "A", *, force: bool = False, new_contract: bool = False
) -> Release:
    """Release a version, step by step, as a flow does."""
    with released(
        world.env, candidate_of(version, alias), [world.engine], force=force, new_contract=new_contract
    ) as release:
        carry_out(release)
    return release
