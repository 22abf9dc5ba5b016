"""
The child of a trial: read a question, try the candidate, say how it ended. `interlock.model.trial` reads that.

The bytes are read once: what was hashed is what is examined and what is loaded.
"""

import hashlib
import json
import os
import stat
import sys
from typing import Any, NoReturn

from interlock.model.confined.protocol import Changed, End, Forbidden, Question, Step, UnreadableFile, Verdict

LONGEST_WHY = 500


class Teller:
    """Writes lines for the parent through a pipe of its own: libraries print on standard output."""

    def __init__(self, handle: int) -> None:
        """Take the pipe's descriptor."""
        self._handle = handle

    def tell(self, **line: Any) -> None:
        """Write one line."""
        rest = memoryview(json.dumps(line).encode() + b"\n")
        while rest:
            rest = rest[os.write(self._handle, rest) :]


def main(handle: int) -> NoReturn:
    """Answer the question on standard input through the pipe *handle*, and leave without any clean-up."""
    teller = Teller(handle)
    try:
        teller.tell(end=End.ANSWERED, **tried(Question.read(json.load(sys.stdin)), teller))
    except Verdict as verdict:
        teller.tell(end=verdict.end, why=_why(verdict))
    except MemoryError:
        teller.tell(end=End.FAILED, why="it needs more memory than it may take")
    except Exception as error:  # noqa: BLE001 - the trial itself does not work: no word about the candidate
        teller.tell(end=End.UNFIT, why=f"{type(error).__name__}: {_why(error)}")
    os._exit(0)


def tried(question: Question, teller: Teller) -> dict[str, Any]:
    """
    Try the candidate and return what was measured; the steps are told as they begin.

    Raises:
        Verdict: Why it went no further.
    """
    from interlock.model.confined import (  # inside, so that an import that fails is told as an end
        answering,
        cage,
        content,
    )

    before = cage.resident()
    cage.confine(question.parent, question.memory_bytes, question.cpu_s)
    teller.tell(step=Step.READ)
    onnx = _read(question)
    teller.tell(step=Step.EXAMINE)
    contents = content.examined(onnx, question)
    cage.forget_the_peak()  # what the examination took, no engine will
    teller.tell(step=Step.LOAD)
    session, load_ms = answering.timed(lambda: answering.loaded(onnx))
    load_memory, held = cage.peak() - before, cage.resident()
    cage.forget_the_peak()
    teller.tell(step=Step.ANSWER)
    answers = answering.answered(session, question)
    memory = {"load_memory_bytes": load_memory, "request_memory_bytes": cage.peak() - held}
    return {**answers, **contents, **memory, "load_ms": load_ms}


def _read(question: Question) -> bytes:
    try:
        handle = os.open(question.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would wait for a writer
        with os.fdopen(handle, "rb") as file:
            _check_size(os.fstat(handle), question)
            onnx = file.read(question.size)
    except OSError as error:
        raise UnreadableFile(error.strerror or str(error)) from error
    found = hashlib.sha256(onnx).hexdigest()
    if found != question.sha256:
        raise Changed(f"it is {found[:12]}, expected {question.sha256[:12]}")
    return onnx


def _check_size(status: os.stat_result, question: Question) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableFile("it is not a regular file")
    if status.st_size != question.size:
        raise Changed(f"it has {status.st_size} bytes, expected {question.size}")
    if status.st_size > question.max_size_bytes:
        raise Forbidden(f"it has {status.st_size} bytes, more than {question.max_size_bytes}")


def _why(error: Exception) -> str:
    """Return it as it may be printed: parts of it are names that the file chose."""
    return ascii(str(error)[:LONGEST_WHY])[1:-1]
