"""Blocks are configuration: documented, secret where it matters, and they connect."""

from pathlib import Path

import pytest
from prefect.blocks.core import Block
from prefect.filesystems import LocalFileSystem
from prefect.testing.standard_test_suites import BlockStandardTestSuite

from blocks.__main__ import blocks_of
from blocks.batch_folder import BatchFolder
from blocks.chat_webhook import ChatWebhook
from blocks.feature_store import FeatureStore
from blocks.mlflow_registry import MlflowRegistry
from blocks.model_repository import ModelRepository
from blocks.prediction_log import PredictionLog
from blocks.serving_api import ServingApi
from blocks.triton_server import TritonServer
from interlock.adapters.feature_store import FeatureStore as Tables
from interlock.adapters.mlflow.registry import MlflowRegistry as Registry
from interlock.adapters.notify import Silence, Webhook
from interlock.adapters.prediction_log import PredictionLog as Log
from interlock.batch.folder import BatchFolder as Folder
from interlock.release.engine import Engine
from interlock.settings import Settings
from interlock.store import Store


class TestStandard(BlockStandardTestSuite):
    """What Prefect asks of every block."""

    @pytest.fixture(
        params=[
            MlflowRegistry,
            ModelRepository,
            ServingApi,
            TritonServer,
            ChatWebhook,
            FeatureStore,
            PredictionLog,
            BatchFolder,
        ]
    )
    def block(self, request) -> type[Block]:
        return request.param

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """The original fetches the logo from the internet; ours is one of Prefect's own, which Prefect's CI fetches."""
        assert str(block._logo_url) == LocalFileSystem._logo_url


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda **change: Settings(home_folder=tmp_path / "home", **change)


def test_each_block_connects_to_its_adapter(settings):
    kinds = [type(block.connect()) for block in blocks_of(settings())]

    assert kinds == [Registry, Store, Engine, Silence, Engine, Tables, Log, Folder]
    assert isinstance(blocks_of(settings(chat_url="http://chat/secret"))[3].connect(), Webhook)


def test_no_secret_is_shown_by_a_block_or_its_adapter(settings):
    made = settings(
        chat_url="http://chat/secret-path",
        mlflow_username="u",
        mlflow_password="secret-word",
        feature_store_url="postgresql+psycopg://u:secret-word@h/d",
        serving_log_url="postgresql+psycopg://u:secret-word@h/d",
    )
    token = made.serving_token().get_secret_value()

    shown = "".join(f"{block!r}{block.model_dump()}{block.connect()!r}" for block in blocks_of(made))
    assert token not in shown
    assert made.triton_key().get_secret_value() not in shown
    assert "secret-path" not in shown
    assert "secret-word" not in shown


def test_the_token_is_made_once_and_only_its_owner_reads_it(settings):
    first, second = settings().serving_token(), settings().serving_token()

    assert first == second
    assert len(first.get_secret_value()) >= 32
    assert settings().token_file.stat().st_mode & 0o777 == 0o600


def test_two_environments_share_nothing(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    dev, prod = Settings(environment="dev"), Settings(environment="prod")

    for part in ("prefect", "mlflow", "serving"):
        assert dev.port(part) != prod.port(part)
    assert dev.home != prod.home
    assert dev.token_file != prod.token_file
    assert dev.repository_root != prod.repository_root


def test_every_setting_is_documented():
    """docs/settings.md names each environment variable of the stack and of the serving app."""
    from interlock.settings import LogSettings
    from interlock.settings import ServingSettings as Serving

    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    fields = Settings.model_fields.items()
    settings = [str(field.validation_alias or f"INTERLOCK_{name.upper()}") for name, field in fields]
    settings += [f"INTERLOCK_SERVING_{name.upper()}" for name in Serving.model_fields.keys() - {"log"}]
    settings += [f"INTERLOCK_SERVING_LOG_{name.upper()}" for name in LogSettings.model_fields]
    assert [name for name in settings if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "staging"),
        ("PREFECT_PORT", "0"),
        ("MLFLOW_PORT", "x"),
        ("SERVING_MODEL", "a b"),
        ("SERVING_START_COMMAND", "a 'b"),
    ],
)
def test_a_setting_out_of_range_is_refused(monkeypatch, name, value):
    monkeypatch.setenv(f"INTERLOCK_{name}", value)
    with pytest.raises(ValueError, match=name.lower()):
        Settings()


def test_the_local_stack_starts_its_app_by_its_supervisor_and_another_one_as_it_is_told(settings):
    local, told, elsewhere = (
        blocks_of(settings(**change))[2].start_command
        for change in (
            {},
            {"serving_start_command": "docker compose up -d 'the app'", "serving_urls": "http://a"},
            {"serving_urls": "http://a"},
        )
    )

    assert local[0].endswith("/bin/supervisorctl")
    assert local[1:] == ["-c", str(settings().supervisor_config), "start", "serving"]
    assert told == ["docker", "compose", "up", "-d", "the app"]
    assert elsewhere is None
