"""What each end of a child means: a verdict on the candidate, or nothing but trouble of this machine."""

import json
import signal

import pytest

from interlock.errors import Broken, Damaged, Refused, SmokeFailed, TrialFailed, Unreadable
from interlock.model.confined.protocol import End, Step
from interlock.model.trial.process import Cut, Ended
from interlock.model.trial.verdict import ENDS, said_by

BEGUN = {"step": Step.LOAD}


def judge(*lines: dict, code: int | None = 0, cpu_s: float = 0.5, cut: Cut | None = None, short: bool = False) -> dict:
    said = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return said_by(Ended(said, code, cpu_s, cut), wall_s=30, short=short)


def test_an_answer_is_given_back():
    assert judge(BEGUN, {"end": End.ANSWERED, "nodes": 3})["nodes"] == 3


def test_an_answer_counts_however_the_child_leaves_after_it():
    assert judge(BEGUN, {"end": End.ANSWERED}, code=-signal.SIGSEGV) == {"end": "answered"}


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (End.FORBIDDEN, TrialFailed),
        (End.FAILED, TrialFailed),
        (End.MISSHAPEN, SmokeFailed),
        (End.CHANGED, Damaged),
        (End.UNREADABLE, Unreadable),
        (End.UNFIT, Refused),
    ],
)
def test_each_end_that_the_child_tells_has_its_error(end, error):
    with pytest.raises(error, match="while loading it: because") as raised:
        judge(BEGUN, {"end": end, "why": "because"})
    assert type(raised.value) is error


def test_no_end_is_forgotten():
    assert set(ENDS) | {End.ANSWERED} == set(End)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGXCPU", "SIGSYS"])
def test_a_crash_of_its_own_is_a_verdict(name):
    with pytest.raises(TrialFailed, match=name):
        judge(BEGUN, code=-signal.Signals[name])


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"])
def test_a_signal_from_somebody_else_is_no_verdict(name):
    """The kernel of a machine without memory kills, and so do people; neither says anything about the candidate."""
    with pytest.raises(Refused, match=f"somebody ended it .{name}"):
        judge(BEGUN, code=-signal.Signals[name])


def test_leaving_without_a_word_is_a_verdict():
    with pytest.raises(TrialFailed, match="exit code 1"):
        judge(BEGUN, code=1)


@pytest.mark.parametrize("code", [0, 1, 127, -signal.SIGSEGV, -signal.SIGXCPU])
def test_a_child_that_dies_before_it_reads_is_no_verdict(code):
    with pytest.raises(Refused, match="before it began") as raised:
        judge(code=code)
    assert not isinstance(raised.value, Broken)


def test_wall_time_is_a_verdict_only_for_a_child_that_computed():
    with pytest.raises(TrialFailed, match="its time was over"):
        judge(BEGUN, code=-signal.SIGKILL, cut=Cut.LATE, cpu_s=20)
    with pytest.raises(Refused, match="its time was over, after 3.0 s of processor time"):
        judge(BEGUN, code=-signal.SIGKILL, cut=Cut.LATE, cpu_s=3)


def test_a_child_that_cannot_be_killed_waits_for_a_disk():
    with pytest.raises(Refused, match="waits for a disk"):
        judge({"step": Step.READ}, code=None, cut=Cut.LATE)


def test_a_flood_of_words_is_a_verdict():
    with pytest.raises(TrialFailed, match="said more"):
        judge(BEGUN, code=-signal.SIGKILL, cut=Cut.FLOOD)


def test_half_a_line_is_not_read():
    said = json.dumps(BEGUN).encode() + b'\n{"end": "answ'
    with pytest.raises(TrialFailed, match="SIGXCPU"):
        said_by(Ended(said, -signal.SIGXCPU, 10, None), wall_s=30, short=False)


def test_on_a_short_machine_only_content_and_answers_are_verdicts():
    """What needed more memory than was left might have done well elsewhere."""
    for lines, code in (([{"end": End.FAILED, "why": "bad_alloc"}], 0), ([], -signal.SIGABRT), ([], 1)):
        with pytest.raises(Refused, match="less memory left"):
            judge(BEGUN, *lines, code=code, short=True)
    with pytest.raises(TrialFailed):
        judge(BEGUN, {"end": End.FORBIDDEN, "why": "external data"}, short=True)
    with pytest.raises(SmokeFailed):
        judge(BEGUN, {"end": End.MISSHAPEN, "why": "(3,)"}, short=True)
