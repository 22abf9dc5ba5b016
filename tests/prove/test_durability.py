"""Loss of power: what is decided stays decided, because every rename is fsynced before and after."""

import pytest
from check.durability import lint, opened
from inject.cases import SCENES, Case
from inject.strace import calls_of


@pytest.fixture(scope="module")
def quiet(hands):
    """Every scene without a fault."""
    return {ended.case.scene: ended for ended in hands.run([Case(scene) for scene in SCENES])}


@pytest.mark.parametrize("scene", SCENES)
def test_every_rename_is_fsynced_before_and_after(quiet, scene):
    assert lint(quiet[scene].traces[0], quiet[scene].root) == []


@pytest.mark.parametrize("scene", SCENES)
def test_no_fsync_can_be_left_out_unnoticed(quiet, scene):
    """But that of `.staging`: a name that comes back in there is swept."""
    trace, root = quiet[scene].traces[0], quiet[scene].root
    fsyncs = [call for call in calls_of(trace) if call.name == "fsync" and opened(call).name != ".staging"]
    assert fsyncs
    for call in fsyncs:
        assert lint(without(trace, call.number), root), f"nobody missed {call.line}"


def without(trace: str, number: int) -> str:
    """Return the trace without its *number*th fsync."""
    lines, seen = trace.splitlines(), 0
    for at, line in enumerate(lines):
        seen += line.startswith("fsync(")
        if line.startswith("fsync(") and seen == number:
            return "\n".join([*lines[:at], *lines[at + 1 :]])
    msg = f"there is no fsync {number}"
    raise AssertionError(msg)
