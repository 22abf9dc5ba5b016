"""Who may stage and reload: whoever sends a valid `x-token`. Compared in constant time, on bytes."""

from hmac import compare_digest
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import APIKeyHeader

from interlock.serving.problem import Problem
from interlock.settings import ServingSettings

TOKEN = APIKeyHeader(name="x-token", auto_error=False, description="One of the app's tokens.")
"""For OpenAPI's page; the token is compared here, on bytes."""


def needs_token(request: Request, _: Annotated[str | None, Security(TOKEN)] = None) -> None:
    """
    Let only requests with a valid token pass; the settings may waive it.

    Raises:
        Problem: 401.
    """
    settings: ServingSettings = request.app.state.settings
    if settings.without_token:
        return
    sent = request.headers.get("x-token", "").encode("latin-1", "replace")
    try:
        tokens = settings.valid_tokens()
    except OSError as error:
        raise Problem(401, "unauthorized", "the server's tokens cannot be read") from error
    if not any([compare_digest(sent, token) for token in tokens]):  # noqa: C419 - compare with all, in constant time
        raise Problem(401, "unauthorized", "a valid x-token is needed")


def predict_may_need_token(request: Request) -> None:
    """Ask for the token on predictions, when the settings say so."""
    if request.app.state.settings.predict_needs_token:
        needs_token(request)
