"""Two operators wait for one release: whoever gives up leaves the other one's request to stop alone."""

import threading

import pytest
from world.fakes import RUN

from interlock.errors import Busy, Stopped
from interlock.records import Run
from interlock.store import Store, Writer, lock

MODEL = "best_model"


@pytest.fixture
def waiting(world):
    """Let an operator wait for the lock in a thread of its own, for a given time."""
    started = []

    def wait(who: str, wait_s: float) -> threading.Thread:
        def act() -> None:
            try:
                with Writer.locked(Store(world.store.root), MODEL, Run(who=who), wait_s=wait_s, interrupt=True):
                    told.append(who)
            except Busy:
                told.append(f"{who} gave up")

        thread = threading.Thread(target=act)
        thread.start()
        started.append(thread)
        return thread

    told = wait.told = []
    yield wait
    for thread in started:
        thread.join(30)


def asked(writer) -> str:
    try:
        writer.check_not_stopped()
    except Stopped as stopped:
        return str(stopped)
    return ""


def until(asks) -> None:
    for _ in range(2000):
        if asks():
            return
        threading.Event().wait(0.005)
    pytest.fail("it never came so far")


def test_the_request_of_who_waits_on_outlives_the_one_of_who_gave_up(world, waiting):
    """The one who gave up removed stop.json, whosever it was."""
    with Writer.locked(world.store, MODEL, RUN) as writer:
        patient = waiting("patient", 20)
        until(lambda: "patient asked" in asked(writer))
        waiting("hasty", 0.2).join(30)
        assert waiting.told == ["hasty gave up"]
        assert "patient asked" in asked(writer)
    patient.join(30)

    assert waiting.told == ["hasty gave up", "patient"]
    assert not world.store.paths(MODEL).stop.exists()


def test_who_waits_asks_again_when_who_asked_first_gave_up(world, waiting):
    with Writer.locked(world.store, MODEL, RUN) as writer:
        hasty = waiting("hasty", 0.5)
        until(lambda: "hasty asked" in asked(writer))
        waiting("patient", 20)
        hasty.join(30)
        until(lambda: "patient asked" in asked(writer))


def test_a_request_that_somebody_else_replaced_is_not_removed(world):
    paths = world.store.paths(MODEL)
    with Writer.locked(world.store, MODEL, RUN):
        mine = lock._ask_to_stop(paths, Run(who="mine"))
        paths.stop.unlink()
        theirs = lock._ask_to_stop(paths, Run(who="theirs"))
        assert mine != theirs
        with pytest.raises(Busy), Writer.locked(world.store, MODEL, Run(who="mine"), interrupt=True):
            pass
        assert lock._requested(paths) == theirs
