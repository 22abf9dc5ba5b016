"""The whole story on PostgreSQL: Prefect, MLflow, the feature store and the prediction log, each in a database."""

import os
import subprocess
from typing import get_args

import pytest
from sqlalchemy import create_engine, text
from support.ports import free_ports
from world.postgres import debian_postgres

from interlock.settings import Listener
from interlock.stack.processes import BIN, ROOT

DATABASES = ("prefect", "mlflow", "features", "log")


def ask(server, database, statement):
    engine = create_engine(f"postgresql+psycopg://{server}/{database}", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        result = connection.execute(text(statement))
        answers = result.all() if result.returns_rows else []
    engine.dispose()
    return answers


@pytest.fixture
def server(home):
    with debian_postgres(home) as server:
        for database in DATABASES:
            ask(server, "postgres", f"CREATE DATABASE {database}")
        yield server


@pytest.mark.in_turn
@pytest.mark.timeout(900)
def test_the_demo_of_the_credit_score_leaves_everything_in_postgresql(server, home):
    listeners: tuple[Listener, ...] = get_args(Listener)
    ports = zip(listeners, free_ports(len(listeners)), strict=True)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("INTERLOCK_", "PREFECT_", "PYTEST_"))}
    environment = inherited | {
        **{f"INTERLOCK_{listener.upper()}_PORT": str(port) for listener, port in ports},
        "INTERLOCK_HOME_FOLDER": str(home / "i"),
        "INTERLOCK_FEATURE_STORE_URL": f"postgresql+psycopg://{server}/features",
        "INTERLOCK_SERVING_LOG_URL": f"postgresql+psycopg://{server}/log",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{server}/prefect",
        "MLFLOW_BACKEND_STORE_URI": f"postgresql+psycopg://{server}/mlflow",
    }
    demo = [f"{BIN}/python", "-m", "demos", "credit"]

    done = subprocess.run(demo, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=840, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert ask(server, "features", "SELECT count(*) FROM credit_features") == [(20_000,)]
    assert ask(server, "mlflow", "SELECT name, version FROM model_versions") == [("credit", 1)]
    assert ask(server, "mlflow", "SELECT alias, version FROM registered_model_aliases") == [("A", 1)]
    logged = ask(server, "log", "SELECT model, version, prediction FROM prediction_log ORDER BY created_at")
    assert [(model, version) for model, version, _ in logged] == [("credit", 1)] * 3
    assert {prediction for _, _, prediction in logged} <= {"Poor", "Standard", "Good"}
    states = ask(server, "prefect", "SELECT state_name FROM flow_run ORDER BY created")
    assert [name for (name,) in states] == ["Registered", "Released", "Skipped"]
