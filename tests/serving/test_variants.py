"""Loads hold up nothing: not what is followed, not what is dropped, not the end of the app."""

import asyncio
import logging
import threading
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from world.fakes import manifest_of

from interlock.errors import Busy, DeliveryError, Refused, TooSlow
from interlock.records import Current, EngineRef, Variant
from interlock.serving import loading
from interlock.serving.model import Model
from interlock.serving.variants import Variants

pytestmark = pytest.mark.anyio
LONG_S = 30.0
AT_ONCE_S = 1.0


@dataclass(frozen=True)
class FakeModel(Model):
    stays_proven: ClassVar[bool] = True

    async def answer(self, rows, timeout_s):
        raise NotImplementedError

    def self_test(self, timeout_s):
        pass


@dataclass
class FakeSource:
    """Loads at once, but for versions that hang until they are let go, and for those that fail."""

    hanging: dict[int, threading.Event] = field(default_factory=dict)
    failing: dict[int, Exception] = field(default_factory=dict)
    loads: list[int] = field(default_factory=list)

    def hang(self, version: int) -> threading.Event:
        return self.hanging.setdefault(version, threading.Event())

    def staged(self, version, sha256):
        self.loads.append(version)
        if version in self.hanging:
            self.hanging[version].wait(LONG_S)
        if version in self.failing:
            raise self.failing[version]
        return FakeModel("best_model", version, manifest_of(version), "")

    def live(self, alias, variant, current, found):
        return found or self.staged(variant.active_version, variant.sha256)

    async def close(self):
        pass


@pytest.fixture
def source():
    source = FakeSource()
    yield source
    for event in source.hanging.values():
        event.set()


@pytest.fixture
def variants(source):
    return made(source)


def made(source, load_timeout_s: float = LONG_S) -> Variants:
    return Variants(None, source, "best_model", "dev", self_test_timeout_s=1, load_timeout_s=load_timeout_s)


def decision(epoch: int, **versions: int) -> Current:
    engines = (EngineRef(kind="serving-api", name="dev", urls=()),)
    current = Current.nothing("best_model")
    for alias, version in versions.items():
        digest = manifest_of(version).sha256
        variant = Variant(alias=alias, active_version=version, run_id="r", sha256=digest, engines=engines)
        current = current.having(alias, variant, epoch=epoch, release_id=f"r{epoch}")
    return current.model_copy(update={"epoch": epoch})


def live(variants: Variants, alias: str = "A") -> int | None:
    found = variants[alias].live
    return found.model.version if found else None


@asynccontextmanager
async def under_way(act, source: FakeSource, version: int):
    """While *act* loads a version that hangs."""
    task = asyncio.create_task(act)
    while version not in source.loads:  # noqa: ASYNC110 - the load begins in a thread
        await asyncio.sleep(0.005)
    yield task
    task.cancel()
    with suppress(asyncio.CancelledError, DeliveryError):
        await task


async def test_a_decision_is_followed_while_a_candidate_loads(source, variants):
    source.hang(9)
    await variants.follow(decision(1, A=1))
    await variants.stage("A", 2, None)
    async with under_way(variants.stage("A", 9, None), source, 9):
        started = time.monotonic()
        await variants.follow(decision(2, A=2, B=3))
        assert time.monotonic() - started < AT_ONCE_S
        assert (live(variants, "A"), live(variants, "B")) == (2, 3)


async def test_a_version_in_memory_is_staged_and_followed_without_a_load_and_without_a_turn(source, variants):
    """Going back to a version that is warm waits for no candidate."""
    source.hang(9)
    await variants.follow(decision(1, A=1))
    await variants.follow(decision(2, A=2))
    async with under_way(variants.stage("A", 9, None), source, 9):
        staged = await asyncio.wait_for(variants.stage("A", 1, None), AT_ONCE_S)
        await asyncio.wait_for(variants.follow(decision(3, A=1)), AT_ONCE_S)
    assert (staged.version, live(variants), source.loads) == (1, 1, [1, 2, 9])


async def test_a_candidate_that_is_dropped_while_it_loads_is_given_up_and_never_appears(source, variants):
    let_go = source.hang(9)
    async with under_way(variants.stage("A", 9, None), source, 9) as stage:
        variants.drop("B")
        variants.drop("A")
        with pytest.raises(Refused, match="dropped"):
            await asyncio.wait_for(stage, AT_ONCE_S)
        let_go.set()
        assert (await variants.stage("B", 3, None)).version == 3
        assert variants["A"].staged is None


async def test_a_second_candidate_waits_for_a_moment_and_is_then_told_busy(source, variants, monkeypatch):
    monkeypatch.setattr(loading, "WAIT_S", 0.05)
    source.hang(9)
    async with under_way(variants.stage("A", 9, None), source, 9):
        with pytest.raises(Busy, match="another candidate is being loaded"):
            await variants.stage("A", 2, None)
    assert source.loads == [9]


async def test_a_second_call_for_the_same_candidate_finds_it_loaded(source, variants):
    """A client whose first call got no answer in time asks again."""
    let_go = source.hang(9)
    async with under_way(variants.stage("A", 9, None), source, 9) as first:
        second = asyncio.create_task(variants.stage("A", 9, None))
        await asyncio.sleep(0)
        let_go.set()
        assert await first is await second
    assert source.loads == [9]


async def test_a_candidate_is_left_behind_at_its_deadline_and_its_load_thrown_away(source):
    variants = made(source, load_timeout_s=0.05)
    let_go = source.hang(9)

    with pytest.raises(TooSlow, match=r"not loaded after 0.05 s"):
        await variants.stage("A", 9, None)
    let_go.set()
    assert (await variants.stage("A", 2, None)).version == 2
    assert variants["A"].staged.version == 2


async def test_only_so_many_candidates_are_left_behind(source):
    variants = made(source, load_timeout_s=0.05)
    for version in range(9, 9 + loading.MOST_LEFT_BEHIND):
        source.hang(version)
        with pytest.raises(TooSlow):
            await variants.stage("A", version, None)

    with pytest.raises(Busy, match="restart this app"):
        await variants.stage("A", 2, None)
    source.hanging[9].set()
    deadline = time.monotonic() + 5
    while all(job.is_running for job in variants.loading._left_behind):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert (await variants.stage("A", 2, None)).version == 2


async def test_one_alias_that_loads_for_long_does_not_hold_up_another(source, variants):
    source.hang(9)
    async with under_way(variants.follow(decision(1, A=9, B=2)), source, 9):
        await asyncio.sleep(0.05)
        assert (live(variants, "A"), live(variants, "B")) == (None, 2)
        assert variants.unmet() == {"A": "v9 is not live: it is being loaded"}


async def test_a_newer_decision_is_followed_while_the_older_one_loads_and_stays(source, variants):
    let_go = source.hang(9)
    await variants.follow(decision(1, A=1))
    async with under_way(variants.follow(decision(2, A=9)), source, 9) as older:
        await asyncio.wait_for(variants.follow(decision(3, A=1)), AT_ONCE_S)
        let_go.set()
        await older
    assert (live(variants), variants["A"].live.epoch, variants.epoch) == (1, 3, 3)


async def test_a_decided_version_that_hangs_is_not_loaded_a_second_time_and_taken_when_it_ends(source):
    variants = made(source, load_timeout_s=0.05)
    let_go = source.hang(9)
    for _ in range(5):
        with pytest.raises(TooSlow):
            await variants.follow(decision(1, A=9))
    assert source.loads == [9]
    assert "not loaded after" in variants.unmet()["A"]

    threading.Timer(0.01, let_go.set).start()
    await variants.follow(decision(1, A=9))
    assert (live(variants), variants.unmet(), source.loads) == (9, {}, [9])


async def test_a_decision_that_was_read_before_the_one_that_is_followed_changes_nothing(source, variants):
    """A reload that read epoch 1 and goes on after epoch 2 was followed must not put the undone version back."""
    await variants.follow(decision(1, A=1))
    await variants.follow(decision(2, A=2))
    await variants.follow(decision(1, A=1))

    assert (live(variants), variants["A"].live.epoch, variants.epoch) == (2, 2, 2)


async def test_a_decision_that_was_rebuilt_under_the_same_epoch_is_followed(source, variants):
    await variants.follow(decision(2, A=1))
    await variants.follow(decision(2, A=2))

    assert live(variants) == 2


async def test_an_error_that_nobody_expected_is_a_failure_of_that_alias_only(source, variants, caplog):
    source.failing[9] = KeyError("outputs")

    with pytest.raises(Refused, match="KeyError"):
        await variants.follow(decision(1, A=9, B=2))
    assert (live(variants, "B"), list(variants.failures)) == (2, ["A"])
    assert "Traceback" in caplog.text


async def test_a_failure_is_logged_once_while_it_stays_the_same(source, variants, caplog):
    source.failing[9] = Refused("no room")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            with pytest.raises(Refused):
                await variants.follow(decision(1, A=9))
    assert caplog.text.count("no room") == 1


async def test_an_app_that_is_stopped_lets_everybody_go_who_waits_for_a_load(source, variants):
    for version in (8, 9):
        source.hang(version)
    async with (
        under_way(variants.stage("A", 9, None), source, 9) as stage,
        under_way(variants.follow(decision(1, A=8)), source, 8) as follow,
    ):
        variants.loading.stop()
        for waiting in (stage, follow, variants.stage("B", 2, None)):
            with pytest.raises(Refused, match="being stopped"):
                await asyncio.wait_for(waiting, AT_ONCE_S)


async def test_while_the_next_version_loads_the_one_before_is_ready_for_a_moment_only(source, variants, monkeypatch):
    source.hang(9)
    await variants.follow(decision(1, A=1))
    async with under_way(variants.follow(decision(2, A=9)), source, 9):
        assert variants.unmet() == {}
        monkeypatch.setattr("interlock.serving.variants.PATIENCE_S", 0)
        assert variants.unmet() == {"A": "v9 is not live: it is being loaded"}
