"""What the processes of a stack are told: where they are, and where their records are kept."""

import httpx
import pytest

from blocks.__main__ import blocks_of
from blocks.serving_api import ServingApi
from demos.credit import beside
from interlock.cli import shell
from interlock.settings import PORTS, Settings
from interlock.stack.processes import environment, processes


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


def test_releases_and_probes_have_an_address_that_users_cannot_fill(settings):
    (part,) = [part for part in processes(settings) if part.name == "serving"]
    (block,) = [block for block in blocks_of(settings) if isinstance(block, ServingApi)]

    assert settings.serving == ("http://127.0.0.1:8080",)
    assert block.urls == ["http://127.0.0.1:8081"]
    assert part.health == "http://127.0.0.1:8081/healthz"
    assert part.ports == ("serving", "serving_control")
    assert part.environment["INTERLOCK_SERVING_CONTROL_PORT"] == "8081"


def test_replicas_elsewhere_are_asked_where_they_are_said_to_be(settings):
    elsewhere = settings.model_copy(update={"serving_urls": ("http://a:8081",)})

    assert elsewhere.serving == elsewhere.serving_control == ("http://a:8081",)


def test_every_part_is_told_the_ports_of_its_stack(settings):
    told = environment(beside(settings))

    assert told["INTERLOCK_MLFLOW_PORT"] == "5200"
    assert told["PREFECT_API_URL"] == "http://127.0.0.1:4400/api"
    assert told["INTERLOCK_HOME_FOLDER"] == str(settings.home.with_name("h-credit"))


def test_mlflow_keeps_its_records_below_home_unless_its_own_variable_says_where(settings, monkeypatch):
    assert environment(settings)["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{settings.home}/mlflow/mlflow.db"

    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "postgresql+psycopg://h/d")
    assert environment(settings)["MLFLOW_BACKEND_STORE_URI"] == "postgresql+psycopg://h/d"


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_every_address_of_an_ipv6_host_is_one(tmp_path, host):
    settings = Settings(home_folder=tmp_path, host=host)

    assert settings.prefect_api == "http://[::1]:4200/api"
    assert settings.triton == (("http://[::1]:8000", "[::1]:8001"),)
    for url in [*settings.addresses, *(part.health for part in processes(settings) if part.health)]:
        assert httpx.URL(url).host == "::1"


@pytest.mark.parametrize(
    ("model", "alias", "passed"),
    [
        ("best_model", "A", "-p params='{\"C\": 0.5}'"),
        ("best_model", "B", "-p params='{\"C\": 0.5}' -p alias=B"),
        ("credit", "A", "-p learner=credit_score -p model=credit -p threshold=0.8"),
        ("iris", "A", "-p learner=iris -p model=iris"),
        ("churn", "A", "-p learner=LEARNER -p model=churn"),
    ],
)
def test_the_printed_example_trains_the_model_that_is_served(tmp_path, model, alias, passed):
    """The learner of another name than the model's is for the reader to fill in."""
    settings = Settings(home_folder=tmp_path, serving_model=model, serving_alias=alias)

    assert shell.lines(settings)[1] == f"prefect deployment run train-register-reload/dev {passed} --watch"


def test_a_variable_that_is_empty_is_one_that_is_not_set(monkeypatch):
    """As a compose file passes it on; an empty folder would be the one in which the command is given."""
    for name in ("HOME_FOLDER", "HOST", "MLFLOW_URL", "SERVING_PORT", "REPOSITORY"):
        monkeypatch.setenv(f"INTERLOCK_{name}", "")

    assert Settings().home.name == ".interlock"
    assert Settings().serving == ("http://127.0.0.1:8080",)
