"""
What is said between the releasing process and the child of a trial, as JSON.

    question   one object on the child's standard input
    steps      a line {"step": ...} as each begins, so that a death has a place
    end        one last line {"end": ..., ...}; a child without one has died

Inside the child an end is an exception of its own kind, which carries its `End`; nobody reads a text again.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Self


class Step(StrEnum):
    """What the child does with the candidate. Before the first of these lines it has not touched a byte of it."""

    READ = "reading it"
    EXAMINE = "examining what it contains"
    LOAD = "loading it"
    ANSWER = "answering rows"


class End(StrEnum):
    """How the child says that it came to its end."""

    ANSWERED = "answered"
    """It computed everything; or single rows only, because these are over the latency budget."""
    FORBIDDEN = "forbidden"
    """The file contains what no candidate may contain."""
    FAILED = "failed"
    """onnxruntime could not open or compute it, or the memory did not suffice."""
    MISSHAPEN = "misshapen"
    """Its answers have another shape or type than the manifest says."""
    CHANGED = "changed"
    """The bytes are not those of the digest."""
    UNREADABLE = "unreadable"
    """There is no regular file, or the disk does not let it be read."""
    UNFIT = "unfit"
    """The trial itself did not work; nothing is said about the candidate."""


class Verdict(Exception):
    """Why the child goes no further; the message is for people."""

    end: ClassVar[End]


class Forbidden(Verdict):
    """The file contains what no candidate may contain."""

    end = End.FORBIDDEN


class Failed(Verdict):
    """onnxruntime could not open or compute it."""

    end = End.FAILED


class Misshapen(Verdict):
    """Its answers have another shape or type than the manifest says."""

    end = End.MISSHAPEN


class Changed(Verdict):
    """The bytes are not those of the digest."""

    end = End.CHANGED


class UnreadableFile(Verdict):
    """There is no regular file, or the disk does not let it be read."""

    end = End.UNREADABLE


@dataclass(frozen=True)
class Feed:
    """
    A tensor that the candidate takes.

    Args:
        dtype: As `interlock.model.signature.Dtype` says it: float32, float64, int64, bool or string.
        values: Of the golden rows, shape (n, columns); NaN, or the empty text, where a cell is missing.
    """

    name: str
    dtype: str
    values: list[list[Any]]


@dataclass(frozen=True)
class Given:
    """A tensor that the candidate gives: *width* is None for shape (n,), else the shape is (n, width)."""

    name: str
    dtype: str
    width: int | None


@dataclass(frozen=True)
class Question:
    """
    What the child needs to know.

    Args:
        parent: Process that waits for the answer; the child dies with it.
        path: The candidate's model.onnx.
        sha256: Its digest.
        size: Its size in bytes.
        memory_bytes: How far the child may grow after its imports.
        cpu_s: Processor time that it may take after its imports.
        max_size_bytes: Largest file.
        max_nodes: Most nodes, with every function call expanded.
        latency_budget_ms: Above it for the median single row, nothing more is asked.
        largest_request: Rows of the largest request that an engine takes.
        inputs: The tensors that it takes, with those of the golden rows.
        outputs: The tensors that it gives.
    """

    parent: int
    path: str
    sha256: str
    size: int
    memory_bytes: int
    cpu_s: int
    max_size_bytes: int
    max_nodes: int
    latency_budget_ms: float
    largest_request: int
    inputs: list[Feed]
    outputs: list[Given]

    @classmethod
    def read(cls, said: dict[str, Any]) -> Self:
        """Return the question from its JSON."""
        inputs, outputs = [Feed(**one) for one in said.pop("inputs")], [Given(**one) for one in said.pop("outputs")]
        return cls(**said, inputs=inputs, outputs=outputs)
