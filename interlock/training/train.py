"""Split, fit, measure, convert: from a learner and its parameters to a trained model with its proof."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel
from sklearn.base import BaseEstimator
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

from interlock.clock import utc_stamp
from interlock.errors import InvalidTraining
from interlock.model.manifest import MAX_BATCH, Golden, Manifest, Rows
from interlock.training.convert import INPUT, OUTPUTS, OnnxClassifier, check_edges, check_parity, convert
from interlock.training.edges import Edge, edges
from interlock.training.learner import Dataset, Learner

GOLDEN_ROWS = 32


@dataclass(frozen=True)
class Trained:
    """A fitted model, its ONNX, and what was measured on rows that it never saw."""

    learner: str
    params: dict[str, float | int | str | bool | None]
    fitted: BaseEstimator
    onnx: bytes
    held_out: Dataset
    metrics: dict[str, float]
    confusion: npt.NDArray[np.int64]
    golden: Golden
    trained_at_utc: str
    skops_trusted_types: list[str]

    @property
    def sha256(self) -> str:
        """The digest of the ONNX, which is what a release releases."""
        return sha256(self.onnx).hexdigest()

    def manifest(self, run_id: str) -> Manifest:
        """Return the passport of the model as trained by the MLflow run *run_id*."""
        return Manifest(
            run_id=run_id,
            learner=self.learner,
            trained_at_utc=self.trained_at_utc,
            sha256=self.sha256,
            size=len(self.onnx),
            input_name=INPUT,
            columns=self.held_out.features,
            outputs=OUTPUTS,
            class_names=self.held_out.class_names,
            params=self.params,
            metrics=self.metrics,
            golden=self.golden,
        )


def train(name: str, learner: Learner, params: BaseModel, data: Dataset | None = None) -> Trained:
    """
    Train *learner* with *params*, an instance of its `Params`, on *data* or on what it brings itself.

    Raises:
        InvalidTraining: The data cannot be trained on; the message names the column.
        ParityFailed: The ONNX says something else than scikit-learn, on held-out rows or at an edge of the data.
    """
    data = learner.data() if data is None else data
    check_data(data)
    seen, held_out = _split(data, learner)
    fitted = learner.pipeline(params)
    fitted.fit(seen.rows, seen.labels)
    onnx = convert(fitted, features=len(data.columns))
    classifier = OnnxClassifier(onnx)
    parity = check_parity(fitted, classifier, held_out.rows, learner.parity)
    at_edges = edges(data.rows, data.features)
    check_edges(fitted, classifier, at_edges, learner.parity)
    return Trained(
        learner=name,
        params=params.model_dump(mode="json"),
        fitted=fitted,
        onnx=onnx,
        held_out=held_out,
        metrics=measure(learner, classifier, held_out) | parity.as_metrics(),
        confusion=confusion_matrix(held_out.labels, classifier.predict(held_out.rows)[0]),
        golden=_golden(classifier, held_out.rows, at_edges),
        trained_at_utc=utc_stamp(),
        skops_trusted_types=learner.skops_trusted_types,
    )


def measure(learner: Learner, classifier: OnnxClassifier, held_out: Dataset) -> dict[str, float]:
    """Return the learner's metrics of what the ONNX answers on *held_out*."""
    predicted, probabilities = classifier.predict(held_out.rows)
    return learner.metrics(held_out.labels, predicted, probabilities)


def check_data(data: Dataset) -> None:
    """
    Refuse rows that cannot be trained on.

    Raises:
        InvalidTraining: Not float32 of the columns' number, not finite where it must be, all of a column is missing,
            or a class has fewer than two rows.
    """
    if data.rows.dtype != np.float32 or data.rows.ndim != 2 or data.rows.shape[1] != len(data.columns):  # noqa: PLR2004
        msg = f"rows are {data.rows.dtype} {data.rows.shape}, expected float32 (n, {len(data.columns)})"
        raise InvalidTraining(msg)
    _check_cells(data)
    rows_of = np.bincount(data.labels, minlength=len(data.class_names))
    short = [data.class_names[i] for i, n in enumerate(rows_of[: len(data.class_names)]) if n < 2]  # noqa: PLR2004
    if short or len(rows_of) > len(data.class_names):
        msg = f"every class needs two rows at least, and a name: {short or 'a label has no name'}"
        raise InvalidTraining(msg)


def _check_cells(data: Dataset) -> None:
    missing = np.isnan(data.rows)
    bad = ~np.isfinite(data.rows) & ~(missing & np.array([column.nullable for column in data.features]))
    if bad.any():
        counts = {data.features[i].name: int(n) for i, n in enumerate(bad.sum(axis=0)) if n}
        msg = f"cells that are missing or not finite: {counts}"
        raise InvalidTraining(msg)
    empty = [data.features[i].name for i in np.flatnonzero(missing.all(axis=0))]
    if empty:
        msg = f"columns without a single value: {', '.join(empty)}"
        raise InvalidTraining(msg)


def _split(data: Dataset, learner: Learner) -> tuple[Dataset, Dataset]:
    seen_rows, held_rows, seen_labels, held_labels = train_test_split(
        data.rows, data.labels, test_size=learner.test_share, random_state=learner.seed, stratify=data.labels
    )
    return (
        Dataset(seen_rows, seen_labels, data.columns, data.class_names),
        Dataset(held_rows, held_labels, data.columns, data.class_names),
    )


def _golden(classifier: OnnxClassifier, rows: Rows, at_edges: Sequence[Edge]) -> Golden:
    """Return rows spread over the held-out ones, and one of each of the first edges, with the answers of the ONNX."""
    spread = rows[np.linspace(0, len(rows) - 1, min(GOLDEN_ROWS, len(rows)), dtype=int)]
    chosen = np.concatenate([spread, *(edge.rows[:1] for edge in at_edges[: MAX_BATCH - len(spread)])])
    labels, probabilities = classifier.predict(chosen)
    cells = chosen.astype(object)
    cells[np.isnan(chosen)] = None
    return Golden(rows=cells.tolist(), labels=labels.tolist(), probabilities=probabilities.tolist())
