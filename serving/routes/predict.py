"""Predictions: un-pinned by the live version, or pinned by `x-version` to any version in memory."""

import asyncio
import re
import time
from contextlib import suppress
from typing import Annotated, Any
from uuid import uuid4

import numpy as np
from fastapi import APIRouter, Depends, Header, Request, Response

from delivery.errors import DeliveryError, InvalidName
from delivery.manifest import Rows
from delivery.names import version_number
from serving.answers import Columns, Record
from serving.auth import predict_may_need_token
from serving.body import LARGEST_ID, LONGEST_ID, Question, matrix, question, read_json
from serving.model import Answers, Model, ModelFailed, TooSlow, VersionGone
from serving.prediction import Prediction
from serving.problem import Problem, errors
from serving.settings import Settings
from serving.variants import Slots, Variants

router = APIRouter(
    tags=["predict"],
    dependencies=[Depends(predict_may_need_token)],
    responses={200: {"model": Columns | Record | list[Record]}, **errors(401, 404, 413, 422)},
)
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
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
ROW: dict[str, Any] = {"type": "array", "minItems": 1, "items": {"type": ["number", "null"]}}
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
    settings: Settings = request.app.state.settings
    asked = question(await read_json(request), settings.max_rows)
    model, rows, answers = await _finite_answer(request, alias, x_version, asked)
    elapsed_ms = (time.perf_counter() - started) * 1000
    prediction = Prediction(_request_id(request), alias, model, asked, rows, answers, elapsed_ms)
    request.app.state.metrics.predicted(alias, model.version, len(rows), elapsed_ms / 1000)
    _log(request, prediction)
    response.headers["x-request-id"] = prediction.request_id
    return prediction.as_json()


def _log(request: Request, prediction: Prediction) -> None:
    """Log what a client was answered; a version that is not live answers only who proves it."""
    live = request.app.state.variants[prediction.alias].live
    if request.app.state.log and live and live.model is prediction.model:
        request.app.state.log.put(prediction)


def chosen(variants: Variants, alias: str, x_version: str | None) -> Model:
    """
    Return the version that answers: the live one, or the one that *x_version* pins.

    Raises:
        Problem: 404 for an alias or a version that is not in memory, 422 for no version number, 503 for no model yet.
    """
    slots: Slots = variants[alias]
    if x_version is not None:
        model = slots.pinned(_version(x_version))
        if model is None:
            raise Problem(404, "no_such_version", "that version is not in memory for this alias")
        return model
    if slots.live:
        return slots.live.model
    if variants.decided - {alias} and alias not in variants.decided:
        raise Problem(404, "no_such_alias", f"there are {', '.join(sorted(variants.decided))}")
    raise Problem(503, "no_model", "no model is live yet", retry_after_s=1)


def _version(text: str) -> int:
    try:
        return version_number(text)
    except InvalidName as error:
        raise Problem(422, "invalid", "x-version must be a version number") from error


async def _answer(request: Request, alias: str, x_version: str | None, asked: Question) -> tuple[Model, Rows, Answers]:
    """Compute by the version that is live; when it is gone where it is computed, read the decision again, once."""
    state = request.app.state
    model = chosen(state.variants, alias, x_version)
    rows = matrix(asked, model.manifest)
    try:
        return model, rows, await model.answer(rows, state.settings.predict_timeout_s)
    except VersionGone:
        with suppress(DeliveryError):
            await asyncio.to_thread(state.follower.follow_now)
    model = chosen(state.variants, alias, x_version)
    return model, rows, await model.answer(rows, state.settings.predict_timeout_s)


async def _finite_answer(
    request: Request, alias: str, x_version: str | None, asked: Question
) -> tuple[Model, Rows, Answers]:
    try:
        model, rows, answers = await _answer(request, alias, x_version, asked)
    except TooSlow as error:
        raise Problem(503, "too_slow", "the model gave no answer in time", retry_after_s=1) from error
    except ModelFailed as error:
        raise Problem(503, "model_failed", "the model could not compute an answer", retry_after_s=1) from error
    except VersionGone as error:
        raise Problem(503, "engine_away", "what computes the answers is away", retry_after_s=1) from error
    if not np.isfinite(answers.probabilities).all():
        raise Problem(503, "model_failed", "the model's answer is not finite", retry_after_s=1)
    return model, rows, answers


def _request_id(request: Request) -> str:
    sent = request.headers.get("x-request-id", "")
    return sent if REQUEST_ID.fullmatch(sent) else uuid4().hex
