"""`python -m blocks`: create or update the blocks of an environment from its settings, and the automation."""

import os

from prefect.settings import PREFECT_API_URL, temporary_settings

from blocks.automations import save_automation
from blocks.batch_folder import BatchFolder
from blocks.chat_webhook import ChatWebhook
from blocks.feature_store import FeatureStore
from blocks.mlflow_registry import MlflowRegistry
from blocks.model_repository import ModelRepository
from blocks.named import NamedBlock
from blocks.prediction_log import PredictionLog
from blocks.serving_api import ServingApi
from blocks.settings import Settings
from blocks.triton_server import TritonServer


def blocks_of(settings: Settings) -> list[NamedBlock]:
    """Return the blocks of an environment, not yet saved."""
    username, password = settings.mlflow_auth or (None, None)
    return [
        MlflowRegistry(url=settings.mlflow, username=username, password=password),
        ModelRepository(root=settings.repository_root),
        ServingApi(
            name=settings.environment,
            urls=list(settings.serving),
            token=settings.serving_token(),
            start_command=settings.start_command,
        ),
        ChatWebhook(url=settings.chat_url),
        TritonServer(
            name=settings.environment,
            http=[http for http, _ in settings.triton],
            grpc=[grpc for _, grpc in settings.triton],
            key=settings.triton_key(),
            repository=settings.repository_root,
        ),
        FeatureStore(url=settings.feature_store),
        PredictionLog(url=settings.prediction_log),
        BatchFolder(root=settings.batches, runner=settings.batch_runner),
    ]


def save_blocks(settings: Settings) -> list[str]:
    """Create or update the blocks under the environment's name; return their slugs."""
    api = os.environ.get("PREFECT_API_URL", settings.prefect_api)
    with temporary_settings({PREFECT_API_URL: api}):
        for block in blocks_of(settings):
            block.save(settings.environment, overwrite=True)
        save_automation(settings)
    return [f"{block.get_block_type_slug()}/{settings.environment}" for block in blocks_of(settings)]


if __name__ == "__main__":
    for slug in save_blocks(Settings()):
        print(slug)
