"""One way to call over HTTP, and to tell nobody answered from a no and from a wrong answer."""

import ssl
import weakref
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from delivery.errors import Broken, DeliveryError, NotFound, Refused, Unreachable

M = TypeVar("M", bound=BaseModel)
BUSY_STATUSES = {408, 425, 429}
NOBODY_BEHIND = {502, 504}
LONGEST_MESSAGE = 500


class HttpClient:
    """
    Calls one address, each call with the same timeout; no retries of its own and no redirects.

    Args:
        base_url: `http://` or `https://`.
        timeout_s: For connecting and for each read.
        headers: Sent with every call; secret values in it never reach a message.
        auth: User and password, for basic authentication.
        server_error: What a 5xx means: nobody there (retry), or on Triton a model that failed (roll back).
    """

    def __init__(
        self,
        base_url: str,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        server_error: type[DeliveryError] = Unreachable,
    ) -> None:
        """Nothing is opened before the first call."""
        self.base_url = base_url.rstrip("/")
        self.timeout_s = timeout_s
        self._server_error = server_error
        self._client = httpx.Client(
            base_url=self.base_url, timeout=timeout_s, headers=headers, auth=auth, verify=_trusted()
        )
        weakref.finalize(self, self._client.close)

    def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        """
        Return a 2xx answer.

        Raises:
            Unreachable: No answer, a server error, or "come back later".
            NotFound: 404.
            Refused: Any other 3xx or 4xx.
        """
        try:
            response = self._client.request(method, path, **request)
        except httpx.HTTPError as error:
            msg = f"{self.base_url} does not answer {method} {path}: {type(error).__name__}"
            raise Unreachable(msg) from error
        if not response.is_success:
            raise self._failure(response, f"{self.base_url} answers {response.status_code} to {method} {path}")
        return response

    def ask(self, method: str, path: str, answer: type[M], **request: Any) -> M:
        """
        Return a 2xx answer's JSON as *answer*. Raises as `call`, and Broken when the JSON is no *answer*.

        Raises:
            Broken: A 2xx whose body is something else.
        """
        response = self.call(method, path, **request)
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            msg = f"{self.base_url} answers {method} {path} with something that is no {answer.__name__}"
            raise Broken(msg) from error

    def is_answered(self, path: str) -> bool:
        """Return whether anybody answers, whatever it is; not a gateway that says that nobody is behind it."""
        try:
            status = self._client.get(path).status_code
        except httpx.HTTPError:
            return False
        return status not in NOBODY_BEHIND

    def _failure(self, response: httpx.Response, what: str) -> DeliveryError:
        try:
            body = ErrorBody.model_validate_json(response.content)
        except ValidationError:
            body = ErrorBody()
        why = body.message or body.error
        msg = f"{what}: {why[:LONGEST_MESSAGE]}" if why else what
        if response.status_code in BUSY_STATUSES:
            return Unreachable(msg)
        if response.is_server_error:
            return self._server_error(msg)
        if body.error == "broken":
            return Broken(msg)
        kind = NotFound if response.status_code == httpx.codes.NOT_FOUND else Refused
        return kind(msg)


@cache
def _trusted() -> ssl.SSLContext:
    """Return the machine's certificates, read once: that costs more than a release's other calls together."""
    return ssl.create_default_context()


class ErrorBody(BaseModel):
    """The shapes of an error that are understood: the serving app's, MLflow's and Triton's."""

    error: str = ""
    message: str = ""
