"""Predictions: un-pinned by the live version, or pinned by `x-version` to any version in memory."""

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn
from uuid import uuid4

from fastapi import APIRouter, Depends, Header, Request, Response

from interlock.errors import CorruptRecord, Damaged, DeliveryError, InvalidName, NotFound, Unreadable
from interlock.model.answers import Answers
from interlock.names import version_number
from interlock.serving.answers import Columns, Record
from interlock.serving.auth import predict_may_need_token
from interlock.serving.body import LARGEST_ID, LONGEST_ID, Question, question, read_json, tensors
from interlock.serving.model import Model, ModelFailed, NotInTime, VersionGone
from interlock.serving.prediction import Prediction
from interlock.serving.problem import Problem, errors
from interlock.serving.variants import Live, Variants
from interlock.settings import ServingSettings

router = APIRouter(
    tags=["predict"],
    dependencies=[Depends(predict_may_need_token)],
    responses={200: {"model": Columns | Record | list[Record]}, **errors(401, 404, 413, 422)},
)
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
LOST = (CorruptRecord, Damaged, NotFound, Unreadable)
"""Failures that say that the bytes in the repository are not the decided ones."""
ID: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "minLength": 1, "maxLength": LONGEST_ID},
        {"type": "integer", "exclusiveMinimum": -LARGEST_ID, "exclusiveMaximum": LARGEST_ID},
    ]
}
RECORD: dict[str, Any] = {
    "type": "object",
    "required": ["customer_id", "features"],
    "additionalProperties": False,
    "properties": {"customer_id": ID, "features": {"type": "object"}},
    "example": {"customer_id": "C-1", "features": {"sepal_length": 5.1}},
}
ROW: dict[str, Any] = {"type": "array", "minItems": 1, "items": {"type": ["number", "boolean", "string", "null"]}}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        RECORD,
                        {"type": "array", "minItems": 1, "items": RECORD},
                        {"type": "array", "minItems": 1, "items": ROW},
                        {
                            "type": "object",
                            "required": ["rows"],
                            "additionalProperties": False,
                            "properties": {
                                "rows": {"type": "array", "minItems": 1, "items": {"anyOf": [ROW, {"type": "object"}]}},
                                "ids": {"anyOf": [{"type": "array", "items": ID}, {"type": "null"}]},
                                "probabilities": {"type": "boolean"},
                            },
                        },
                    ]
                },
                "example": [[5.1, 3.5, 1.4, 0.2]],
            }
        },
    }
}


@router.post("/predict", openapi_extra=BODY, summary="Predict by the version that is live for the default alias")
async def predict(request: Request, response: Response, x_version: Annotated[str | None, Header()] = None) -> Any:
    """Rows in, classes and confidences out; the answer names the version that computed it."""
    return await _predict(request, response, request.app.state.settings.alias, x_version)


@router.post("/variant/{alias}/predict", openapi_extra=BODY, summary="Predict by the version that is live for an alias")
async def predict_variant(
    request: Request, response: Response, alias: str, x_version: Annotated[str | None, Header()] = None
) -> Any:
    """Rows in, classes and confidences out; the answer names the version that computed it."""
    return await _predict(request, response, alias, x_version)


async def _predict(request: Request, response: Response, alias: str, x_version: str | None) -> Any:
    started = time.perf_counter()
    settings: ServingSettings = request.app.state.settings
    asked = question(await read_json(request), settings.max_rows)
    by, answers = await _sane_answer(request, alias, x_version, asked)
    elapsed_ms = (time.perf_counter() - started) * 1000
    prediction = Prediction(_request_id(request), alias, by.model, asked, answers, elapsed_ms)
    request.app.state.metrics.predicted(alias, by.model.version, len(answers), elapsed_ms / 1000)
    if request.app.state.log and by.live:  # a version that is not live answers only who proves it
        request.app.state.log.put(prediction)
    response.headers["x-request-id"] = prediction.request_id
    return prediction.as_json()


@dataclass(frozen=True)
class Chosen:
    """The version that answers a request, and under which decision, if it is the live one when the request asks."""

    model: Model
    live: Live | None


def chosen(variants: Variants, alias: str, x_version: str | None) -> Chosen:
    """
    Return the version that answers: the live one, or the one that *x_version* pins.

    Raises:
        Problem: 404 for an alias or a version that is not in memory, 422 for no version number, 503 for no model yet.
    """
    slots = variants[alias]
    if x_version is None:
        live = slots.live or _none_live(variants, alias)
        return Chosen(live.model, live)
    model = slots.pinned(_version(x_version))
    if model is None:
        raise Problem(404, "no_such_version", "that version is not in memory for this alias")
    return Chosen(model, slots.live if slots.live and slots.live.model is model else None)


def _none_live(variants: Variants, alias: str) -> NoReturn:
    decided = variants.decided()
    if decided and alias not in decided:
        raise Problem(404, "no_such_alias", f"there are {', '.join(sorted(decided))}")
    if not decided:
        raise Problem(503, "no_model", "no model is live yet", retry_after_s=1)
    lost = isinstance(variants.failures.get(alias), LOST)
    why = "its bytes are damaged or missing" if lost else "this app could not load it yet"
    what = f"v{decided[alias].active_version} is decided for {alias}, but {why}; /readyz says more"
    raise Problem(503, "not_loaded", what, retry_after_s=1)


def _version(text: str) -> int:
    try:
        return version_number(text)
    except InvalidName as error:
        raise Problem(422, "invalid", "x-version must be a version number") from error


async def _answer(request: Request, alias: str, x_version: str | None, asked: Question) -> tuple[Chosen, Answers]:
    """Compute by the version that is live; when it is gone where it is computed, read the decision again, once."""
    state = request.app.state
    try:
        return await _answer_by(chosen(state.variants, alias, x_version), asked, state.settings.predict_timeout_s)
    except VersionGone:
        with suppress(DeliveryError):
            await state.follower.follow_now()
    return await _answer_by(chosen(state.variants, alias, x_version), asked, state.settings.predict_timeout_s)


async def _answer_by(by: Chosen, asked: Question, timeout_s: float) -> tuple[Chosen, Answers]:
    return by, await by.model.answer(tensors(asked, by.model.manifest), timeout_s)


async def _sane_answer(request: Request, alias: str, x_version: str | None, asked: Question) -> tuple[Chosen, Answers]:
    try:
        by, answers = await _answer(request, alias, x_version, asked)
    except NotInTime as error:
        raise Problem(503, "too_slow", "the model gave no answer in time", retry_after_s=1) from error
    except ModelFailed as error:
        raise Problem(503, "model_failed", "the model could not compute an answer", retry_after_s=1) from error
    except VersionGone as error:
        raise Problem(503, "engine_away", "what computes the answers is away", retry_after_s=1) from error
    if not answers.are_sane(by.model.manifest.signature):
        raise Problem(503, "model_failed", "the model's answer is not finite, or no class", retry_after_s=1)
    return by, answers


def _request_id(request: Request) -> str:
    sent = request.headers.get("x-request-id", "")
    return sent if REQUEST_ID.fullmatch(sent) else uuid4().hex
