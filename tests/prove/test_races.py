"""Releases and rollbacks at the same instant: one after the other wins, and whoever loses changes nothing."""

import multiprocessing
import random
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import pytest
from check.invariants import pass_of_reconcile, violations
from check.users import Users
from prove.contest import Contestant, Result, contest
from prove.share import EVERY, TURN
from world.acts import ALIAS, MODEL, Place, release
from world.fake_mlflow import fake_mlflow
from world.models import TOKEN, iris, served

from interlock.records import HistoryEntry, Outcome
from interlock.store import Store

ROUNDS = 50 if EVERY == 1 else 16
"""Fewer would not do: each way to lose must come up."""
MOST = 4
C_OF = {1: 1.0, 2: 10.0, 3: 100.0}
LOST = {"Busy", "Stopped", "AlreadyLive"}


@pytest.fixture
def place(tmp_path):
    """MLflow knows three versions; the last one serves."""
    with fake_mlflow() as mlflow, served(Store(tmp_path)) as app:
        for version, c in C_OF.items():
            trained = iris(c)
            manifest = trained.manifest(f"run-{version}").model_dump_json().encode()
            files = {"onnx/model.onnx": trained.onnx, "manifest.json": manifest}
            mlflow.register(MODEL, f"run-{version}", files, trained.sha256)
        place = Place(str(tmp_path), app, mlflow.url, TOKEN)
        for version in C_OF:
            release(place, version)
        yield place


@pytest.fixture
def race(place):
    """Let contestants start at the same instant, each in a process of its own."""
    with ProcessPoolExecutor(MOST, multiprocessing.get_context("spawn")) as processes:

        def run(contestants: list[Contestant]) -> list[Result]:
            start = time.monotonic() + 0.02
            running = [processes.submit(contest, place.told, contestant, start) for contestant in contestants]
            return [future.result(timeout=60) for future in running]

        run([Contestant("warm", 3) for _ in range(MOST)])
        yield run


def contestants(number: int) -> list[Contestant]:
    """Return 2 to 4, other ones in every round: half of them go back, the others release any of three versions."""
    draw = random.Random(number)
    wants = [draw.choice([None, None, None, *C_OF]) for _ in range(draw.randint(2, MOST))]
    return [Contestant(f"round {number}, contestant {n}", version) for n, version in enumerate(wants)]


def check(place: Place, results: list[Result]) -> None:
    """
    Who won is in the record once; what a loser decided is undone, and nothing else of it is left.

    Nobody wins only if a release was stopped when it served everywhere, and the rollback behind it wants just that.
    """
    made = decisions(place.store, {result.contestant.who for result in results})
    if not any(result.won for result in results):
        assert "AlreadyLive" in {result.how for result in results}, results
        assert Outcome.RECOVERED in {entry.outcome for entry in made}, results
    for result in results:
        mine = [entry for entry in made if entry.run.who == result.contestant.who]
        if result.won:
            assert [(entry.after.version_of(ALIAS), entry.outcome) for entry in mine] == [
                (result.version, Outcome.COMPLETED)
            ]
        else:
            assert result.how in LOST, result
            assert result.how == "Stopped" or not mine, result
            assert not [entry for entry in mine if entry.outcome is Outcome.COMPLETED and entry.kind != "rollback"], (
                result
            )
    standing = [entry for entry in made if entry.outcome in (Outcome.COMPLETED, Outcome.RECOVERED)]
    assert standing, results
    assert place.store.current(MODEL).version_of(ALIAS) == standing[-1].after.version_of(ALIAS)


def decisions(store: Store, by: set[str]) -> list[HistoryEntry]:
    """Return what they decided, oldest first."""
    return [entry for entry in reversed([*store.entries(MODEL)]) if entry.run.who in by]


@pytest.mark.timeout(300)
def test_each_race_has_its_winners_and_losers_change_nothing(place, race):
    how: Counter[str] = Counter()
    with Users([place.app]) as users:
        for number in range(ROUNDS):
            for version in (number % 3 + 1, (number + 1) % 3 + 1):
                Contestant("before", version).act(place)
            results = race(contestants(number + TURN * ROUNDS))
            check(place, results)
            how.update(result.how for result in results)
            how["contested"] += not all(result.won for result in results)

    assert users.failures == []
    assert users.answers
    assert how["contested"] > ROUNDS * 3 / 4, how
    assert how["Busy"], how
    assert how["Stopped"], how
    pass_of_reconcile(place.env)
    assert list(violations(place.env)) == []
