"""
Tell people what became of a run: in the chat, and in the run's own log.

Every message says what ended how, for which model, alias, version and training run, what serves now, and links to the
flow run. Telling never raises: it must neither fail a release nor hide why one failed.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Failed
from prefect.utilities.urls import url_for

from blocks.chat_webhook import ChatWebhook
from interlock.adapters.notify import Chat
from interlock.errors import DeliveryError, InvalidName, Refused, telling
from interlock.records import Candidate
from interlock.release.engine import Sighting
from interlock.release.message import message, serving
from interlock.release.page import page_name
from interlock.release.preflight import Answers
from interlock.store import Store
from tasks.pages import publish_no

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]
_told: set[str] = set()
"""The flow runs of this process whose end was told: the hook, which runs after them, must not tell it again."""


@dataclass
class News:
    """
    What is told about one run; the flow fills in what it learns.

    Args:
        subject: What the run is about, until it is known by its version.
        page: Name of the page that says why nothing was released.
        store: Says what serves; None until it is found.
        seen: What replicas said when they were asked.
        ended: The state of a run that was refused.
    """

    chat: Chat
    log: Log
    flow_run_id: str
    model: str
    alias: str
    subject: str
    page: str
    run_id: str | None = None
    store: Store | None = None
    seen: Sequence[Sighting] = ()
    ended: State[Any] = field(init=False)

    @property
    def serves(self) -> str:
        """What serves now, as a person reads it; empty where nobody can tell."""
        return serves(self.store, self.model, self.alias, self.seen) if self.store else ""

    def learned(self, candidate: Candidate) -> None:
        """Take the version and the run that are released."""
        self.run_id, self.subject = candidate.run_id, f"{candidate.model} {candidate.alias} v{candidate.version}"

    def heard(self, answers: Answers) -> None:
        """
        Take what the engines answered, as far as it is of interest: when one of them keeps the run from going on.

        Raises:
            Refused: An engine says no.
            Unreachable: A replica does not answer.
        """
        self.seen = answers.seen
        answers.check()
        self.seen = ()

    def tell(self, what: str, why: str = "") -> str:
        """Send one message about the run's end; return it, without the link to the run that it is about."""
        return self.say(message(what, f"{self.subject} (run {self.run_id or 'none'})", why, self.serves))

    def say(self, text: str) -> str:
        """Send *text*, and a link to the run."""
        _told.add(self.flow_run_id)
        self.log.info("%s", text)
        try:
            link = url_for("flow-run", self.flow_run_id)
            self.chat.say(f"{text} | {link}" if link else text)
        except Exception as error:  # noqa: BLE001 - whatever it is, telling must not hide what is told
            self.log.warning("the chat was not told: %s", type(error).__name__)
        return text

    def publish(self, what: str, why: str) -> None:
        """Put a page about a run that released nothing into the Prefect UI."""
        publish_no(self.page, f"{self.model} {self.alias}: {what}".strip(), why, self.serves)

    def failed(self, error: Exception) -> DeliveryError:
        """Tell of a failure; return it as an error whose message names what serves now."""
        self.tell("FAILED", str(error))
        self.publish("FAILED", str(error))
        return telling(error, self.serves)


def has_told(flow_run_id: str) -> bool:
    """Whether this process told how that run ended."""
    return flow_run_id in _told


@contextmanager
def announced(chat: str, model: str, alias: str, subject: str = "", page: str = "") -> Iterator[News]:
    """
    Tell of a failure whatever it is.

    What a rule refuses, such as a typo, is a sentence and no bug: it is not raised, which would put a traceback into
    the log, but left as the failed state `News.ended`, which the flow returns.

    Raises:
        NotFound: There is no such chat.
        DeliveryError: Of the kind of the original, which it is raised from; the message names what serves now.
    """
    news = News(
        chat=ChatWebhook.named(chat).connect(),
        log=get_run_logger(),
        flow_run_id=str(flow_run.id),
        model=model,
        alias=alias,
        subject=subject or f"{model} {alias} candidate",
        page=page or page_name(model, alias),
    )
    try:
        yield news
    except Refused as refused:
        failed = news.failed(refused)
        news.ended = Failed(message=str(failed), data=failed)
    except Exception as error:
        raise news.failed(error) from error


def serves(store: Store, model: str, alias: str, seen: Sequence[Sighting] = ()) -> str:
    """Return what serves now, as a person reads it: by the decision, and by those of *seen* that do otherwise."""
    try:
        return serving(store.current(model), alias, seen)
    except InvalidName:
        return ""  # there is no such model, so nothing can serve
    except Exception as error:  # noqa: BLE001 - whatever it is, telling must not hide what is told
        return f"what serves is not known: {error}"
