"""One way to call over HTTP, and to tell apart: nobody answers, a no, and another program's answer."""

import ssl
import weakref
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from io import BytesIO
from typing import Any, BinaryIO, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from interlock.adapters.deadline import Allowance, Overdue, within
from interlock.errors import DeliveryError, Garbled, NotFound, Refused, Unreachable

M = TypeVar("M", bound=BaseModel)
BUSY_STATUSES = {408, 425, 429}
NOBODY_BEHIND = {502, 503, 504}
LONGEST_MESSAGE = 500
LARGEST = 16 << 20
"""Bytes of an answer that is kept in memory."""
PLAIN = {"accept-encoding": "identity"}
"""A compressed answer may inflate to a thousand times what was sent, so none is asked for, and none is taken."""


class HttpClient:
    """
    Calls one address, each call with the same deadline; no retries of its own and no redirects.

    Args:
        base_url: `http://` or `https://`.
        timeout_s: For a whole call, however slowly the peer sends.
        headers: Sent with every call; secret values in it never reach a message.
        auth: User and password, for basic authentication.
        direct: Whether no proxy of the environment comes between.
        verdicts: What the `error` of a 422 of this peer means, where it is more than a no.
    """

    def __init__(
        self,
        base_url: str,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        verdicts: Mapping[str, type[DeliveryError]] | None = None,
        *,
        direct: bool = False,
    ) -> None:
        """Nothing is opened before the first call."""
        self.base_url = base_url.rstrip("/")
        self.timeout_s = timeout_s
        self._headers = PLAIN | dict(headers or {})
        self._auth = auth
        self._direct = direct
        self._verdicts = verdicts or {}
        self._client = self._opened()

    def call(
        self,
        method: str,
        path: str,
        *,
        into: BinaryIO | None = None,
        largest: int = LARGEST,
        sending: int = 0,
        **request: Any,
    ) -> bytes:
        """
        Return the body of a 2xx answer, or write it to *into* as it arrives.

        Args:
            method: Of HTTP.
            path: Below the base URL.
            into: A file; the transfer earns time by the bytes that arrive, and nothing is returned.
            largest: Most bytes that the body may have.
            sending: Bytes of the request's body, where they are many: the deadline allows for them.
            request: As httpx takes it.

        Raises:
            Unreachable: No whole answer within the deadline, a server error, or "come back later".
            NotFound: 404.
            Garbled: The body is larger than *largest*, or compressed.
            Refused: Any other 3xx or 4xx.
        """
        allowance = Allowance(self.timeout_s)
        allowance.earn(sending)
        status, body = self._exchange(method, path, allowance, request, into, largest)
        if not 200 <= status < 300:  # noqa: PLR2004 - success, in HTTP
            raise self._failure(status, body, f"{self.base_url} answers {status} to {method} {path}")
        return body

    def ask(self, method: str, path: str, answer: type[M], **request: Any) -> M:
        """
        Return a 2xx answer's JSON as *answer*. Raises as `call`.

        Raises:
            Garbled: A 2xx whose body is something else.
        """
        body = self.call(method, path, **request)
        try:
            return answer.model_validate_json(body)
        except ValidationError as error:
            msg = f"{self.base_url} answers {method} {path} with something that is no {answer.__name__}"
            raise Garbled(msg) from error

    def is_answered(self, path: str) -> bool:
        """Return whether anybody answers, whatever it is; not a gateway that says that nobody is behind it."""
        try:
            status, body = self._exchange("GET", path, Allowance(self.timeout_s), {})
        except Unreachable:
            return False
        except Garbled:
            return True
        return status not in NOBODY_BEHIND or ErrorBody.of(body).is_the_apps

    def is_well(self, path: str) -> bool:
        """Return whether a 2xx comes from there."""
        try:
            self.call("GET", path)
        except DeliveryError:
            return False
        return True

    def _exchange(
        self,
        method: str,
        path: str,
        allowance: Allowance,
        request: dict[str, Any],
        into: BinaryIO | None = None,
        largest: int = LARGEST,
    ) -> tuple[int, bytes]:
        client = self._client
        what = f"{self.base_url} does not answer {method} {path}"

        def receive() -> tuple[int, bytes]:
            with client.stream(method, path, timeout=allowance.seconds, **request) as response:
                return response.status_code, _body(response, into, largest, allowance)

        try:
            return within(allowance, receive, self._start_anew)
        except (Overdue, httpx.TimeoutException) as error:
            msg = f"{what} within {allowance.seconds:.3g} s"
            raise Unreachable(msg) from error
        except httpx.HTTPError as error:
            msg = f"{what}: {type(error).__name__}"
            raise Unreachable(msg) from error
        except TooMuch as error:
            msg = f"{self.base_url} answers {method} {path} with {error}"
            raise Garbled(msg) from error

    def _start_anew(self) -> None:
        """Close what an abandoned call waits on, and make new connections from now on."""
        left, self._client = self._client, self._opened()
        left.close()

    def _opened(self) -> httpx.Client:
        client = httpx.Client(
            base_url=self.base_url,
            headers=self._headers,
            auth=self._auth,
            verify=trusted(),
            trust_env=not self._direct,
        )
        weakref.finalize(self, client.close)
        return client

    def _failure(self, status: int, content: bytes, what: str) -> DeliveryError:
        body = ErrorBody.of(content)
        why = body.message or body.error
        msg = f"{what}: {why[:LONGEST_MESSAGE]}" if why else what
        if status in BUSY_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Unreachable(msg)
        if status == HTTPStatus.UNPROCESSABLE_ENTITY and body.error in self._verdicts:
            return self._verdicts[body.error](msg)
        kind = NotFound if status == HTTPStatus.NOT_FOUND else Refused
        return kind(msg)


class TooMuch(Exception):
    """A body that is larger than it may be, or compressed; the message says which."""


def _body(response: httpx.Response, into: BinaryIO | None, largest: int, allowance: Allowance) -> bytes:
    """Return the body, or write that of a 2xx to *into*; piece by piece, so that none is larger than it may be."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise TooMuch("a compressed body")
    memory, size = BytesIO(), 0
    transfer = into if into and response.is_success else None
    for piece in response.iter_raw():
        size += len(piece)
        if size > largest:
            msg = f"more than the {largest} bytes that it may have"
            raise TooMuch(msg)
        if transfer:
            allowance.earn(len(piece))
        allowance.check()
        (transfer or memory).write(piece)
    return memory.getvalue()


@cache
def trusted() -> ssl.SSLContext:
    """Return the machine's certificates, read once: that costs more than a release's other calls together."""
    return ssl.create_default_context()


class ErrorBody(BaseModel):
    """The shapes of an error that are understood: the serving app's, MLflow's and Triton's."""

    status: str = ""
    error: str = ""
    message: str = ""

    @classmethod
    def of(cls, content: bytes) -> "ErrorBody":
        """Return the error in *content*, an empty one if there is none."""
        try:
            return cls.model_validate_json(content)
        except ValidationError:
            return cls()

    @property
    def is_the_apps(self) -> bool:
        """Whether the serving app says it: a gateway does not speak like this."""
        return self.status == "error" and bool(self.error)
