"""
Tell people what became of a run: one call sends a message to the chat and the run's log, and publishes a page.

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
from interlock.errors import DeliveryError, InvalidName, Refused
from interlock.records import Candidate
from interlock.release.engine import Sighting
from interlock.release.gate import Verdict
from interlock.release.message import ended, message, serving
from interlock.release.page import page_name
from interlock.release.preflight import Answers
from interlock.release.steps import Release
from interlock.store import Store
from interlock.upkeep.reconcile import Report
from tasks.pages import publish_notice, publish_release, publish_reports

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]
_told: set[str] = set()
"""The flow runs of this process whose end was told: the hook, which runs after them, must not tell it again."""


@dataclass
class Announcer:
    """
    Tells about one run; the flow fills in what it learns.

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
    def serves(self) -> str | None:
        """What serves now, as a person reads it; None where nobody can tell."""
        return serves(self.store, self.model, self.alias, self.seen) if self.store else None

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
        """Tell how a run ended that released nothing; return the message, without the link to the run."""
        return self._tell(what, why, self.serves)

    def released(self, release: Release, verdict: Verdict | None = None) -> str:
        """Tell of a release or a rollback that is done; return the message, without the link to the run."""
        what, why = ended(release)
        publish_release(release, verdict)
        return self._say(message(what, self._about, why, self.serves))

    def reconciled(self, reports: Sequence[Report]) -> list[str]:
        """Tell what a pass found; return the messages. What is being released is told when that has ended."""
        publish_reports(reports)
        for report in reports:
            if report.found and report.busy is None:
                self._say(f"RECONCILED {report.told}")
        return [f"RECONCILED {report.told}" for report in reports if report.found]

    def failed(self, error: Exception) -> DeliveryError:
        """Tell of a failure; return it as an error whose message names what serves now."""
        told = DeliveryError.of(error)
        if told.serves is None:
            told.serves = self.serves
        self._tell("FAILED", told.what, told.now)
        return told

    @property
    def _about(self) -> str:
        return f"{self.subject} (run {self.run_id or 'none'})"

    def _tell(self, what: str, why: str, now: str | None) -> str:
        publish_notice(self.page, f"{self.subject}: {what}", why, now)
        return self._say(message(what, self._about, why, now))

    def _say(self, text: str) -> str:
        """Send *text*, and a link to the run."""
        _told.add(self.flow_run_id)
        self.log.info("%s", text)
        try:
            link = url_for("flow-run", self.flow_run_id)
            self.chat.say(f"{text} | {link}" if link else text)
        except Exception as error:  # noqa: BLE001 - whatever it is, telling must not hide what is told
            self.log.warning("the chat was not told: %s", type(error).__name__)
        return text


def has_told(flow_run_id: str) -> bool:
    """Whether this process told how that run ended."""
    return flow_run_id in _told


@contextmanager
def announced(chat: str, model: str, alias: str, subject: str = "", page: str = "") -> Iterator[Announcer]:
    """
    Tell of a failure whatever it is.

    What a rule refuses, such as a typo, is a sentence and no bug: it is not raised, which would put a traceback into
    the log, but left as the failed state `Announcer.ended`, which the flow returns.

    Raises:
        NotFound: There is no such chat.
        DeliveryError: Why the run failed; the message names what serves now.
    """
    announcer = Announcer(
        chat=ChatWebhook.named(chat).connect(),
        log=get_run_logger(),
        flow_run_id=str(flow_run.id),
        model=model,
        alias=alias,
        subject=subject or f"{model} {alias} candidate",
        page=page or page_name(model, alias),
    )
    try:
        yield announcer
    except Refused as refused:
        announcer.ended = Failed(message=str(announcer.failed(refused)), data=refused)
        return
    except Exception as error:  # noqa: BLE001 - raised below
        failed = announcer.failed(error)
    else:
        return
    raise failed


def serves(store: Store, model: str, alias: str, seen: Sequence[Sighting] = ()) -> str | None:
    """Return what serves now, as a person reads it: by the decision, and by those of *seen* that do otherwise."""
    try:
        return serving(store.current(model), alias, seen)
    except InvalidName:
        return None  # there is no such model, so nothing can serve
    except Exception as error:  # noqa: BLE001 - whatever it is, telling must not hide what is told
        return f"what serves is not known: {error}"
