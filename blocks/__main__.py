"""`python -m blocks --server URL`: make the blocks of an environment and its automation, on a server elsewhere."""

import sys
from contextlib import suppress
from typing import Annotated

import httpx
import typer
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
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
from blocks.triton_server import TritonServer
from interlock import outbound
from interlock.errors import Refused
from interlock.settings import Settings


def blocks_of(settings: Settings) -> list[NamedBlock]:
    """Return the blocks of an environment, not yet saved."""
    username, password = settings.mlflow_auth or (None, None)
    return [
        MlflowRegistry(url=settings.mlflow, username=username, password=password),
        ModelRepository(root=settings.repository_root),
        ServingApi(
            name=settings.environment,
            urls=list(settings.serving_control),
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


def save_blocks(settings: Settings, server: str, *, overwrite: bool) -> list[str]:
    """
    Create the blocks under the environment's name, on that server and no other; return their slugs.

    Args:
        settings: What the blocks say.
        server: URL of Prefect's API, whatever this shell points at.
        overwrite: Whether blocks that are there may be replaced.

    Raises:
        Refused: Some are there and may not be replaced; nothing was written.
    """
    outbound.apply([*settings.addresses, server])
    name, blocks = settings.environment, blocks_of(settings)
    slugs = [block.get_block_type_slug() for block in blocks]
    with temporary_settings({PREFECT_API_URL: server}):
        if not overwrite and (taken := _taken(slugs, name)):
            raise Refused(f"{server} has {', '.join(taken)} already; --overwrite replaces them")
        for block in blocks:
            block.save(name, overwrite=True)
        save_automation(settings)
    return [f"{slug}/{name}" for slug in slugs]


def _taken(slugs: list[str], name: str) -> list[str]:
    taken = []
    with get_client(sync_client=True) as client:
        for slug in slugs:
            with suppress(ObjectNotFound):
                client.read_block_document_by_name(name, slug, include_secrets=False)
                taken.append(f"{slug}/{name}")
    return taken


def main(
    server: Annotated[str, typer.Option(help="URL of Prefect's API, such as http://prefect:4200/api.")],
    *,
    overwrite: Annotated[bool, typer.Option(help="Replace blocks of the same name.")] = False,
) -> None:
    """
    Write the blocks of INTERLOCK_ENVIRONMENT, secrets among them, to a Prefect server elsewhere.

    The local stack does not need it: `make up` writes the blocks of its own server. Who we are to the server elsewhere
    is said by Prefect's own PREFECT_API_AUTH_STRING or PREFECT_API_KEY.
    """
    try:
        for slug in save_blocks(Settings(), server, overwrite=overwrite):
            typer.echo(slug)
    except Refused as error:
        sys.exit(f"blocks: {error}")
    except (httpx.TransportError, PrefectHTTPStatusError) as error:
        sys.exit(f"blocks: {server} does not take them: {error}")


if __name__ == "__main__":
    typer.run(main)
