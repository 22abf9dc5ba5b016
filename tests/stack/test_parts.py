"""What the parts of a stack are told: where they are, and where their records are kept."""

import pytest

from blocks.settings import PORTS, Settings
from stack.demo_credit import beside
from stack.parts import environment


@pytest.fixture
def settings(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_BACKEND_STORE_URI", raising=False)
    return Settings(home_folder=tmp_path / "h")


def test_the_stack_of_the_credit_demo_stands_beside_the_other_one(settings):
    other = beside(settings)

    assert other.home == settings.home.with_name("h-credit")
    assert other.serving_model == "credit"
    assert {other.port(part) for part in PORTS} & {settings.port(part) for part in PORTS} == set()
    assert {other.port(part) - settings.port(part) for part in PORTS} == {200}


def test_a_port_that_somebody_chose_stays_chosen(tmp_path):
    chosen = beside(Settings(home_folder=tmp_path, serving_port=9999))

    assert (chosen.port("serving"), chosen.port("prefect")) == (9999, 4400)


def test_every_part_is_told_the_ports_of_its_stack(settings):
    told = environment(beside(settings))

    assert told["INTERLOCK_MLFLOW_PORT"] == "5200"
    assert told["PREFECT_API_URL"] == "http://127.0.0.1:4400/api"
    assert told["INTERLOCK_HOME_FOLDER"] == str(settings.home.with_name("h-credit"))


def test_mlflow_keeps_its_records_below_home_unless_its_own_variable_says_where(settings, monkeypatch):
    assert environment(settings)["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{settings.home}/mlflow/mlflow.db"

    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "postgresql+psycopg://h/d")
    assert environment(settings)["MLFLOW_BACKEND_STORE_URI"] == "postgresql+psycopg://h/d"
