"""What runs on one machine: six processes of this environment's Python, each with its own part of the home folder."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from interlock import outbound
from interlock.settings import PORTS, Listener, Settings
from interlock.stack import access
from interlock.stack.triton.server import why_not

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
LOOPBACK = ("localhost", "127.0.0.1")
NOT_OURS = ("PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING")
"""What proves to a Prefect server who asks: another server's, or what stands in a file of ours."""


@dataclass(frozen=True)
class Process:
    """
    One process.

    Args:
        health: URL that answers 200 when the process is usable; None for processes that answer nobody.
        ports: Which settings name its ports.
        autostart: Whether it can start before the stack is provisioned.
        secrets: Which variables hold a secret that stands in a file.
    """

    name: str
    command: list[str]
    health: str | None = None
    ports: tuple[Listener, ...] = ()
    autostart: bool = True
    environment: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, Path] = field(default_factory=dict)

    @property
    def guarded(self) -> list[str]:
        """The command, started with those variables only that the process needs."""
        secrets = [f"{name}={path}" for name, path in self.secrets.items()]
        return [sys.executable, "-I", "-S", access.__file__, self.name, *secrets, "--", *self.command]


def processes(settings: Settings) -> list[Process]:
    """Return all processes, in the order in which they are shown."""
    return list(_processes(settings))


def environment(settings: Settings) -> dict[str, str]:
    """
    Return the environment of all processes: this one's, pointed at the stack, asking it directly.

    Prefect and MLflow keep their records in SQLite, unless their own variables name a database.
    """
    records = {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{settings.home}/mlflow/mlflow.db"}
    ours = {
        "INTERLOCK_ENVIRONMENT": settings.environment,
        "INTERLOCK_HOME_FOLDER": str(settings.home),
        **{f"INTERLOCK_{listener.upper()}_PORT": str(settings.port(listener)) for listener in PORTS},
        "PREFECT_API_URL": settings.prefect_api,
        "PREFECT_HOME": str(settings.home / "prefect"),
        **outbound.environment(os.environ, settings.addresses),
        "PYTHONUNBUFFERED": "1",
    }
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", *NOT_OURS))}
    return records | theirs | ours


def client_environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a command that asks the stack's Prefect server."""
    auth = {"PREFECT_API_AUTH_STRING": settings.prefect_login().get_secret_value()}
    return access.only_for(access.WORKER, environment(settings)) | auth


def _guards(settings: Settings) -> dict[str, str]:
    """Return which pages may ask the servers, and under which names; their own variables may say otherwise."""
    prefect = (f"http://{name}:{settings.port('prefect')}" for name in LOOPBACK)
    hosts = ["[::1]", "[[]::1]:*", *(name for host in (*LOOPBACK, settings.host) for name in (host, f"{host}:*"))]
    guards = {
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(dict.fromkeys((settings.local_url("prefect"), *prefect))),
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(dict.fromkeys(hosts)),
    }
    return {name: os.environ.get(name, value) for name, value in guards.items()}


def _processes(settings: Settings) -> Iterator[Process]:
    host, mlflow, guards = settings.host, settings.home / "mlflow", _guards(settings)
    yield Process(
        "prefect",
        [f"{BIN}/prefect", "server", "start", "--host", host, "--port", str(settings.port("prefect"))],
        health=f"{settings.prefect_api}/health",
        ports=("prefect",),
        environment={
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": guards["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"],
            "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        },
        secrets={"PREFECT_SERVER_API_AUTH_STRING": settings.prefect_login_file},
    )
    if settings.mlflow_url is None:
        yield Process(
            "mlflow",
            [
                f"{BIN}/mlflow",
                "server",
                "--host",
                host,
                "--port",
                str(settings.port("mlflow")),
                "--workers",
                "1",
                "--artifacts-destination",
                f"{mlflow}/artifacts",
            ],
            health=f"{settings.mlflow}/health",
            ports=("mlflow",),
            environment={
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "MLFLOW_SERVER_ALLOWED_HOSTS": guards["MLFLOW_SERVER_ALLOWED_HOSTS"],
            },
        )
    if not settings.serving_urls:
        yield Process(
            "serving",
            [sys.executable, "-m", "interlock.serving"],
            health=f"{settings.local_url('serving_control')}/healthz",
            ports=("serving", "serving_control"),
            environment={
                "INTERLOCK_SERVING_NAME": settings.environment,
                "INTERLOCK_SERVING_HOST": host,
                "INTERLOCK_SERVING_PORT": str(settings.port("serving")),
                "INTERLOCK_SERVING_CONTROL_PORT": str(settings.port("serving_control")),
                "INTERLOCK_SERVING_REPOSITORY": str(settings.repository_root),
                "INTERLOCK_SERVING_TOKEN_FILE": str(settings.token_file),
                "INTERLOCK_SERVING_ENGINE": settings.serving_engine,
                "INTERLOCK_SERVING_TRITON_URL": settings.local_url("triton"),
                "INTERLOCK_SERVING_TRITON_NAME": settings.environment,
                "INTERLOCK_SERVING_MODEL": settings.serving_model,
                "INTERLOCK_SERVING_ALIAS": settings.serving_alias,
                "INTERLOCK_SERVING_LOG_FOLDER": str(settings.prediction_log_folder),
            },
        )
    if not why_not(settings):
        yield Process(
            "triton",
            [sys.executable, "-m", "interlock.stack.triton.server"],
            health=f"{settings.local_url('triton')}/v2/health/ready",
            ports=("triton", "triton_grpc", "triton_metrics"),
        )
    yield Process(
        "worker",
        [f"{BIN}/prefect", "worker", "start", "--pool", pool(settings), "--type", "process"],
        autostart=False,
        environment={"PREFECT_WORKER_QUERY_SECONDS": "1"},
        secrets={"PREFECT_API_AUTH_STRING": settings.prefect_login_file},
    )
    yield Process("reconcile", [f"{BIN}/interlock", "reconcile", "--every", "30"], autostart=False)


def pool(settings: Settings) -> str:
    """Return the name of the environment's work pool; `prefect.yaml` names it too."""
    return f"interlock-{settings.environment}"
