"""
What a model that somebody else logged says of itself: its flavour, its files, its columns and example rows.

Reads MLflow's `MLmodel` and Parquet or JSON files; nothing is loaded that could run code.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from interlock.errors import InvalidTraining, NotFound, Refused

MLMODEL = "MLmodel"
FLAVOURS = ("onnx", "sklearn", "xgboost", "lightgbm", "catboost")
"""Those that can be adopted, in the order in which one is chosen."""
DATA_FILES = {"xgboost": "data", "catboost": "data", "lightgbm": "data", "onnx": "data", "sklearn": "pickled_model"}
"""The key of a flavour that names its file."""
MOST_ROWS = 100_000
PICKLES = (".pkl", ".pickle", ".joblib", ".cloudpickle")


@dataclass(frozen=True)
class Described:
    """
    A model in a folder.

    Args:
        flavour: One of FLAVOURS.
        file: What the flavour loads.
        model_class: The class that it says it is of, such as `CatBoostRegressor`; empty if it does not say.
        columns: Names of what it takes, by its signature; empty without one.
        example: Rows to try it with, if any were logged.
    """

    flavour: str
    file: Path
    model_class: str = ""
    columns: list[str] = field(default_factory=list)
    example: pd.DataFrame | None = None

    @property
    def is_pickle(self) -> bool:
        """Whether loading it runs whatever code its maker put into it."""
        return self.file.suffix in PICKLES


def described(folder: Path) -> Described:
    """
    Return what the files in *folder* say.

    Raises:
        NotFound: There is neither an MLmodel nor an ONNX file.
        Refused: It is of no flavour that can be adopted.
    """
    if not (folder / MLMODEL).is_file():
        onnx = sorted(folder.glob("*.onnx"))
        if len(onnx) == 1:
            return Described("onnx", onnx[0])
        found = ", ".join(sorted(path.name for path in folder.iterdir()))
        msg = f"there is neither an {MLMODEL} nor one .onnx file, but {found}"
        raise NotFound(msg)
    said = _yaml(folder / MLMODEL)
    known = said.get("flavors") or {}
    flavour = next((name for name in FLAVOURS if name in known), None)
    if flavour is None:
        msg = f"it is of the flavours {', '.join(sorted(known)) or 'none'}; {', '.join(FLAVOURS)} can be adopted"
        raise Refused(msg)
    name = known[flavour].get(DATA_FILES[flavour])
    file = folder / str(name)
    if not name or folder.resolve() not in file.resolve().parents or not file.is_file():
        msg = f"its {MLMODEL} names the file {name!r}, which is not there"
        raise NotFound(msg)
    kind = str(known[flavour].get("model_class") or known[flavour].get("model_type") or "")
    return Described(flavour, file, kind.rpartition(".")[2], _columns(said), _example(folder, said))


def sample_of(parquet: Path) -> pd.DataFrame:
    """
    Return the rows of a Parquet file, 100,000 at most.

    Raises:
        NotFound: There is no such file.
        InvalidTraining: It is no Parquet file, or has no rows.
    """
    if not parquet.is_file():
        msg = f"there is no file {parquet}"
        raise NotFound(msg)
    try:
        rows = pd.read_parquet(parquet).head(MOST_ROWS)
    except Exception as error:
        msg = f"{parquet} cannot be read: it is cut short, damaged, or no Parquet file"
        raise InvalidTraining(msg) from error
    if not len(rows):
        msg = f"{parquet} has no rows"
        raise InvalidTraining(msg)
    return rows


def _yaml(path: Path) -> dict[str, Any]:
    try:
        said = yaml.safe_load(path.read_text())
    except (ValueError, yaml.YAMLError) as error:
        msg = f"its {MLMODEL} is no YAML"
        raise Refused(msg) from error
    if not isinstance(said, dict):
        msg = f"its {MLMODEL} is none"
        raise Refused(msg)
    return said


def _columns(said: dict[str, Any]) -> list[str]:
    inputs = (said.get("signature") or {}).get("inputs")
    try:
        return [str(one["name"]) for one in json.loads(inputs or "[]") if "name" in one]
    except (TypeError, ValueError):
        return []


def _example(folder: Path, said: dict[str, Any]) -> pd.DataFrame | None:
    """Return the rows of an input example, as MLflow writes data frames and arrays; None if there is none."""
    name = (said.get("saved_input_example_info") or {}).get("artifact_path")
    path = folder / str(name)
    if not name or folder.resolve() not in path.resolve().parents or not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
        if isinstance(content, dict) and "columns" in content:
            return pd.DataFrame(content["data"], columns=content["columns"])
        rows = content.get("inputs", content) if isinstance(content, dict) else content
        array = np.asarray(rows)
    except (TypeError, ValueError, KeyError):
        return None
    if array.ndim != 2:  # noqa: PLR2004 - rows of columns
        return None
    return pd.DataFrame(array, columns=[f"x{place}" for place in range(array.shape[1])])
