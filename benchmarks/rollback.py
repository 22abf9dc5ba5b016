"""
How long the way back takes, on two replicas of the serving app under requests: by the machine, and by hand.

    python -m benchmarks.rollback

By the machine: from a check that fails after the commit until the last answer by the failed version, on every replica;
with the registry alive and dead. By hand: the switch of a rollback, and from its commit to its confirmation; and the
whole of it from the CLI through the worker.
"""

import subprocess
import time
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from statistics import median

import httpx
import numpy as np

from benchmarks.place import load_apart, own_stack, serving_app, table
from benchmarks.swap import register, release
from interlock.adapters.mlflow.registry import MlflowRegistry
from interlock.environment import environment
from interlock.errors import Broken
from interlock.records import Candidate, Run
from interlock.release.environment import Environment
from interlock.release.open import released, rolled_back
from interlock.release.steps import carry_out
from interlock.settings import Settings
from interlock.stack.processes import BIN, ROOT, client_environment
from interlock.store import Store

ROUNDS = 100
RATE = 100
"""Requests a second to each replica."""
RUN = Run(who="benchmark")
DEAD = "http://127.0.0.1:9"
FROM_CLI = 10
LOOK_S = 0.05
"""Between two looks whether the version before answers: rarely, as looking takes from the same two cores."""
UNDER_WAY_S = 0.05
"""Answers that are under way when the way back is over."""


def second_replica(settings: Settings) -> AbstractContextManager[tuple[str, subprocess.Popen[bytes]]]:
    """Run another serving app over the same repository."""
    return serving_app(
        {
            "INTERLOCK_SERVING_NAME": settings.environment,
            "INTERLOCK_SERVING_REPOSITORY": str(settings.repository_root),
            "INTERLOCK_SERVING_TOKEN_FILE": str(settings.token_file),
        }
    )


def failing_release(env: Environment, candidate: Candidate) -> tuple[float, float]:
    """Fail a check after the commit; return when it failed, and when all of the way back was over."""
    failed = 0.0
    try:
        with released(env, candidate, [], force=True) as release:
            carry_out(release)
            failed = time.perf_counter()
            raise Broken("the check that fails")  # noqa: TRY301 - it stands for any check
    except Broken:
        time.sleep(UNDER_WAY_S)
        return failed, time.perf_counter()


def by_the_machine(env: Environment, candidate: Candidate, urls: list[str]) -> tuple[list[float], int]:
    """Fail 100 releases; return the milliseconds of each way back, and how many requests failed."""
    with ExitStack() as asking:
        tallies = [asking.enter_context(load_apart(url, rate=RATE, threads=2)) for url in urls]
        ways = [failing_release(env, candidate) for _ in range(ROUNDS)]
    wrong = sorted(at for tally in tallies for at, version in tally.answered if version == candidate.version)
    took = [max((at for at in wrong if begin <= at < end), default=begin) - begin for begin, end in ways]
    return [seconds * 1000 for seconds in took], sum(tally.failed for tally in tallies)


def by_hand(env: Environment, urls: list[str], pair: list[Candidate]) -> tuple[list[dict[str, float]], int]:
    """Go back and forth 100 times; return the milliseconds of each step, and how many requests failed."""
    took = list[dict[str, float]]()
    with ExitStack() as asking:
        tallies = [asking.enter_context(load_apart(url, rate=RATE, threads=2)) for url in urls]
        for number in range(ROUNDS):
            version = pair[number % 2].version
            with rolled_back(env, pair[0].model, "A", version, why="", force=True) as rollback:
                carry_out(rollback)
            took.append({check.step: check.ms for check in rollback.checks})
    return took, sum(tally.failed for tally in tallies)


def from_the_cli(
    settings: Settings, app: httpx.Client, store: Store, pair: list[Candidate]
) -> tuple[list[float], list[float]]:
    """Roll back through the worker; return the seconds until the version before answers, and until the command ends."""
    answers, ends = [], []
    for number in range(FROM_CLI):
        wanted = pair[number % 2].version
        if store.current("best_model").version_of("A") == wanted:
            wanted = pair[1 - number % 2].version
        command = [f"{BIN}/prefect", "deployment", "run", "manual-rollback/dev", "-p", f"version={wanted}"]
        started = time.perf_counter()
        with subprocess.Popen(
            [*command, "-p", "force=true", "--watch"],
            env=client_environment(settings),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as running:
            while app.get("/model-info").json()["version"] != wanted and running.poll() is None:
                time.sleep(LOOK_S)
            answers.append(time.perf_counter() - started)
        if running.returncode:
            raise SystemExit(f"{command} failed")
        ends.append(time.perf_counter() - started)
    return answers, ends


def main() -> None:
    """Measure all of it and print a table."""
    with own_stack() as settings, second_replica(settings) as (other, _):
        env, urls = environment(settings, "benchmark"), [settings.serving[0], other]
        first, second = (register(settings, c) for c in (1.0, 10.0))
        release(env, first, tuple(urls))
        alive, failed_alive = by_the_machine(env, second, urls)
        dead, failed_dead = by_the_machine(replace(env, registry=MlflowRegistry(DEAD)), second, urls)
        hand, failed_hand = by_hand(env, urls, [second, first])
        with httpx.Client(base_url=settings.serving[0]) as app:
            through, ended = from_the_cli(settings, app, env.store, [first, second])
    table(
        f"the way back, {ROUNDS} times each, 2 replicas",
        [
            _row("a failing check to the last answer by the failed version, registry alive", alive, "p99 < 100 ms"),
            _row("the same, registry dead", dead, "p99 < 100 ms"),
            _row("by hand: the switch, until every replica answers by it", [ms["switch"] for ms in hand], "< 50 ms"),
            _row("by hand: commit, switch, confirm", [ms["commit"] + ms["switch"] + ms["confirm"] for ms in hand], ""),
            ("by hand from the CLI through the worker, until it answers", _seconds(through), "< 10 s"),
            ("the same, until the command with --watch ends", _seconds(ended), ""),
            ("failed requests in all of this", str(failed_alive + failed_dead + failed_hand), "0"),
        ],
    )


def _row(what: str, took: list[float], goal: str) -> tuple[str, str, str]:
    p99, worst = np.percentile(took, 99), max(took)
    return what, f"median {median(took):.0f} ms, p99 {p99:.0f} ms, max {worst:.0f} ms", goal


def _seconds(took: list[float]) -> str:
    return f"median {median(took):.1f} s, max {max(took):.1f} s"


if __name__ == "__main__":
    main()
