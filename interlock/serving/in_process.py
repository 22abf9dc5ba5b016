"""
Versions computed in this process: ONNX only, the digest checked, one thread each.

The bytes that are hashed are the bytes that are loaded, and there has to be room for them. What this process cannot
load or compute is refused and condemns nothing: it may as well be short of memory. Other answers than in training do.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Timer
from typing import ClassVar

import onnxruntime
from anyio import CapacityLimiter

from interlock.clock import utc_stamp
from interlock.errors import Refused, TooSlow
from interlock.model.answers import Answers
from interlock.model.golden import compare
from interlock.model.manifest import Manifest
from interlock.model.rows import Tensors, encode_rows
from interlock.model.session import NotOpened, opened
from interlock.model.trial import Limits
from interlock.records import Current, Variant
from interlock.serving.job import Job
from interlock.serving.memory import Room, bound_onnxruntime
from interlock.serving.model import Model, ModelFailed, NotInTime
from interlock.serving.version_files import checked_manifest, needed_memory
from interlock.store import Store


@dataclass(frozen=True)
class OnnxModel(Model):
    """A version in memory."""

    stays_proven: ClassVar[bool] = True

    session: onnxruntime.InferenceSession = field(repr=False)
    turns: CapacityLimiter = field(repr=False)

    async def answer(self, rows: Tensors, timeout_s: float) -> Answers:
        """Compute in a thread; a model that hangs is told to stop, and left behind."""
        options = run_options()
        try:
            async with asyncio.timeout(timeout_s):
                return await self._in_turn(rows, options)
        except TimeoutError as error:
            options.terminate = True
            raise NotInTime from error
        except Exception as error:  # onnxruntime raises eleven classes without a common base
            raise ModelFailed from error

    async def _in_turn(self, rows: Tensors, options: onnxruntime.RunOptions) -> Answers:
        """Compute when it is its turn, which is over when nothing computes any more, whoever went away before."""
        turn = object()
        await self.turns.acquire_on_behalf_of(turn)
        job = Job(partial(self.compute, rows, options))
        job.when_ended(lambda: self.turns.release_on_behalf_of(turn))
        return await job.result()

    def self_test(self, timeout_s: float) -> None:
        """Compute the golden rows here."""
        with stopping_after(timeout_s) as options:
            try:
                rows = encode_rows(self.manifest.golden.rows, self.manifest.signature)
                answers = self.compute(rows, options)
            except Exception as error:
                msg = f"v{self.version} cannot infer its golden rows within {timeout_s:g} s: {error}"
                raise (TooSlow if options.terminate else Refused)(msg) from error
        compare(self.manifest.golden, answers)

    def compute(self, rows: Tensors, options: onnxruntime.RunOptions) -> Answers:
        """Return the answers for n rows; another thread may set `options.terminate`."""
        signature = self.manifest.signature
        return Answers.of(signature, self.session.run(signature.output_names, rows.arrays, options))


def run_options() -> onnxruntime.RunOptions:
    """Return options by which a computation gives back all memory that it took: else its peak would stay."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


@contextmanager
def stopping_after(timeout_s: float) -> Iterator[onnxruntime.RunOptions]:
    """Yield options by which whatever computes is told to stop when *timeout_s* have passed."""
    options = run_options()
    timer = Timer(timeout_s, lambda: setattr(options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        yield options
    finally:
        timer.cancel()


class OnnxSource:
    """
    Loads versions of *model* from the repository.

    Args:
        room: The memory for them; what this process may still take if None.
    """

    def __init__(self, store: Store, model: str, room: Room | None = None) -> None:
        """Nothing is loaded before it is asked for."""
        bound_onnxruntime()
        self._store = store
        self._model = model
        self._room = room or Room()

    def staged(self, version: int, sha256: str | None) -> OnnxModel:
        """Load it beside what is live, if there is room."""
        manifest = checked_manifest(self._store, self._model, version, sha256)
        content = self._store.onnx(self._model, version, manifest.sha256, Limits().size_bytes)
        need = needed_memory(self._store, self._model, version, manifest.sha256, len(content))
        load = partial(self._open, version, manifest, content)
        session, turns = self._room.load(f"{self._model} v{version}", need, load)
        return OnnxModel(self._model, version, manifest, utc_stamp(), session, CapacityLimiter(turns))

    def live(self, alias: str, variant: Variant, current: Current, found: Model | None) -> Model:
        """Take the one in memory, or load it."""
        del alias, current
        return found or self.staged(variant.active_version, variant.sha256)

    async def close(self) -> None:
        """There are no connections."""

    def _open(self, version: int, manifest: Manifest, content: bytes) -> onnxruntime.InferenceSession:
        try:
            session = opened(content, shared_memory=True)
        except NotOpened as error:
            msg = f"{self._model} v{version} does not load: {error}"
            raise Refused(msg) from error
        inputs = {node.name for node in session.get_inputs()}
        outputs = {node.name for node in session.get_outputs()}
        wanted, given = {one.name for one in manifest.signature.inputs}, set(manifest.signature.output_names)
        if inputs != wanted or not given <= outputs:
            msg = (
                f"{self._model} v{version} takes {sorted(inputs)} and gives {sorted(outputs)}, "
                f"not {sorted(wanted)} and {sorted(given)} as its manifest says"
            )
            raise Refused(msg)
        return session
