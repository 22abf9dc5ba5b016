"""What the deployer asks for: stage a candidate, drop it, follow the decision now. Needs the x-token."""

from collections.abc import Awaitable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from interlock.errors import Broken, Busy, DeliveryError, InvalidName, NotFound, Unreachable
from interlock.names import ModelName, Sha256, Version, alias_name
from interlock.serving.auth import needs_token
from interlock.serving.problem import Problem, errors
from interlock.serving.routes.info import in_memory
from interlock.serving.variants import Variants

router = APIRouter(tags=["control"], dependencies=[Depends(needs_token)], responses=errors(401, 404, 409, 413, 422))
T = TypeVar("T")


class Staging(BaseModel):
    """Which version to load beside the live one; *model* and *sha256* are checked when they are given."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[Version, Field(strict=True)]
    model: ModelName | None = None
    sha256: Sha256 | None = None


@router.post("/variant/{alias}/stage", summary="Load a version beside the live one, exposed to nobody")
async def stage(request: Request, alias: str, staging: Staging) -> dict[str, Any]:
    """Load the version, let it answer its golden rows, and let `x-version` reach it."""
    variants: Variants = request.app.state.variants
    _known(alias)
    if staging.model not in (None, variants.model):
        raise Problem(409, "other_model", f"this app serves {variants.model}")
    staged = await _answered(variants.stage(alias, staging.version, staging.sha256))
    return {"status": "success", "variant": alias, "version": staged.version, "sha256": staged.manifest.sha256}


@router.delete("/variant/{alias}/stage", summary="Forget the staged version")
async def drop(request: Request, alias: str) -> dict[str, Any]:
    """Forget the staged version, also one that is still being loaded; fine if there is none."""
    variants: Variants = request.app.state.variants
    variants.drop(_known(alias))
    return {"status": "success", "variant": alias}


@router.post("/variant/{alias}/reload", summary="Follow the decision now, and say what is live for an alias")
async def reload_variant(request: Request, alias: str) -> dict[str, Any]:
    """Follow current.json; a failure is an error status and what was live goes on."""
    _known(alias)
    await _answered(request.app.state.follower.follow_now())
    live = request.app.state.variants[alias].live
    if live is None:
        raise Problem(404, "no_such_alias", "nothing is decided for this alias on this app")
    info = {"run_id": live.model.manifest.run_id, "sha256": live.model.manifest.sha256}
    return {"status": "success", "variant": alias, "version": live.model.version, "epoch": live.epoch, **info}


@router.post("/reload", summary="Follow the decision now, and say what is in memory then")
async def reload(request: Request) -> dict[str, Any]:
    """Follow current.json for every alias; a failure is an error status and what was live goes on."""
    await _answered(request.app.state.follower.follow_now())
    return {"status": "success", **in_memory(request.app.state.variants)}


def _known(alias: str) -> str:
    try:
        return alias_name(alias)
    except InvalidName as error:
        raise Problem(404, "no_such_alias", str(error)) from error


async def _answered(act: Awaitable[T]) -> T:
    """Do it; answer what went wrong by its kind."""
    try:
        return await act
    except NotFound as error:
        raise Problem(404, "not_found", str(error)) from error
    except Broken as error:
        raise Problem(422, "broken", str(error)) from error
    except Busy as error:
        raise Problem(503, "busy", str(error), retry_after_s=1) from error
    except Unreachable as error:
        raise Problem(503, "engine_away", str(error), retry_after_s=1) from error
    except DeliveryError as error:
        raise Problem(409, "refused", str(error)) from error
