"""
Swaps under load, a flow's time to live, and the serving app's memory.

    100 swaps between two registered versions under 100 requests/s, each a whole release (materialize to alias)
    5 runs of the deployment, from the flow's first line to "it serves"
"""

import json
import subprocess
import time
from datetime import datetime
from statistics import median
from uuid import uuid4

import psutil

from benchmarks.place import own_stack, table
from demos.load import Load, confidence_of
from interlock.adapters.mlflow.registry import MlflowRegistry, Registration
from interlock.adapters.mlflow.tracking import MlflowTracking
from interlock.environment import environment
from interlock.records import SERVING_API, Candidate, EngineRef
from interlock.release.environment import Environment
from interlock.release.open import released
from interlock.release.steps import carry_out
from interlock.settings import Settings
from interlock.stack.prefect_api import PrefectApi
from interlock.stack.processes import BIN, ROOT, client_environment
from interlock.stack.supervisor import Supervisor
from interlock.store import Store
from interlock.training.train import train
from learners.iris import Iris, IrisParams

SWAPS = 100
RUNS = 5
OWN_STEPS = ("materialize", "load", "ready", "smoke", "commit", "switch", "confirm")


def register(settings: Settings, c: float) -> Candidate:
    """Train and register iris with *c*."""
    trained = train("iris", Iris(), IrisParams(C=c))
    tracking = MlflowTracking(settings.mlflow, "benchmark")
    run = tracking.log(tracking.open_run(uuid4().hex, trained.sha256), trained)
    tags = {"sha256": trained.sha256}
    registry = MlflowRegistry(settings.mlflow, auth=settings.mlflow_auth)
    version = registry.register(Registration("best_model", run.run_id, run.source, run.model_id, tags))
    return registry.candidate("best_model", "A", version)


def release(env: Environment, candidate: Candidate, urls: tuple[str, ...]) -> dict[str, float]:
    """Release a version; return the milliseconds of each step."""
    engine = env.engine_for(EngineRef(kind=SERVING_API, name="dev", urls=urls))
    with released(env, candidate, [engine]) as made:
        carry_out(made)
    return {check.step: check.ms for check in made.checks}


def measure_swaps(settings: Settings) -> list[tuple[str, str, str]]:
    """Swap back and forth under load."""
    env, urls = environment(settings, "benchmark"), settings.serving_control
    pair = [register(settings, c) for c in (1.0, 10.0)]
    release(env, pair[1], urls)
    quiet = Load(settings.serving[0], rate=100)
    with quiet:
        time.sleep(10)
    with Load(settings.serving[0], rate=100) as load:
        steps = [release(env, pair[i % 2], urls) for i in range(SWAPS)]
    truth = {c.version: confidence_of(settings.serving[0], c.version) for c in pair}
    tally = load.tally
    pid = Supervisor(settings).pids()["serving"]
    memory = psutil.Process(pid).memory_info().rss / 2**20
    return [
        (f"{SWAPS} swaps at 100 requests/s: requests", str(tally.requests), ""),
        ("  failed", str(tally.failed), "0"),
        ("  answers that name another version", str(tally.mislabelled(truth)), "0"),
        ("  p99 latency, quiet", f"{quiet.tally.percentile(0.99):.1f} ms", ""),
        ("  p99 latency, during the swaps", f"{tally.percentile(0.99):.1f} ms", ""),
        ("  a swap, own steps, median", f"{median(sum(s[n] for n in OWN_STEPS) for s in steps):.0f} ms", ""),
        (
            "  of which commit to confirm, median",
            f"{median(s['commit'] + s['switch'] + s['confirm'] for s in steps):.0f} ms",
            "",
        ),
        ("serving app, resident memory after it", f"{memory:.0f} MiB", "< 250 MiB"),
    ]


def measure_flows(settings: Settings) -> list[tuple[str, str, str]]:
    """Run the deployment and read when each version went live."""
    lives, owns, api = [], [], PrefectApi.of(settings)
    for i in range(RUNS):
        name = f"bench-{uuid4().hex[:8]}"
        passed = ["-p", f"params={json.dumps({'C': 2.0 + i})}", "--flow-run-name", name, "--watch"]
        command = [f"{BIN}/prefect", "deployment", "run", f"train-register-reload/{settings.environment}", *passed]
        subprocess.run(
            command, cwd=ROOT, env=client_environment(settings), capture_output=True, timeout=180, check=True
        )
        body = {"flow_runs": {"name": {"any_": [name]}}}
        (run,) = api.post("flow_runs/filter", body)
        tasks_body = {"flow_runs": {"id": {"any_": [run["id"]]}}}
        tasks = api.post("task_runs/filter", tasks_body)
        confirmed = next(task["end_time"] for task in tasks if task["name"].startswith("confirm"))
        lives.append((_time(confirmed) - _time(run["start_time"])).total_seconds())
        store = Store(settings.repository_root)
        entry = store.entry("best_model", store.current("best_model").epoch)
        owns.append(sum(check.ms for check in entry.checks if check.step in OWN_STEPS) if entry else 0.0)
    return [
        (f"flow's first line to 'it serves', median of {RUNS}", f"{median(lives):.1f} s", "< 6 s"),
        ("  worst", f"{max(lives):.1f} s", ""),
        ("  of which materialize to confirm, median", f"{median(owns):.0f} ms", "< 300 ms"),
    ]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


if __name__ == "__main__":
    with own_stack() as settings:
        table("Swaps and releases of iris on the serving app", measure_swaps(settings) + measure_flows(settings))
