"""
Tell people what became of a run.

Every message carries model, alias, version, run_id and what serves now. Telling never fails a release.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.chat import Chat
from blocks.chat_webhook import ChatWebhook
from delivery.errors import CorruptRecord, telling
from delivery.records import Candidate
from delivery.store import Store
from tasks.pages import publish_no


@dataclass
class News:
    """What is told about one run; the flow fills in what it learns."""

    chat: Chat
    store: Store
    model: str
    alias: str
    run_id: str | None = None
    version: int | None = None

    def tell(self, what: str, why: str = "") -> str:
        """Send one message; return it."""
        subject = f"{self.model} {self.alias} {f'v{self.version}' if self.version else 'candidate'}"
        text = f"{what}: {subject} (run {self.run_id or 'none'})"
        text += f": {why}" if why else ""
        text += (
            ""
            if serves(self.store, self.model, self.alias) in text
            else f" | {serves(self.store, self.model, self.alias)}"
        )
        self.chat.say(text)
        return text

    def learned(self, candidate: Candidate) -> None:
        """Take the version and the run that are released."""
        self.version, self.run_id = candidate.version, candidate.run_id


@contextmanager
def announced(chat: ChatWebhook, store: Store, model: str, alias: str) -> Iterator[News]:
    """
    Tell of a failure whatever it is.

    Raises:
        DeliveryError: Of the kind of the original, which it is raised from; the message names what serves now.
    """
    news = News(chat.connect(), store, model, alias)
    try:
        yield news
    except Exception as error:
        news.tell("FAILED", str(error))
        publish_no(model, alias, "FAILED", str(error), serves(store, model, alias))
        raise telling(error, serves(store, model, alias)) from error


def serves(store: Store, model: str, alias: str) -> str:
    """Return what serves now by the decision, as a person reads it."""
    try:
        return store.current(model).describe(alias)
    except CorruptRecord as error:
        return f"the decision is unreadable: {error}"
