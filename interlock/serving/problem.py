"""Error responses: one JSON shape for every route and for what is no HTTP; the input is never echoed."""

import logging
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from interlock.serving.seldom import Seldom

GONE = 499
"""nginx' status for a client that hung up; no client sees it."""
log = logging.getLogger(__name__)
hung_up = Seldom(log.warning, "%d clients so far hung up before their request was whole")


class Error(BaseModel):
    """The body of every error response."""

    status: Literal["error"]
    error: str = Field(description="The kind, for programs.", examples=["invalid"])
    message: str = Field(description="What is wrong, for people. It never repeats the input.")


WHEN = {
    400: "It is not HTTP, or the body is not JSON.",
    401: "A valid x-token is needed.",
    403: "A page of another origin asks.",
    404: "There is no such alias, or the version is not in memory.",
    408: "The request took too long to arrive.",
    409: "It cannot be done now, or not by this app.",
    413: "The body is too large, or has too many rows.",
    422: "The content is not valid; the message names where.",
    431: "The header is too large.",
    503: "Nothing can answer now. Come back after `Retry-After` seconds.",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how OpenAPI describes a route's error responses."""
    return {status: {"model": Error, "description": WHEN[status]} for status in statuses}


EVERYWHERE = errors(400, 403, 408, 431, 503)
"""What any route may answer: its connection has rules of its own."""


class Problem(HTTPException):
    """
    An error response that a route raises.

    It is an HTTPException because FastAPI lets no other exception through while it reads a body.
    """

    def __init__(self, status: int, error: str, message: str, retry_after_s: int | None = None) -> None:
        """Take the kind, for programs, and the message, for people; *retry_after_s* becomes the header Retry-After."""
        super().__init__(status, message, {"Retry-After": str(retry_after_s)} if retry_after_s else None)
        self.error = error


def answer(status: int, error: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an error as a client gets it."""
    return JSONResponse({"status": "error", "error": error, "message": message}, status, headers)


async def _problem(_: Request, problem: Problem) -> JSONResponse:
    return answer(problem.status_code, problem.error, problem.detail, dict(problem.headers or {}))


async def _http(_: Request, error: HTTPException) -> JSONResponse:
    return answer(error.status_code, "http", str(error.detail), dict(error.headers or {}))


async def _validation(_: Request, error: RequestValidationError) -> JSONResponse:
    wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['type']}" for e in error.errors())
    return answer(422, "invalid", wrong)


async def _hung_up(_: Request, __: ClientDisconnect) -> JSONResponse:
    """Log one line instead of a traceback; nobody is there to get an answer, but the metrics count this one."""
    hung_up.happened()
    return answer(GONE, "client_gone", "the client hung up before its request was whole")


async def _unexpected(_: Request, error: Exception) -> JSONResponse:
    log.error("unexpected error", exc_info=error)
    return answer(500, "unexpected", "the server failed; its log says why")


def install(app: FastAPI) -> None:
    """Answer every error of *app* in one shape."""
    app.exception_handler(Problem)(_problem)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(ClientDisconnect)(_hung_up)
    app.exception_handler(RequestValidationError)(_validation)
    app.exception_handler(Exception)(_unexpected)
