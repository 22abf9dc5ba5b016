"""The fakes over a wire that breaks, on a disk that breaks, without threads."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Self
from unittest.mock import patch

from inject.fuse import Fuse, FuseBox, Fused
from world.fakes import World, engine_of

from interlock.store import durable as files
from interlock.store import versions, writer


class OneAfterTheOther:
    """Instead of threads: the same calls in the same order at every run."""

    def __init__(self, _most: int) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, ask: Callable, replicas: Iterable) -> list:
        answers = [_answer(ask, replica) for replica in replicas]
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers


def _answer(ask: Callable, replica: object) -> object:
    try:
        return ask(replica)
    except BaseException as error:  # noqa: BLE001 - raised when everybody was asked, as a pool does
        return error


@dataclass
class WiredWorld(World):
    """The world over a wire that breaks."""

    wire: FuseBox = field(default_factory=lambda: FuseBox(Fuse()))

    @property
    def engine(self):
        return engine_of([self.wire.over_the_wire(replica) for replica in self.replicas])

    def engine_for(self, ref):
        return self.engine


@contextmanager
def wired(box: FuseBox) -> Iterator[None]:
    """Let every system call of the store go through *box*."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(files, "os", Fused(files.os, box)))
        for module in (versions, writer):
            stack.enter_context(patch.object(module, "shutil", Fused(module.shutil, box, ("rmtree",))))
        stack.enter_context(patch("interlock.release.engine.ThreadPoolExecutor", OneAfterTheOther))
        stack.enter_context(patch("interlock.release.open.STOP_WAIT_S", 0.0))
        yield
