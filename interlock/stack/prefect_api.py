"""What the local stack's Prefect server asks of whoever comes, and a small client that has it."""

import base64
import shlex
from functools import partial
from typing import Any, Self
from uuid import uuid4

import httpx
from pydantic import SecretStr

from interlock.adapters.deadline import Allowance, Overdue, within
from interlock.secret_file import write_secret
from interlock.settings import Settings
from interlock.stack.errors import StackError
from interlock.waiting import waited_for

TIMEOUT_S = 10.0
BUSY_S = 0.3
"""Pause before a call is made again: Prefect answers 503, having done nothing, while another holds its SQLite."""


def choose_auth(settings: Settings, *, runs: bool) -> None:
    """
    Let the server ask for what PREFECT_SERVER_API_AUTH_STRING says, if it is set; else for what it asked for before.

    Raises:
        StackError: The server *runs* and asks for something else.
    """
    chosen = settings.prefect_auth_string.get_secret_value().strip() if settings.prefect_auth_string else ""
    if chosen in ("", settings.prefect_login().get_secret_value()):
        return
    if runs:
        msg = (
            f"PREFECT_SERVER_API_AUTH_STRING is not what the running server asks for ({settings.prefect_login_file}): "
            "unset it, or `make down` first"
        )
        raise StackError(msg)
    write_secret(settings.prefect_login_file, chosen)


def auth_for_shell(settings: Settings) -> str:
    """Return what a shell exports to be let in, without showing it."""
    return f'PREFECT_API_AUTH_STRING="$(cat {shlex.quote(str(settings.prefect_login_file))})"'


class PrefectApi:
    """Asks a Prefect server without Prefect's client, whose import costs two seconds; *timeout_s* is for each call."""

    def __init__(self, url: str, login: SecretStr | None, timeout_s: float = TIMEOUT_S) -> None:
        """Take the API's URL and what it asks for; nothing is asked before the first call."""
        self.url, self._timeout_s, self._client = url, timeout_s, f"interlock-{uuid4()}"
        encoded = base64.b64encode(login.get_secret_value().encode()).decode() if login else ""
        self._headers = {"Authorization": f"Basic {encoded}"} if login else {}

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the local stack's own."""
        return cls(settings.prefect_api, settings.prefect_login())

    def get(self, path: str) -> Any:
        """
        Return what is at *path*.

        Raises:
            StackError: It does not answer, or with an error.
        """
        return _good(self._ask("GET", path))

    def has(self, path: str) -> bool:
        """Return whether it answers that there is something at *path*."""
        try:
            self.get(path)
        except StackError:
            return False
        return True

    def post(self, path: str, body: object) -> Any:
        """
        Post *body*, with the token without which the server takes nothing.

        Raises:
            StackError: It does not answer, or with an error.
        """
        token = self._ask("GET", f"csrf-token?client={self._client}")
        wanted = token.status_code != httpx.codes.UNPROCESSABLE_ENTITY  # it says that it wants none
        csrf = {"Prefect-Csrf-Token": _good(token)["token"], "Prefect-Csrf-Client": self._client} if wanted else {}
        return _good(self._ask("POST", path, body, csrf))

    def _ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        url, sent = f"{self.url}/{path}", self._headers | (headers or {})
        request = partial(httpx.request, method, url, json=body, headers=sent, timeout=self._timeout_s)
        allowance = Allowance(self._timeout_s)
        try:
            answer = waited_for(
                partial(within, allowance, request, lambda: None),
                longest_s=self._timeout_s - 2 * BUSY_S,  # the last question has time for its answer
                pause_s=BUSY_S,
                enough=lambda answer: answer.status_code != httpx.codes.SERVICE_UNAVAILABLE,
            )
        except (Overdue, httpx.TransportError, httpx.InvalidURL) as error:
            raise StackError(f"Prefect does not answer {url}: {type(error).__name__}") from error
        return answer


def _good(answer: httpx.Response) -> Any:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise StackError(
            f"Prefect does not let us in at {answer.url}: `make down && make up` agrees on the login again"
        )
    if not answer.is_success:
        raise StackError(f"Prefect answers {answer.url} with {answer.status_code}")
    return answer.json()
