"""
Tell people: chat messages, and the release's page in the Prefect UI.

Every message carries model, alias, version, run_id and what serves now. Telling never fails a release.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from prefect.artifacts import create_markdown_artifact
from prefect.exceptions import PrefectException

from adapters.chat import Chat
from blocks.chat_webhook import ChatWebhook
from delivery.errors import CorruptRecord, telling
from delivery.gate import Verdict
from delivery.records import Candidate, Current
from delivery.release import Release
from delivery.store import Store

log = logging.getLogger(__name__)


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
        raise telling(error, serves(store, model, alias)) from error


def serves(store: Store, model: str, alias: str) -> str:
    """Return what serves now by the decision, as a person reads it."""
    try:
        return store.current(model).describe(alias)
    except CorruptRecord as error:
        return f"the decision is unreadable: {error}"


def publish_release(release: Release, verdict: Verdict | None) -> None:
    """Put the release's page into the Prefect UI: before, after, gate, checks."""
    candidate = release.candidate
    rows = "\n".join(f"| {check.step} | {check.ms:.1f} | {check.detail} |" for check in release.checks)
    _publish(
        candidate.model,
        candidate.alias,
        f"# {candidate.model} {candidate.alias}: v{candidate.version} released\n\n"
        f"| | version | epoch | run_id | sha256 |\n|---|---|---|---|---|\n"
        f"{_side('before', release.before, candidate.alias)}\n{_side('after', release.current, candidate.alias)}\n\n"
        f"**Outcome**: {release.outcome}\n\n{_gate(verdict)}"
        f"## Checks\n\n| step | ms | detail |\n|---|---|---|\n{rows}\n",
    )


def publish_no(news: News, title: str, why: str) -> None:
    """Put a page about a run that released nothing into the Prefect UI."""
    now = serves(news.store, news.model, news.alias)
    _publish(news.model, news.alias, f"# {news.model} {news.alias}: {title}\n\n{why}\n\n**Now**: {now}\n")


def _side(name: str, current: Current, alias: str) -> str:
    variant = current.variants.get(alias)
    if variant is None:
        return f"| {name} | nothing | {current.epoch} | | |"
    return f"| {name} | v{variant.active_version} | {current.epoch} | `{variant.run_id}` | `{variant.sha256[:12]}` |"


def _gate(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    champion = "not asked" if verdict.champion is None else f"{verdict.champion:.4f}"
    return (
        f"## Gate\n\n| metric | value | threshold | champion |\n|---|---|---|---|\n"
        f"| {verdict.metric} | {verdict.value:.4f} | > {verdict.threshold:g} | {champion} |\n\n"
    )


def _publish(model: str, alias: str, markdown: str) -> None:
    key = re.sub(r"[^a-z0-9]+", "-", f"release-{model}-{alias}".lower())
    try:
        create_markdown_artifact(markdown, key=key, description=f"Releases of {model} under {alias}")
    except (PrefectException, httpx.HTTPError) as error:
        log.warning("the release's page could not be published: %s", error)
