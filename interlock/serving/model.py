"""
One version that answers, wherever it is computed.

    OnnxModel      in this process, by onnxruntime     (interlock/serving/in_process.py)
    TritonModel    by Triton, pinned to its version    (interlock/serving/in_triton.py)
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

from interlock.model.answers import Answers
from interlock.model.manifest import Manifest
from interlock.model.rows import Tensors
from interlock.records import Current, Variant


class ModelFailed(Exception):
    """The model could not compute an answer."""


class NotInTime(Exception):
    """The model gave no answer in time."""


class VersionGone(Exception):
    """Whoever computes does not have this version any more: the decision has moved on."""


@dataclass(frozen=True)
class Model(ABC):
    """
    A version that answers. Safe to use from several requests at once.

    Args:
        stays_proven: Whether one that passed its golden rows needs no second look: it is in this process's memory.
    """

    stays_proven: ClassVar[bool] = False

    name: str
    version: int
    manifest: Manifest
    loaded_at_utc: str

    @property
    def key(self) -> tuple[int, str]:
        """What makes two of them the same: version and digest."""
        return self.version, self.manifest.sha256

    @abstractmethod
    async def answer(self, rows: Tensors, timeout_s: float) -> Answers:
        """
        Return the answers for n rows.

        Raises:
            ModelFailed: It could not compute an answer.
            NotInTime: It gave none within *timeout_s*.
            VersionGone: Whoever computes does not have the version any more.
        """

    @abstractmethod
    def self_test(self, timeout_s: float) -> None:
        """
        Answer the golden rows within *timeout_s*.

        Raises:
            SmokeFailed: Another answer than in training.
            TooSlow: None in time.
            Refused: It cannot compute any.
            Unreachable: Whoever computes does not answer, or does not have the version yet.
        """


class Source(Protocol):
    """
    Where versions come from. Asked from a thread.

    Both raise NotFound for a version that is not in the repository, Damaged for other bytes than decided, and
    Refused for a file that this app cannot load, or has no room for.
    """

    def staged(self, version: int, sha256: str | None) -> Model:
        """Return the candidate, exposed to nobody."""

    def live(self, alias: str, variant: Variant, current: Current, found: Model | None) -> Model:
        """Return what answers by the decision; *found* is the same version, if it is in memory already."""

    async def close(self) -> None:
        """Let go of connections."""
