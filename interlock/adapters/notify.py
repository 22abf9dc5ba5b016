"""Messages to people: one POST of `{"text": ...}`, as Slack, Mattermost and others take it."""

import logging
from typing import Protocol

import httpx

from interlock.adapters.http import HttpClient
from interlock.errors import DeliveryError

log = logging.getLogger(__name__)


class Chat(Protocol):
    """Where people are told."""

    def say(self, text: str) -> bool:
        """Send *text*; return whether it arrived."""


class Webhook:
    """A webhook that takes `{"text": ...}`. Its URL is a secret."""

    def __init__(self, url: str, timeout_s: float) -> None:
        """Nothing is opened before the first message."""
        self._url = url
        self._timeout_s = timeout_s

    def say(self, text: str) -> bool:
        """Send *text*; a failure is logged without the URL and never raised: telling must not fail a release."""
        try:
            HttpClient(self._url, self._timeout_s).call("POST", self._url, json={"text": text})
        except (DeliveryError, httpx.InvalidURL) as error:
            log.warning("the chat was not told (%s): %s", type(error).__name__, text)
            return False
        return True


class Silence:
    """Nobody to tell: no webhook is configured. Whoever tells logs what is told, with a chat or without."""

    def say(self, text: str) -> bool:  # noqa: ARG002 - of the protocol
        """Tell nobody."""
        return False
