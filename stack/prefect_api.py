"""The local stack's own Prefect server: what it asks of whoever comes, and a small client that has it."""

import base64
import shlex
from typing import Any
from uuid import uuid4

import httpx

from blocks.secret_file import write_secret
from blocks.settings import Settings
from stack.errors import StackError

TIMEOUT_S = 10.0


def choose_auth(settings: Settings, *, runs: bool) -> None:
    """
    Let the server ask for what PREFECT_SERVER_API_AUTH_STRING says, if it is set; else for what it asked for before.

    Raises:
        StackError: The server *runs* and asks for something else.
    """
    chosen = settings.prefect_auth_string.get_secret_value().strip() if settings.prefect_auth_string else ""
    if chosen in ("", settings.prefect_auth().get_secret_value()):
        return
    if runs:
        msg = (
            f"PREFECT_SERVER_API_AUTH_STRING is not what the server that runs asks for ({settings.prefect_auth_file}): "
            "unset it, or `make down` first"
        )
        raise StackError(msg)
    write_secret(settings.prefect_auth_file, chosen)


def auth_for_shell(settings: Settings) -> str:
    """Return what a shell exports to be let in, without showing it."""
    return f'PREFECT_API_AUTH_STRING="$(cat {shlex.quote(str(settings.prefect_auth_file))})"'


class PrefectApi:
    """Asks the server without Prefect's client, whose import costs two seconds."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is asked before the first call."""
        self.url, self._file = settings.prefect_api, settings.prefect_auth_file
        self._client = f"interlock-{uuid4()}"
        auth = base64.b64encode(settings.prefect_auth().get_secret_value().encode()).decode()
        self._headers = {"Authorization": f"Basic {auth}"}

    def get(self, path: str) -> Any:
        """
        Return what is at *path*.

        Raises:
            StackError: It does not answer, or with an error.
        """
        return self._ask("GET", path)

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
        token = self.get(f"csrf-token?client={self._client}")["token"]
        return self._ask("POST", path, body, {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": self._client})

    def _ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        url, sent = f"{self.url}/{path}", self._headers | (headers or {})
        try:
            answer = httpx.request(method, url, json=body, headers=sent, timeout=TIMEOUT_S)
        except httpx.TransportError as error:
            raise StackError(f"Prefect does not answer {url}: {type(error).__name__}") from error
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise StackError(f"Prefect asks for something else than {self._file} says: `make down && make up`")
        if not answer.is_success:
            raise StackError(f"Prefect answers {url} with {answer.status_code}")
        return answer.json()
