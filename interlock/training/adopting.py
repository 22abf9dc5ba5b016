"""
Make a release of a model that somebody else trained: ONNX, signature and golden rows, proven against the original.

It is loaded in a child process, which has a deadline and none of the project's secrets in its environment. ONNX, skops
and the formats of XGBoost and CatBoost hold no code; a pickle does, and needs *trust*.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from interlock.clock import utc_stamp
from interlock.errors import InvalidTraining, NotConvertible, NotInstalled, ParityFailed, Refused
from interlock.model.manifest import MANIFEST_BYTES, Golden, Manifest
from interlock.model.signature import Signature, Task
from interlock.model.trial import Limits
from interlock.training.foreign import ANSWER, MADE, REQUEST, Request
from interlock.training.original import Described

LONGEST_S = 60.0
SAMPLE = "sample.parquet"
LONGEST_WHY = 2000
TOLD = {kind.__name__: kind for kind in (InvalidTraining, NotConvertible, NotInstalled, ParityFailed, Refused)}
"""The errors that the child may tell, by their names."""
BOOT = "import sys; sys.path[:0] = sys.argv[2:]; import interlock.training.foreign as f; f.main(f.Path(sys.argv[1]))"
ROOT = Path(__file__).parents[2]
KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "TMPDIR")
"""All that the child has of the environment."""
PICKLE = (
    "is a pickle: loading it runs whatever code its maker put into it. If you know who made it, trust=true loads it in "
    "a process of its own, without the secrets of this one; else log the model again as ONNX, or as skops"
)


class _Made(BaseModel):
    model_config = ConfigDict(extra="forbid")

    signature: Signature
    golden: Golden
    metrics: dict[str, float]


class _Failed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    error: str
    message: str


@dataclass(frozen=True)
class Adopted:
    """What was made of a model."""

    onnx: bytes
    signature: Signature
    golden: Golden
    metrics: dict[str, float]
    adopted_at_utc: str

    @property
    def sha256(self) -> str:
        """The digest of the ONNX, which is what a release releases."""
        return sha256(self.onnx).hexdigest()

    def manifest(self, run_id: str, lineage: dict[str, str]) -> Manifest:
        """Return the passport of the model as logged by the MLflow run *run_id*; *lineage* says where it comes from."""
        return Manifest(
            run_id=run_id,
            learner="adopted",
            params=dict(lineage),
            trained_at_utc=self.adopted_at_utc,
            sha256=self.sha256,
            size=len(self.onnx),
            signature=self.signature,
            metrics=self.metrics,
            golden=self.golden,
        )


def adopted(
    model: Described,
    sample: pd.DataFrame | None,
    *,
    task: Task | None = None,
    class_names: Sequence[str] | None = None,
    trust: bool = False,
) -> Adopted:
    """
    Return what a release needs of *model*.

    Args:
        model: Its files, which stay where they are.
        sample: Rows that it takes; without them, those that were logged with it.
        task: What an ONNX answers, where its outputs do not say it.
        class_names: Names of its classes, by label.
        trust: Load it also if it is a pickle, or holds types that nobody knows.

    Raises:
        Refused: It is a pickle, and nobody trusts it.
        InvalidTraining: There is no sample, or it does not fit the model.
        NotConvertible: No ONNX that says the same can be made of it.
    """
    rows = model.example if sample is None else sample
    if rows is None or not len(rows):
        msg = "no rows were logged with the model; name a Parquet file of rows that it takes: sample=rows.parquet"
        raise InvalidTraining(msg)
    rows = _fitting(rows, model.columns)
    if model.is_pickle and not trust:
        msg = f"{model.file.name} {PICKLE}"
        raise Refused(msg)
    with TemporaryDirectory(prefix="interlock-adopt-") as name:
        folder = Path(name)
        rows.to_parquet(folder / SAMPLE)
        asked = Request(
            flavour=model.flavour,
            file=str(model.file.resolve()),
            model_class=model.model_class,
            sample=str(folder / SAMPLE),
            task=task,
            class_names=None if class_names is None else list(class_names),
            trust=trust,
        )
        (folder / REQUEST).write_text(json.dumps(asdict(asked)))
        _run(folder)
        return _read(folder)


def _fitting(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the columns that the model's signature names, in its order; all if it names none of them."""
    missing = [name for name in columns if name not in rows.columns]
    if columns and missing and len(missing) < len(columns):
        msg = f"the model takes the column {missing[0]}, which the sample does not have"
        raise InvalidTraining(msg)
    return rows if missing or not columns else rows[list(columns)]


def _run(folder: Path) -> None:
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {"HOME": str(folder)}
    command = [sys.executable, "-I", "-c", BOOT, str(folder), str(ROOT), *filter(None, sys.path)]
    try:
        done = subprocess.run(  # noqa: S603 - this very Python
            command, env=environment, cwd=folder, capture_output=True, timeout=LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        msg = f"loading and converting it took more than {LONGEST_S:g} s"
        raise NotConvertible(msg) from error
    if not (folder / ANSWER).is_file():
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["no word"])[-1][:300]
        msg = f"loading and converting it ended with {done.returncode}: {last}"
        raise NotConvertible(msg)


def _read(folder: Path) -> Adopted:
    """Return what the child answered. Raises the error that it told."""
    try:
        said = _bounded(folder / ANSWER, MANIFEST_BYTES)
        answer = TypeAdapter(_Failed | _Made).validate_json(said)
        if isinstance(answer, _Failed):
            raise TOLD.get(answer.error, NotConvertible)(answer.message[:LONGEST_WHY])
        onnx = _bounded(folder / MADE, Limits().size_bytes)
    except (OSError, ValidationError) as error:
        msg = "loading and converting it left no answer that can be read"
        raise NotConvertible(msg) from error
    return Adopted(onnx, answer.signature, answer.golden, answer.metrics, utc_stamp())


def _bounded(path: Path, largest: int) -> bytes:
    """Return the bytes of a file that the child wrote, which may be anything."""
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        msg = f"loading and converting it left a {path.name} of more than {largest} bytes"
        raise NotConvertible(msg)
    return content
