"""A release or a rollback is killed, and so is the pass of reconcile that mends it: the next pass mends both."""

import pytest
from inject import matrix
from inject.cases import Case
from inject.strace import calls_of
from prove.share import EVERY, share

KILLED = {"release": 6, "release that is not followed": 4, "rollback": 4, "first release": 2}
"""How many points of each are killed first; reconcile is killed at all of its points after each."""
LEAST = 100 // EVERY


@pytest.fixture(scope="module")
def cases(hands):
    """Kill first, let reconcile mend it without a fault, and see what that calls: there it is killed next time."""
    once = [case for ended in hands.run([Case(scene) for scene in KILLED]) for case in spread(ended)]
    twice = []
    for ended in hands.run([Case(case.scene, (*case.faults, None)) for case in once]):
        assert not ended.wrong, ended
        again = matrix.kills(list(calls_of(ended.traces[1])), ended.root)
        twice += [Case(ended.case.scene, (ended.case.faults[0], fault)) for fault in again]
    return share(twice)


def spread(ended) -> list[Case]:
    """Return kills that lie evenly over an act."""
    kills = list(matrix.kills(list(calls_of(ended.traces[0])), ended.root))
    count = KILLED[ended.case.scene]
    return [Case(ended.case.scene, (kills[(2 * n + 1) * len(kills) // (2 * count)],)) for n in range(count)]


@pytest.mark.timeout(600)
def test_a_killed_recovery_is_mended_by_the_next(hands, cases):
    assert len(cases) >= LEAST
    wrong = [ended for ended in hands.run(cases) if ended.wrong]
    assert not wrong, "\n".join(str(ended) for ended in wrong)
