"""The newest version that passed the gate is released if it was trained after what is live, once."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from world.fakes import candidate_of, manifest_of, run_release

from interlock.clock import utc_moment, utc_stamp
from interlock.errors import Broken, CorruptRecord, DigestRefused, StaleEpoch
from interlock.model.manifest import Column
from interlock.release.freshness import Newest, compare
from interlock.release.open import released

LIVE = "20251231T025902Z"


def newest(version: int, trained_at_utc: str = LIVE, **change) -> Newest:
    manifest = manifest_of(version).model_copy(update={"trained_at_utc": trained_at_utc, **change})
    return Newest(candidate_of(version), manifest)


def judged(world, made):
    return compare(world.store, world.store.current("best_model"), "A", made)


def test_nothing_trained_is_nothing_to_do(world, release):
    assert judged(world, None).why == "no version of best_model passed the gate yet"
    release(1)
    assert judged(world, None).release is False


def test_nothing_live_is_a_reason_to_release(world):
    comparison = judged(world, newest(3))

    assert comparison.release is True
    assert comparison.why == f"nothing is live, v3 was trained at {LIVE}"


@pytest.mark.parametrize(
    ("trained_at_utc", "expected", "why"),
    [
        ("20251231T025903Z", True, f"what is live is older: v2 was trained at {LIVE}, v7 at 20251231T025903Z"),
        ("20260101T000000Z", True, "what is live is older"),
        (LIVE, True, "what is live is older"),
        ("20251231T025901Z", False, "what is live is not older"),
        ("20241231T025902Z", False, "what is live is not older"),
    ],
)
def test_training_times_decide(world, release, trained_at_utc, expected, why):
    """In the same second, the later number is the newer one."""
    release(2)

    comparison = judged(world, newest(7, trained_at_utc))

    assert comparison.release is expected
    assert comparison.why.startswith(why)


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(days=1), timedelta(days=70 * 365)])
def test_a_training_clock_that_was_ahead_keeps_nothing_newer_from_going_live(world, release, ahead):
    """The live version says that it was trained after it was registered."""
    release(2)
    registered = utc_moment(LIVE) - ahead
    trained = utc_stamp(registered + timedelta(minutes=1))
    manifest = manifest_of(7).model_copy(update={"trained_at_utc": trained})
    made = Newest(candidate_of(7), manifest, {2: utc_stamp(registered), 7: trained})

    comparison = judged(world, made)

    assert comparison.release is True
    assert f"v2 was trained at {LIVE} by a clock that was ahead: it was registered at" in comparison.why


def test_a_version_that_was_registered_later_but_trained_earlier_is_not_newer(world, release):
    release(2)
    assert judged(world, newest(9, "20251231T025901Z")).release is False


def test_in_the_same_second_a_lower_number_is_not_newer(world, release):
    release(2)
    assert judged(world, newest(1)).release is False


def test_what_is_live_already_is_not_released_again(world, release):
    release(2)
    assert judged(world, newest(2)).why == f"v2, trained at {LIVE}, is the newest"


def test_ten_ticks_try_a_bad_version_once(world, release):
    release(1)
    for replica in world.replicas:
        replica.answers_wrongly()
    tried = 0
    for _ in range(10):
        comparison = judged(world, newest(2, "20260101T000000Z"))
        if comparison.release:
            tried += 1
            with pytest.raises(Broken):
                run_release(world, 2)

    assert tried == 1
    assert "v2 is the newest and holds bytes that failed before (v2, " in comparison.why
    assert "golden rows" in comparison.why
    with pytest.raises(DigestRefused):
        run_release(world, 2)


def test_a_version_of_another_contract_is_left_to_a_name_of_its_own(world, release):
    release(1)

    renamed = manifest_of(2).signature.model_copy(update={"columns": [Column(name="y")]})
    comparison = judged(world, newest(2, "20260101T000000Z", signature=renamed))

    assert comparison.release is False
    assert "it takes a new column y float32; it takes no column x any more" in comparison.why
    assert "Release it with new_contract, or under a model name of its own" in comparison.why


@pytest.mark.parametrize("stamp", ["yesterday", "", "2026-01-01", "20260101T000000", "20261301T000000Z"])
def test_a_training_time_that_is_none_is_told(world, release, stamp):
    release(1)
    with pytest.raises(CorruptRecord, match="no UTC stamp"):
        judged(world, newest(2, stamp))


def test_a_stamp_names_the_same_moment_wherever_it_was_made():
    """A training host in Tokyo writes UTC."""
    tokyo = datetime(2026, 1, 1, 8, 59, 2, tzinfo=timezone(timedelta(hours=9)))

    assert utc_stamp(tokyo) == "20251231T235902Z"
    assert utc_moment(utc_stamp(tokyo)) == tokyo
    assert utc_moment(LIVE).tzinfo is UTC


def test_a_release_that_was_judged_by_an_older_decision_changes_nothing(world, release):
    """Of two ticks at once, the one that takes the lock later finds that somebody decided."""
    judged_by = world.store.current("best_model")
    release(2)
    before = world.store.current("best_model")
    asked = [list(replica.asked) for replica in world.replicas]

    with (
        pytest.raises(StaleEpoch, match=r"epoch 1.*nothing was changed here . best_model A: v2 serves"),
        released(
            world.env,
            candidate_of(1),
            [world.engine],
            since=judged_by,
        ),
    ):
        pytest.fail("the release began")

    assert world.store.current("best_model") == before
    assert [replica.asked for replica in world.replicas] == asked
    assert world.store.journal("best_model") is None
