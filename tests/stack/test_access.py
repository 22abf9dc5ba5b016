"""Each part has the secrets that it needs, and no other; none stands in a command line or a configuration."""

import json
import subprocess
import sys

import pytest
from pydantic import SecretStr

from interlock.settings import LogSettings, ServingSettings, Settings
from interlock.stack.access import EVERY, OWNERS, only_for
from interlock.stack.errors import StackError
from interlock.stack.prefect_api import auth_for_shell, choose_auth
from interlock.stack.processes import Process, client_environment, environment, processes
from interlock.stack.supervisor import Supervisor

SAY = "import json, os; print(json.dumps(dict(os.environ)))"
PLANTED = {
    "INTERLOCK_MLFLOW_PASSWORD": {"reconcile"},
    "INTERLOCK_CHAT_URL": {"reconcile"},
    "INTERLOCK_FEATURE_STORE_URL": set(),
    "INTERLOCK_SERVING_LOG_URL": {"serving"},
    "INTERLOCK_SERVING_LOG_HASH_KEY": {"serving"},
    "INTERLOCK_SERVING_TOKENS": {"serving"},
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": {"prefect"},
    "PREFECT_API_DATABASE_CONNECTION_URL": {"prefect"},
    "PREFECT_API_KEY": set(),
    "MLFLOW_BACKEND_STORE_URI": {"mlflow"},
    "MLFLOW_FLASK_SERVER_SECRET_KEY": {"mlflow"},
    "MLFLOW_AUTH_ADMIN_PASSWORD": {"mlflow"},
    "MLFLOW_TRACKING_PASSWORD": {"worker"},
    "AWS_SECRET_ACCESS_KEY": {"mlflow", "worker"},
    "SOMEBODYS_TOKEN": {"worker"},
}


@pytest.mark.parametrize(("name", "owners"), PLANTED.items())
def test_a_secret_reaches_the_parts_that_need_it_and_no_other(name, owners):
    assert {part for part in EVERY if only_for(part, {name: "x"})} == owners


@pytest.mark.parametrize("name", ["PATH", "HOME", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "NO_PROXY", "DO_NOT_TRACK"])
def test_what_any_process_needs_reaches_every_part(name):
    assert all(only_for(part, {name: "x"}) for part in EVERY)


def test_every_part_of_the_stack_is_in_the_table(home):
    assert {part.name for part in processes(Settings(home_folder=home))} <= set(EVERY)
    assert {owner for owners in OWNERS.values() for owner in owners} == set(EVERY)


def test_every_setting_that_is_a_secret_has_an_owner_of_its_own():
    """A new secret would go to all our processes, by the pattern INTERLOCK_*."""
    prefixes = {Settings: "INTERLOCK_", ServingSettings: "INTERLOCK_SERVING_", LogSettings: "INTERLOCK_SERVING_LOG_"}
    secrets = [
        str(field.validation_alias or f"{prefix}{name.upper()}")
        for settings, prefix in prefixes.items()
        for name, field in settings.model_fields.items()
        if SecretStr.__name__ in str(field.annotation)
    ]

    assert len(secrets) >= 7
    assert [name for name in secrets if name not in OWNERS and not name.startswith("PREFECT_SERVER_")] == []


def test_a_part_starts_with_its_own_variables_only_and_its_secret_from_the_file(tmp_path, monkeypatch):
    file = tmp_path / "auth with a space"
    file.write_text("user:pass word\n")
    part = Process("worker", [sys.executable, "-c", SAY], secrets={"PREFECT_API_AUTH_STRING": file})
    given = dict.fromkeys(PLANTED, "planted") | {"PATH": "/bin"}

    done = subprocess.run(part.guarded, env=given, capture_output=True, check=True)

    told = json.loads(done.stdout)
    assert told["PREFECT_API_AUTH_STRING"] == "user:pass word"
    assert {name for name in told if told[name] == "planted"} == {n for n, who in PLANTED.items() if "worker" in who}


def test_a_command_that_asks_the_server_has_what_it_asks_for_and_nothing_of_another_server(home, monkeypatch):
    for name in PLANTED:
        monkeypatch.setenv(name, "planted")
    monkeypatch.setenv("PREFECT_API_URL", "http://company:4200/api")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "company:secret")
    monkeypatch.setenv("PREFECT_PROFILE", "company")
    settings = Settings(home_folder=home)

    told = client_environment(settings)

    assert told["PREFECT_API_URL"] == settings.prefect_api
    assert told["PREFECT_API_AUTH_STRING"] == settings.prefect_login().get_secret_value()
    assert not {"PREFECT_PROFILE", "PREFECT_API_KEY", "INTERLOCK_MLFLOW_PASSWORD"} & set(told)
    assert "company:secret" not in environment(settings).values()


def test_no_secret_stands_in_a_command_line_or_in_the_configuration(home, monkeypatch):
    for name in PLANTED:
        monkeypatch.setenv(name, "postgresql+psycopg://u:planted@h/d,planted-0123456789abcdef0123456789abcdef")
    monkeypatch.setenv("INTERLOCK_SERVING_LOG_HASH_KEY", "planted" * 8)
    settings = Settings(home_folder=home)
    secrets = [settings.prefect_login(), settings.serving_token(), settings.triton_key(), SecretStr("planted")]

    shown = Supervisor(settings)._configure().read_text() + auth_for_shell(settings)
    shown += "".join(" ".join(part.guarded) for part in processes(settings))

    assert [secret for secret in secrets if secret.get_secret_value() in shown] == []


def test_what_the_server_asks_for_is_made_once_or_is_what_prefects_own_variable_says(home, monkeypatch):
    made = Settings(home_folder=home).prefect_login().get_secret_value()
    assert made.startswith("interlock:")
    assert len(made) > 40

    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "me:mine")
    choose_auth(Settings(home_folder=home), runs=False)
    monkeypatch.delenv("PREFECT_SERVER_API_AUTH_STRING")

    choose_auth(Settings(home_folder=home), runs=False)
    assert Settings(home_folder=home).prefect_login().get_secret_value() == "me:mine"
    assert Settings(home_folder=home).prefect_login_file.stat().st_mode & 0o777 == 0o600


def test_a_server_that_runs_goes_on_asking_for_the_same(home, monkeypatch):
    settings = Settings(home_folder=home)
    before = settings.prefect_login()
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "me:mine")

    with pytest.raises(StackError, match="make down") as told:
        choose_auth(Settings(home_folder=home), runs=True)

    assert "mine" not in str(told.value)
    assert settings.prefect_login() == before


def test_pages_of_the_stack_may_ask_its_servers_and_no_other(home, monkeypatch):
    settings = Settings(home_folder=home)
    told = {part.name: part.environment for part in processes(settings)}
    origins = told["prefect"]["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"].split(",")
    assert origins == ["http://127.0.0.1:4200", "http://localhost:4200"]
    assert told["prefect"]["PREFECT_SERVER_CSRF_PROTECTION_ENABLED"] == "true"
    hosts = told["mlflow"]["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert {"localhost", "127.0.0.1:*"} <= set(hosts)
    assert not [host for host in hosts if host.startswith(("10.", "192.", "172.", "*"))]

    monkeypatch.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", "mlflow.example")
    (mlflow,) = [part for part in processes(settings) if part.name == "mlflow"]
    assert mlflow.environment["MLFLOW_SERVER_ALLOWED_HOSTS"] == "mlflow.example"
