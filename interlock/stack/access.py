"""
Which part may know what: the table of the environment's variables, and the program that keeps to it.

    python -I -S access.py PART [NAME=FILE ...] -- PROGRAM ARGUMENT ...

becomes the program with those variables only that the part needs; each NAME is the first line of its FILE, so that no
secret stands in a command line or in supervisor's configuration. It imports the standard library only, and starts in
milliseconds.
"""

import os
import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

PREFECT, MLFLOW, SERVING, TRITON = "prefect", "mlflow", "serving", "triton"
WORKER, RECONCILE = "worker", "reconcile"
EVERY = (PREFECT, MLFLOW, SERVING, TRITON, WORKER, RECONCILE)
NOBODY = ()

OWNERS: dict[str, tuple[str, ...]] = {
    # Ours. Flows take their secrets from blocks; the loop works without Prefect, so it takes them from here.
    "INTERLOCK_MLFLOW_USERNAME": (RECONCILE,),
    "INTERLOCK_MLFLOW_PASSWORD": (RECONCILE,),
    "INTERLOCK_CHAT_URL": (RECONCILE,),
    "INTERLOCK_FEATURE_STORE_URL": NOBODY,
    "INTERLOCK_SERVING_LOG_URL": (SERVING,),
    "INTERLOCK_SERVING_LOG_HASH_KEY": (SERVING,),
    "INTERLOCK_SERVING_TOKENS": (SERVING,),
    "INTERLOCK_*": (SERVING, TRITON, WORKER, RECONCILE),
    # Prefect's. What points a shell at another server, and proves there who asks, is nobody's here.
    "PREFECT_SERVER_*": (PREFECT,),
    "PREFECT_API_DATABASE_*": (PREFECT,),
    "PREFECT_API_AUTH_STRING": (WORKER,),
    "PREFECT_API_KEY": NOBODY,
    "PREFECT_PROFILE": NOBODY,
    "PREFECT_CLIENT_CUSTOM_HEADERS": NOBODY,
    "PREFECT_API_URL": (PREFECT, WORKER, RECONCILE),
    "PREFECT_UI_URL": (PREFECT, WORKER, RECONCILE),
    "PREFECT_*": (PREFECT, WORKER),
    # MLflow's: its server's and its client's.
    "MLFLOW_TRACKING_*": (WORKER,),
    "MLFLOW_BACKEND_STORE_URI": (MLFLOW,),
    "MLFLOW_REGISTRY_STORE_URI": (MLFLOW,),
    "MLFLOW_*_SECRET*": (MLFLOW,),
    "MLFLOW_AUTH_*": (MLFLOW,),
    "MLFLOW_CRYPTO_*": (MLFLOW,),
    "MLFLOW_SERVER_*": (MLFLOW,),
    "MLFLOW_*": (MLFLOW, WORKER),
    # Where artifacts and tables are, by those libraries' own variables.
    "AWS_*": (MLFLOW, WORKER),
    "AZURE_*": (MLFLOW, WORKER),
    "GOOGLE_*": (MLFLOW, WORKER),
    "PG*": (PREFECT, MLFLOW, SERVING, WORKER),
    # Proxies' addresses may hold passwords; these two ask nobody outside.
    **dict.fromkeys(
        ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
        (PREFECT, MLFLOW, WORKER, RECONCILE),
    ),
    # What any process needs.
    **dict.fromkeys(
        ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "XDG_*"), EVERY
    ),
    **dict.fromkeys(("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_*", "PYTHON*", "VIRTUAL_ENV", "COVERAGE_*"), EVERY),
    **dict.fromkeys(("SSL_CERT_*", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_PROXY", "no_proxy"), EVERY),
    **dict.fromkeys(("DO_NOT_TRACK", "ORT_*", "OMP_*", "OPENBLAS_*", "MKL_*", "MALLOC_*", "CUDA_*", "NVIDIA_*"), EVERY),
    # Whatever else is in the shell, somebody's secrets perhaps: the worker, because flows and learners may be yours.
    "*": (WORKER,),
}


def only_for(part: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Return those of *variables* that the part needs: the first pattern that fits says who does."""
    return {name: value for name, value in variables.items() if part in _owners(name)}


def _owners(name: str) -> tuple[str, ...]:
    return next(owners for pattern, owners in OWNERS.items() if fnmatchcase(name, pattern))


def _read(secret: str) -> tuple[str, str]:
    name, _, file = secret.partition("=")
    return name, Path(file).read_text().strip().split("\n")[0].strip()


def main() -> None:
    """Become the program."""
    end = sys.argv.index("--")
    part, secrets, command = sys.argv[1], sys.argv[2:end], sys.argv[end + 1 :]
    variables = only_for(part, os.environ) | dict(map(_read, secrets))
    os.execve(command[0], command, variables)  # noqa: S606 - a program of this environment


if __name__ == "__main__":
    main()
