"""
The table of docs/models.md: every classifier and regressor of scikit-learn that can be built with its defaults, tried.

    make models      write it anew
"""

import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder
from sklearn.utils import all_estimators
from world.kinds import trained_on

from interlock.errors import InvalidTraining, NotConvertible, ParityFailed
from interlock.training.dataset import Dataset
from interlock.training.refusals import OWN

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
BEGIN, END = "<!-- table: made by tests/docs/models_table.py -->\n", "<!-- end of the table -->\n"
WORKS = "yes"


def numbers(kind: str) -> Dataset:
    """Small numeric data: 150 flowers of three species, or 442 patients."""
    if kind == "classifier":
        x, y = load_iris(return_X_y=True, as_frame=True)
        return Dataset.of(x, y, class_names=["setosa", "versicolor", "virginica"])
    x, y = load_diabetes(return_X_y=True, as_frame=True)
    return Dataset.of(x, y, task="regression")


def mixed(kind: str) -> Dataset:
    """300 people: numbers and texts, one in ten missing."""
    random = np.random.default_rng(7)
    age, income = random.integers(18, 90, 300).astype(float), random.normal(40_000, 9_000, 300)
    city, job = random.choice(["bern", "oslo", "rome"], 300), random.choice(["cook", "smith"], 300)
    spend = 20 + age * 0.7 + income / 1_000 + 15 * (city == "oslo") + random.normal(0, 3, 300)
    income[random.random(300) < 0.1] = np.nan
    frame = pd.DataFrame(
        {"age": age, "income": income, "city": city, "job": np.where(random.random(300) < 0.1, None, job)}
    )
    if kind == "classifier":
        return Dataset.of(frame, np.where(spend > np.median(spend), "much", "little"))
    return Dataset.of(frame, spend, task="regression")


def prepared(estimator: BaseEstimator) -> BaseEstimator:
    """What people put before an estimator that takes no texts and no missing cells."""
    texts = make_pipeline(
        SimpleImputer(missing_values="", strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    return make_pipeline(
        ColumnTransformer(
            [
                ("numbers", make_pipeline(SimpleImputer(), MinMaxScaler()), ["age", "income"]),
                ("texts", texts, ["city", "job"]),
            ]
        ),
        estimator,
    )


def verdict(data: Dataset, model: BaseEstimator) -> str:
    """Return `yes`, or the sentence that refuses it; any other error goes on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            trained_on(data, model)
        except ParityFailed:
            return "no: its ONNX answers otherwise than the fitted model"
        except NotConvertible as error:
            return f"no: {error}"
        except InvalidTraining as error:
            return f"not for such data: {error}"
    return WORKS  # on every edge row: training demands it


def built(kind: str) -> dict[str, Any]:
    """Return the estimators of a kind that can be built without an argument, by name."""
    found = {}
    for name, estimator in all_estimators(type_filter=kind):
        with warnings.catch_warnings(), suppress(TypeError):
            warnings.simplefilter("ignore")
            found[name] = estimator()
    return found


@cache
def verdicts(kind: str) -> dict[str, tuple[str, str]]:
    """Return for each estimator of a kind what it is said on numbers, and on mixed data."""
    plain, people = numbers(kind), mixed(kind)
    found = {}
    for name, estimator in built(kind).items():
        found[name] = (verdict(plain, estimator), verdict(people, prepared(built(kind)[name])))
    return found


def table() -> str:
    lines = []
    for kind, title in (("classifier", "Classifiers"), ("regressor", "Regressors")):
        found = verdicts(kind)
        works = [name for name, said in found.items() if said == (WORKS, WORKS)]
        lines += [f"**{title}**: {len(works)} of {len(found)} work on both kinds of data, with the same answers on", ""]
        lines[-2] += f" every edge row: {', '.join(works)}."
        lines += ["| the others | numbers | numbers, texts and missing cells |", "|---|---|---|"]
        lines += [f"| `{name}` | {_cell(a)} | {_cell(b)} |" for name, (a, b) in found.items() if name not in works]
        lines.append("")
    return "\n".join(lines)


def _cell(said: str) -> str:
    """Return a verdict without what every refusal ends with."""
    return said.removesuffix(f"; use another step, {OWN}").replace("|", "\\|")


def write() -> None:
    text = PAGE.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}{table()}{END}{after}")


if __name__ == "__main__":
    write()
