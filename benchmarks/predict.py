"""
`POST /predict` beside the bare onnxruntime session of the same model, one thread each.

    all floats   iris: one row and 64 rows a request, lists of numbers
    mixed        30 columns: numbers, flags and texts, some of them missing; 64 rows a request, by name and as lists

The app and its client are processes of their own; each figure is the median of several turns, which take turns.
"""

import http.client
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import onnxruntime
import pandas as pd
from pydantic import BaseModel
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from benchmarks.logging_app import TOKEN, logging_app
from benchmarks.place import table
from benchmarks.shelf import Shelf
from interlock.adapters.serving.engine import serving_engine
from interlock.model.rows import encode_rows
from interlock.model.session import opened
from interlock.records import SERVING_API, EngineRef, Run
from interlock.release.environment import Environment
from interlock.release.open import released
from interlock.release.steps import carry_out
from interlock.store import Store
from interlock.training.dataset import Dataset, cells_of
from interlock.training.learner import Learner
from interlock.training.train import Trained, train
from learners.iris import Iris

TURNS = 7
REQUESTS = 150
ROWS = 64
NUMBERS, FLAGS, TEXTS = 16, 4, 10
SHARE = 0.1


class Mixed(Learner):
    """Gradient boosting behind encoders: what people do with a table of 30 columns."""

    class Params(BaseModel):
        """No parameters."""

    def data(self) -> Dataset:
        """Return 4,000 rows."""
        random = np.random.default_rng(0)
        numbers = {f"number_{n}": random.normal(size=4000) for n in range(NUMBERS)}
        flags = {f"flag_{n}": random.random(4000) < SHARE for n in range(FLAGS)}
        texts = {f"text_{n}": random.choice([f"value {k}" for k in range(12)], 4000) for n in range(TEXTS)}
        frame = pd.DataFrame({**numbers, **flags, **texts})
        frame.loc[random.random(4000) < SHARE, "number_0"] = np.nan
        score = frame["number_1"] + frame["flag_0"] + (frame["text_0"] == "value 3")
        return Dataset.of(frame.assign(answer=np.where(score > score.median(), "yes", "no")), "answer")

    def pipeline(self, params: object) -> BaseEstimator:
        """Return imputer, encoder and trees."""
        del params
        numbers = [f"number_{n}" for n in range(NUMBERS)] + [f"flag_{n}" for n in range(FLAGS)]
        encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        prepare = ColumnTransformer(
            [("numbers", SimpleImputer(), numbers), ("texts", encode, [f"text_{n}" for n in range(TEXTS)])]
        )
        return make_pipeline(prepare, HistGradientBoostingClassifier(max_iter=100, random_state=0))


def release(home: Path, url: str, trained: Trained) -> None:
    """Make it live on the app at *url*."""
    shelf, engine = Shelf(), serving_engine(EngineRef(kind=SERVING_API, name="dev", urls=(url,)), TOKEN)
    env = Environment(Store(home / "repository"), shelf, lambda _: engine, Run(who="bench"))
    candidate = shelf.put(1, trained.onnx, trained.manifest("benchmark"))
    with released(env, candidate, [engine]) as made:
        carry_out(made)


def bare(trained: Trained, rows: list[Any]) -> Callable[[], None]:
    """Return what asks the session alone."""
    session: onnxruntime.InferenceSession = opened(trained.onnx)
    feeds = encode_rows(rows, trained.signature).arrays
    names = trained.signature.output_names
    return lambda: session.run(names, feeds) and None


def asked(url: str, rows: list[Any]) -> Callable[[], None]:
    """Return what asks the app, on one connection."""
    connection, body = http.client.HTTPConnection(urlsplit(url).netloc), json.dumps({"rows": rows}).encode()

    def ask() -> None:
        connection.request("POST", "/predict", body)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(answer.status)

    return ask


def milliseconds(what: Callable[[], None]) -> float:
    """Return the median of REQUESTS calls."""
    times = []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        what()
        times.append((time.perf_counter() - started) * 1000)
    return median(times)


def measure(name: str, trained: Trained, shapes: dict[str, list[Any]], goal: str) -> list[tuple[str, str, str]]:
    """Ask the app and the session in turns."""
    lines = []
    with tempfile.TemporaryDirectory() as folder, logging_app(Path(folder), None) as app:
        release(Path(folder), app.url, trained)
        for shape, rows in shapes.items():
            session, http_app = bare(trained, rows), asked(app.url, rows)
            taken = [(milliseconds(session), milliseconds(http_app)) for _ in range(TURNS)]
            alone, whole = median(one for one, _ in taken), median(one for _, one in taken)
            lines.append((f"{name}, {shape}: session alone", f"{alone:.3f} ms", ""))
            lines.append((f"{name}, {shape}: POST /predict", f"{whole:.3f} ms", ""))
            lines.append(("  throughput of the session", f"{alone / whole:.0%}", goal if len(rows) == ROWS else ""))
    return lines


def main() -> None:
    """Measure both."""
    iris = train("iris", Iris(), Iris.Params())
    flowers = cells_of(iris.held_out.frame, iris.signature.columns)
    many = [flowers[place % len(flowers)] for place in range(ROWS)]
    mixed = train("mixed", Mixed(), Mixed.Params())
    lists = cells_of(mixed.held_out.frame.iloc[:ROWS], mixed.signature.columns)
    names = [column.name for column in mixed.signature.columns]
    records = [dict(zip(names, row, strict=True)) for row in lists]
    lines = measure("all floats", iris, {"one row": flowers[:1], f"{ROWS} rows": many}, "")
    lines += measure("30 mixed columns", mixed, {f"{ROWS} rows by name": records, f"{ROWS} lists": lists}, "50 %")
    table("POST /predict", lines)


if __name__ == "__main__":
    main()
