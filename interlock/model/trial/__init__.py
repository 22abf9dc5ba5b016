"""
The trial of a candidate: alone, in a child process with limits, before any engine sees its bytes.

    limits    what a candidate may take
    report    what was measured; travels with the version as `trial.json`
    question  what the child is asked, or why nobody needs to ask
    process   start the child, listen to it until a deadline, end it
    verdict   how it ended -> an error, or what it answered
    trying    try_out: all of it

The child's own code is `interlock.model.confined`. Its ends are told apart by types and numbers, never by a text:

    it says `answered`                           its answers are compared here: SmokeFailed, TooSlow, or a Trial
    it says `forbidden`, `failed`                TrialFailed
    it says `misshapen`, `changed`, `unreadable` SmokeFailed, Damaged, Unreadable
    it says `unfit`, or dies before it reads     Refused: the trial does not work on this machine
    it dies later by a signal of its own making  TrialFailed: SIGSEGV, SIGABRT, ... and SIGXCPU, its processor time
    it leaves without a last word                TrialFailed
    it dies by SIGKILL, SIGTERM, ...             Refused: somebody else ended it, such as the kernel of a full machine
    its wall time is over                        TrialFailed if it computed for half of it, else Refused: it waited

Where the machine has less memory left than a candidate may take, the child gets only that much, and failing or crashing
is Refused as well: only forbidden content and wrong answers are verdicts then.
"""

from interlock.model.trial.limits import Limits
from interlock.model.trial.report import Trial
from interlock.model.trial.trying import try_out

__all__ = ["Limits", "Trial", "try_out"]
