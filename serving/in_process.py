"""Versions computed in this process: ONNX only, the digest checked, one thread each."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Timer

import numpy as np
import onnxruntime
from anyio import to_thread

from delivery.clock import utc_stamp
from delivery.errors import Broken, Damaged, SmokeFailed
from delivery.manifest import Manifest, Rows
from delivery.records import Current, Variant
from delivery.smoke import compare
from delivery.store import Store
from serving.model import Answers, Model, ModelFailed, TooSlow


@dataclass(frozen=True)
class OnnxModel(Model):
    """A version in memory."""

    session: onnxruntime.InferenceSession = field(repr=False)

    async def answer(self, rows: Rows, timeout_s: float) -> Answers:
        """Compute in a thread; a model that hangs is told to stop."""
        options = onnxruntime.RunOptions()
        try:
            async with asyncio.timeout(timeout_s):
                return await to_thread.run_sync(partial(self.compute, rows, options), abandon_on_cancel=True)
        except TimeoutError as error:
            options.terminate = True
            raise TooSlow from error
        except Exception as error:  # onnxruntime raises eleven classes without a common base
            raise ModelFailed from error

    def self_test(self, timeout_s: float) -> None:
        """Compute the golden rows here."""
        try:
            with stopping_after(timeout_s) as options:
                answers = self.compute(self.manifest.golden.tensor, options)
        except Exception as error:
            msg = f"v{self.version} cannot infer its golden rows within {timeout_s:g} s: {error}"
            raise SmokeFailed(msg) from error
        compare(self.manifest.golden, answers.labels, answers.probabilities)

    def compute(self, rows: Rows, options: onnxruntime.RunOptions) -> Answers:
        """Return the answers for *rows*, shape (n, features); another thread may set `options.terminate`."""
        labels, probabilities = self.session.run(self.manifest.outputs, {self.manifest.input_name: rows}, options)
        return Answers(np.asarray(labels), np.asarray(probabilities))


@contextmanager
def stopping_after(timeout_s: float) -> Iterator[onnxruntime.RunOptions]:
    """Yield options by which whatever computes is told to stop when *timeout_s* have passed."""
    options = onnxruntime.RunOptions()
    timer = Timer(timeout_s, lambda: setattr(options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        yield options
    finally:
        timer.cancel()


class OnnxSource:
    """Loads versions of *model* from the repository."""

    def __init__(self, store: Store, model: str) -> None:
        """Nothing is loaded before it is asked for."""
        self._store = store
        self._model = model

    def staged(self, version: int, sha256: str | None) -> OnnxModel:
        """Load it beside what is live."""
        manifest = checked_manifest(self._store, self._model, version, sha256)
        session = self._open(version, manifest)
        return OnnxModel(self._model, version, manifest, utc_stamp(), session)

    def live(self, alias: str, variant: Variant, current: Current, found: Model | None) -> Model:
        """Take the one in memory, or load it."""
        del alias, current
        return found or self.staged(variant.active_version, variant.sha256)

    async def close(self) -> None:
        """There are no connections."""

    def _open(self, version: int, manifest: Manifest) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = str(self._store.paths(self._model).onnx(version))
        try:
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises eleven classes without a common base
            msg = f"{self._model} v{version} does not load: {error}"
            raise Broken(msg) from error
        inputs = [node.name for node in session.get_inputs()]
        outputs = {node.name for node in session.get_outputs()}
        if inputs != [manifest.input_name] or not set(manifest.outputs) <= outputs:
            msg = f"{self._model} v{version} takes {inputs} and gives {sorted(outputs)}, not {manifest.contract}"
            raise Broken(msg)
        return session


def checked_manifest(store: Store, model: str, version: int, sha256: str | None) -> Manifest:
    """
    Return the manifest of a version whose file is what the manifest, and *sha256* if given, say.

    Raises:
        NotFound: It is not in the repository.
        Damaged: The file is something else.
    """
    manifest, found = store.manifest(model, version), store.digest(model, version)
    if found != manifest.sha256 or sha256 not in (None, found):
        msg = f"{model} v{version}: model.onnx is {str(found)[:12]}, expected {(sha256 or manifest.sha256)[:12]}"
        raise Damaged(msg)
    return manifest
