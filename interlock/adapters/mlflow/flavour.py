"""
MLflow's scikit-learn flavour of a training, for people who want to look into the model; the ONNX is what counts.

Only MLflow's own client can log it. That reads user, password and limits from the environment and has no deadline, so
it runs in a process of its own, which gets all of it by its input and is ended in time.
"""

import logging
import math
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from interlock.adapters.deadline import SLOWEST

log = logging.getLogger(__name__)
LONGEST_S = 60.0
"""For MLflow's import, which costs seconds, and its calls; more for a large model."""
LIMITS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""By default MLflow's client would try for 246 s. What the user has set counts."""
REQUIREMENTS = ("scikit-learn", "skops", "numpy", "scipy")
ROOT = Path(__file__).parents[3]
"""The folder of our packages, and of the learners that a fitted classifier may need."""


@dataclass(frozen=True)
class Flavour:
    """What is logged, and where."""

    url: str
    auth: tuple[str, str] | None = field(repr=False)
    run_id: str
    fitted: Any
    trusted_types: list[str]


def log_flavour(flavour: Flavour) -> str | None:
    """Log it to its run; return the id of the logged model, or None: skops and MLflow refuse in many ways."""
    try:
        given = pickle.dumps(flavour)
        longest_s = LONGEST_S + len(given) / SLOWEST
        command = [sys.executable, "-m", "interlock.adapters.mlflow.flavour", str(math.ceil(longest_s))]
        done = subprocess.run(command, input=given, capture_output=True, timeout=longest_s, check=True, cwd=ROOT)  # noqa: S603 - this very file
    except subprocess.CalledProcessError as error:
        why = (error.stderr.decode(errors="replace").strip().splitlines() or ["no word"])[-1]
    except Exception as error:  # noqa: BLE001 - what cannot be pickled says so in many ways, and none of them matters
        why = type(error).__name__
    else:
        return done.stdout.decode().split()[-1]
    log.warning("MLflow's scikit-learn flavour cannot log this model, the ONNX is the artefact: %s", why)
    return None


def _log(flavour: Flavour) -> str:
    import mlflow  # costs seconds
    import mlflow.sklearn

    mlflow.set_tracking_uri(flavour.url)
    with mlflow.start_run(run_id=flavour.run_id):
        info = mlflow.sklearn.log_model(
            flavour.fitted,
            name="model",
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
            skops_trusted_types=flavour.trusted_types or None,
        )
    return str(info.model_id)


def _main() -> None:
    signal.alarm(int(sys.argv[1]))  # it ends in time also when whoever started it was killed
    flavour: Flavour = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    for name, limit in LIMITS.items():
        os.environ.setdefault(name, limit)
    if flavour.auth:
        os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = flavour.auth
    print(_log(flavour))  # noqa: T201 - the answer


if __name__ == "__main__":
    _main()
