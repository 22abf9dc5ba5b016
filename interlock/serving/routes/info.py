"""What is served: for load balancers, for persons, and for the deployer that looks whether the app follows."""

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Header, Request, Response

from interlock.serving.follower import Follower
from interlock.serving.problem import Problem, errors
from interlock.serving.routes.predict import chosen
from interlock.serving.variants import Variants

router = APIRouter(tags=["info"])
BOOT = uuid4().hex
"""Of this process: who sees another one knows that the app was started again."""
TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/", summary="Alive")
@router.get("/healthz", summary="Alive")
async def healthz() -> dict[str, str]:
    """Answer as long as the process runs."""
    return {"status": "alive"}


@router.get("/readyz", summary="Ready: the decision is seen, and every version that it names is loaded")
async def readyz(request: Request) -> dict[str, Any]:
    """Answer 200 only if every version that the decision names for this app is loaded; else 503 and the reasons."""
    variants: Variants = request.app.state.variants
    follower: Follower = request.app.state.follower
    if why := follower.blind():
        raise Problem(503, "decision_unseen", why, 1)
    if unmet := variants.unmet():
        raise Problem(503, "not_ready", "; ".join(f"{alias}: {why}" for alias, why in unmet.items()), 1)
    live = {alias: variants[alias].live for alias in variants.aliases()}
    versions = {alias: slot.model.version for alias, slot in live.items() if slot}
    if not versions:
        raise Problem(503, "no_model", "no model is live yet", 1)
    return {"status": "ready", "epoch": variants.epoch, "versions": versions}


@router.get("/model-info", responses=errors(404, 422), summary="What is live for the default alias")
async def model_info(request: Request, x_version: Annotated[str | None, Header()] = None) -> dict[str, Any]:
    """Say which version is live, or describe the one that `x-version` pins."""
    return _info(request.app.state.variants, request.app.state.settings.alias, x_version)


@router.get("/variant/{alias}/model-info", responses=errors(404, 422), summary="What is live for an alias")
async def variant_info(
    request: Request, alias: str, x_version: Annotated[str | None, Header()] = None
) -> dict[str, Any]:
    """Say which version is live, or describe the one that `x-version` pins."""
    return _info(request.app.state.variants, alias, x_version)


@router.get("/variants", summary="Everything in memory")
async def all_variants(request: Request) -> dict[str, Any]:
    """Say for every alias what is live and what is staged."""
    return in_memory(request.app.state.variants)


@router.get("/metadata", responses=errors(404, 422), summary="How the live version was trained, and what it takes")
async def metadata(request: Request, x_version: Annotated[str | None, Header()] = None) -> dict[str, Any]:
    """Describe what is live for the default alias, or the version that `x-version` pins."""
    return _metadata(request.app.state.variants, request.app.state.settings.alias, x_version)


@router.get("/variant/{alias}/metadata", responses=errors(404, 422), summary="What is live for an alias, and takes")
async def variant_metadata(
    request: Request, alias: str, x_version: Annotated[str | None, Header()] = None
) -> dict[str, Any]:
    """Describe what is live for an alias, or the version that `x-version` pins."""
    return _metadata(request.app.state.variants, alias, x_version)


@router.get("/metrics", response_class=Response, responses=TEXT, summary="Prometheus")
async def metrics(request: Request) -> Response:
    """Counters and latencies in Prometheus' text format."""
    return Response(request.app.state.metrics.exposition(), media_type="text/plain; version=0.0.4")


def _metadata(variants: Variants, alias: str, x_version: str | None) -> dict[str, Any]:
    """Say since when a version is live, with which parameters and metrics, and what it takes and gives."""
    by = chosen(variants, alias, x_version)
    model, manifest = by.model, by.model.manifest
    signature = manifest.signature
    return {
        "model_name": model.name,
        "model_version": model.version,
        "params": manifest.params,
        "metrics": manifest.metrics,
        "creation_time": manifest.trained_at_utc,
        "live_since_utc": by.live.since_utc if by.live else None,
        **signature.model_dump(mode="json"),
    }


def in_memory(variants: Variants) -> dict[str, Any]:
    """Return what is live, what is staged and what cannot be served, by alias."""
    staged = {alias: variants[alias].staged for alias in variants.aliases()}
    return {
        "model_name": variants.model,
        "engine": variants.name,
        "boot": BOOT,
        "epoch": variants.epoch,
        "live": {alias: _info(variants, alias, None) for alias in variants.aliases() if variants[alias].live},
        "staged": {alias: model.version for alias, model in staged.items() if model},
        "failures": {alias: str(error) for alias, error in variants.failures.items()},
    }


def _info(variants: Variants, alias: str, x_version: str | None) -> dict[str, Any]:
    by = chosen(variants, alias, x_version)
    model, exposed = by.model, by.live
    return {
        "model_name": model.name,
        "alias": alias,
        "version": model.version,
        "run_id": model.manifest.run_id,
        "model_uri": f"models:/{model.name}/{model.version}",
        "sha256": model.manifest.sha256,
        "live": exposed is not None,
        "epoch": exposed.epoch if exposed else None,
        "trained_at_utc": model.manifest.trained_at_utc,
        "loaded_at_utc": model.loaded_at_utc,
        "live_since_utc": exposed.since_utc if exposed else None,
    }
