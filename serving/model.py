"""One version in memory: ONNX only, its digest checked, its golden rows answered as in training."""

from dataclasses import dataclass
from threading import Timer

import numpy as np
import numpy.typing as npt
import onnxruntime

from delivery.clock import utc_stamp
from delivery.errors import Broken, DigestMismatch, SmokeFailed
from delivery.manifest import Labels, Manifest, Rows
from delivery.smoke import compare
from delivery.store import Store


@dataclass(frozen=True)
class Answers:
    """Labels, shape (n,), and probabilities, shape (n, classes), of n rows."""

    labels: Labels
    probabilities: npt.NDArray[np.float32]

    def confidence(self) -> npt.NDArray[np.float32]:
        """Return the probability of each row's label, shape (n,)."""
        return np.asarray(self.probabilities.max(axis=1))


@dataclass(frozen=True)
class LoadedModel:
    """A version that answers. Safe to use from several threads at once."""

    model: str
    version: int
    manifest: Manifest
    session: onnxruntime.InferenceSession
    loaded_at_utc: str

    @property
    def key(self) -> tuple[int, str]:
        """What makes two loaded models the same: version and digest."""
        return self.version, self.manifest.sha256

    def predict(self, rows: Rows, options: onnxruntime.RunOptions | None = None) -> Answers:
        """Return the answers for *rows*, shape (n, features); another thread may set `options.terminate`."""
        labels, probabilities = self.session.run(self.manifest.outputs, {self.manifest.input_name: rows}, options)
        return Answers(np.asarray(labels), np.asarray(probabilities))

    def self_test(self, timeout_s: float) -> None:
        """
        Answer the golden rows within *timeout_s*.

        Raises:
            SmokeFailed: Another answer than in training, or none in time.
        """
        options = onnxruntime.RunOptions()
        timer = Timer(timeout_s, lambda: setattr(options, "terminate", True))
        timer.start()
        try:
            answers = self.predict(np.asarray(self.manifest.golden.rows, dtype=np.float32), options)
        except Exception as error:
            msg = f"v{self.version} cannot infer its golden rows within {timeout_s:g} s: {error}"
            raise SmokeFailed(msg) from error
        finally:
            timer.cancel()
        compare(self.manifest.golden, answers.labels, answers.probabilities)


def load(store: Store, model: str, version: int, sha256: str | None, timeout_s: float) -> LoadedModel:
    """
    Load a version from the repository and let it prove itself on its golden rows.

    Raises:
        NotFound: It is not in the repository.
        DigestMismatch: The file is not *sha256* (if given) or not what its manifest says.
        Broken: onnxruntime refuses it, or its inputs and outputs are not the manifest's.
        SmokeFailed: It answers otherwise than in training.
    """
    manifest = store.manifest(model, version)
    found = store.digest(model, version)
    if found != manifest.sha256 or sha256 not in (None, found):
        msg = f"{model} v{version}: model.onnx is {str(found)[:12]}, expected {(sha256 or manifest.sha256)[:12]}"
        raise DigestMismatch(msg)
    session = _open(store, model, version)
    loaded = LoadedModel(model, version, manifest, session, utc_stamp())
    _check_signature(loaded)
    loaded.self_test(timeout_s)
    return loaded


def _open(store: Store, model: str, version: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = str(store.paths(model).onnx(version))
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises eleven classes without a common base
        msg = f"{model} v{version} does not load: {error}"
        raise Broken(msg) from error


def _check_signature(loaded: LoadedModel) -> None:
    inputs = [node.name for node in loaded.session.get_inputs()]
    outputs = {node.name for node in loaded.session.get_outputs()}
    if inputs != [loaded.manifest.input_name] or not set(loaded.manifest.outputs) <= outputs:
        msg = (
            f"{loaded.model} v{loaded.version} takes {inputs} and gives {sorted(outputs)}; its manifest says "
            f"{loaded.manifest.input_name} and {loaded.manifest.outputs}"
        )
        raise Broken(msg)
