"""
Whatever system call of a release, a rollback or a pass of reconcile fails, or is the last before a SIGKILL: the old
version or the new one serves, truthfully, and one pass of reconcile mends everything.
"""

import pytest
from inject import matrix
from inject.cases import SCENES, Case
from inject.strace import calls_of
from prove.share import EVERY, share

LEAST = 450 // EVERY


@pytest.fixture(scope="module")
def cases(hands):
    """Every scene without a fault first: what it calls is what faults hit."""
    made = []
    for ended in hands.run([Case(scene) for scene in SCENES]):
        assert not ended.wrong, ended
        made += share(matrix.of(ended.case.scene, list(calls_of(ended.traces[0])), ended.root))
    return made


def test_there_are_enough_cases(cases):
    assert len(cases) >= LEAST


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scene", SCENES)
def test_one_reconcile_mends_whatever_a_fault_at_any_system_call_left(hands, cases, scene):
    wrong = [ended for ended in hands.run([case for case in cases if case.scene == scene]) if ended.wrong]
    assert not wrong, "\n".join(str(ended) for ended in wrong)
