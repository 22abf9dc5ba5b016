"""What a client gets when it sends something else: a typed error that never echoes the input."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

log = logging.getLogger(__name__)


class Problem(Exception):
    """An answer that is no prediction. *error* is for programs, *message* for persons."""

    def __init__(self, status: int, error: str, message: str, retry_after_s: int | None = None) -> None:
        """Take what the client is told; *retry_after_s* becomes the header Retry-After."""
        super().__init__(message)
        self.status = status
        self.error = error
        self.headers = {"Retry-After": str(retry_after_s)} if retry_after_s else None


def _answer(status: int, error: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"status": "error", "error": error, "message": message}, status, headers)


async def _problem(_: Request, problem: Problem) -> JSONResponse:
    return _answer(problem.status, problem.error, str(problem), problem.headers)


async def _http(_: Request, error: HTTPException) -> JSONResponse:
    return _answer(error.status_code, "http", str(error.detail), dict(error.headers or {}))


async def _validation(_: Request, error: RequestValidationError) -> JSONResponse:
    wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['type']}" for e in error.errors())
    return _answer(422, "invalid", wrong)


async def _unexpected(_: Request, error: Exception) -> JSONResponse:
    log.error("unexpected error", exc_info=error)
    return _answer(500, "unexpected", "the server failed; its log says why")


def install(app: FastAPI) -> None:
    """Answer every error of *app* in one shape."""
    app.exception_handler(Problem)(_problem)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(RequestValidationError)(_validation)
    app.exception_handler(Exception)(_unexpected)
