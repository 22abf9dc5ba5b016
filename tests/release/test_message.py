"""What people are told says who, why and what is left behind, and of what serves only what was seen."""

from world.fakes import candidate_of, run_rollback

from interlock.errors import DeliveryError, Unreachable
from interlock.records import EngineRef
from interlock.release.engine import Seen, Served, Sighting
from interlock.release.message import message, of_release, of_rollback, serving
from interlock.release.page import release_page

FAKE = EngineRef(kind="fake", name="fake", urls=("http://replica-1",))


def test_what_serves_comes_last_and_is_left_out_where_nobody_can_tell():
    assert message("FAILED", "m A", "no", "m A: v1 serves") == "FAILED: m A: no | m A: v1 serves"
    assert message("FAILED", "m A", "no") == "FAILED: m A: no"


def test_what_serves_is_said_once_whoever_else_said_it_before():
    error = DeliveryError("no")
    error.serves, error.way_back = "m A: v1 serves", "rolled back"
    assert str(error) == "no | m A: v1 serves (rolled back)"

    error.serves = "m A: v2 serves"

    assert str(error) == "no | m A: v2 serves (rolled back)"
    assert error.what == "no"
    error.way_out = "--force does it all the same"
    assert str(error) == "no; --force does it all the same | m A: v2 serves (rolled back)"


def test_a_version_is_not_said_to_serve_where_nobody_was_seen_to_serve_it(world, release):
    release(1)
    current = world.store.current("best_model")
    away = Sighting(FAKE, "http://replica-1", absent=Unreachable("no answer"))
    older = Sighting(FAKE, "http://replica-2", Seen({"A": Served(7, "0" * 64)}))
    right = Sighting(FAKE, "http://replica-3", Seen({"A": Served(1, candidate_of(1).sha256)}))

    assert serving(current, "A", [right]) == "best_model A: v1 serves"
    assert serving(current, "A", [away, older, right]) == (
        "best_model A: v1 is decided, but http://replica-1 does not answer for it, http://replica-2 serves v7"
    )


def test_a_rollback_is_told_with_the_operators_reason_and_what_is_left_behind(world, release):
    release(1)
    done = release(2)
    rollback = run_rollback(world, why="3 a.m.")

    assert of_rollback(rollback) == "3 a.m. (by test); v2 is left behind, and refused from now on"
    assert "v1 serves again" in release_page(rollback)
    assert of_release(done) == ""
    assert "completed" not in release_page(done), "an outcome that is as it should be is no news"


def test_a_page_says_what_is_not_yet_as_decided(release):
    done = release(1)
    done.alias_pending = Unreachable()

    assert "**But**: alias A pending" in release_page(done)
