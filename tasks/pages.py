"""Pages in the Prefect UI, as artifacts. A page that cannot be published never fails a run."""

import logging
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast
from uuid import UUID

import httpx
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.exceptions import PrefectException

from delivery.gate import Verdict
from delivery.reconcile import Report
from delivery.records import Current, Kind
from delivery.release import Release

log = logging.getLogger(__name__)
EVERY_S = 1.0
DONE: dict[Kind, str] = {"release": "released", "rollback": "serves again"}


def publish_release(release: Release, verdict: Verdict | None) -> None:
    """Put the release's page into the Prefect UI: before, after, gate, checks."""
    candidate = release.candidate
    rows = "\n".join(f"| {check.step} | {check.ms:.1f} | {check.detail} |" for check in release.checks)
    _publish_release(
        candidate.model,
        candidate.alias,
        f"# {candidate.model} {candidate.alias}: v{candidate.version} {DONE[release.kind]}\n\n"
        f"| | version | epoch | run_id | sha256 |\n|---|---|---|---|---|\n"
        f"{_side('before', release.before, candidate.alias)}\n{_side('after', release.current, candidate.alias)}\n\n"
        f"**Why**: {release.journal.why or 'no reason given'}\n\n**Outcome**: {release.outcome}\n\n{_gate(verdict)}"
        f"## Checks\n\n| step | ms | detail |\n|---|---|---|\n{rows}\n",
    )


def publish_no(model: str, alias: str, title: str, why: str, now: str) -> None:
    """Put a page about a run that released nothing into the Prefect UI."""
    _publish_release(model, alias, f"# {model} {alias}: {title}\n\n{why}\n\n**Now**: {now}\n")


def publish_reports(reports: Sequence[Report]) -> None:
    """Put a page about a pass of reconcile into the Prefect UI."""
    rows = "\n".join(
        f"| {report.model} | {'<br>'.join(report.found) or 'agrees'} | {report.busy or '<br>'.join(report.done)} |"
        for report in reports
    )
    markdown = f"# Reconcile\n\n| model | found | did |\n|---|---|---|\n{rows}\n"
    _publish("reconcile", markdown, "What disagreed with the decisions, and what was done")


class Progress:
    """How much of *total* is done, as a bar in the Prefect UI; at most one change a second."""

    def __init__(self, key: str, description: str, total: int) -> None:
        """Show the empty bar."""
        self._total = total
        self._done = 0
        self._shown_at = time.monotonic()
        self._bar: UUID | None = None
        with _told():
            self._bar = cast("UUID", create_progress_artifact(0.0, _key(key), description))

    def add(self, count: int) -> None:
        """Show that *count* more are done."""
        self._done += count
        now = time.monotonic()
        if now - self._shown_at < EVERY_S and self._done < self._total:
            return
        self._shown_at = now
        if self._bar is None:
            return
        with _told():
            update_progress_artifact(self._bar, 100.0 * self._done / self._total if self._total else 100.0)


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


def _publish_release(model: str, alias: str, markdown: str) -> None:
    _publish(f"release-{model}-{alias}", markdown, f"Releases of {model} under {alias}")


def _publish(key: str, markdown: str, description: str) -> None:
    with _told():
        create_markdown_artifact(markdown, key=_key(key), description=description)


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (PrefectException, httpx.HTTPError) as error:
        log.warning("the page could not be published: %s", error)
