"""Pages in the Prefect UI, as artifacts. A page that cannot be published never fails a run."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast
from uuid import UUID

from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact

from interlock.release.gate import Verdict
from interlock.release.page import notice_page, page_key, page_name, release_page
from interlock.release.steps import Release
from interlock.upkeep.reconcile import Report

log = logging.getLogger(__name__)
EVERY_S = 1.0


def publish_release(release: Release, verdict: Verdict | None) -> None:
    """Put the release's page into the Prefect UI: before, after, gate, checks."""
    candidate = release.candidate
    name = page_name(candidate.model, candidate.alias)
    _publish(name, release_page(release, verdict), f"Releases of {candidate.model} under {candidate.alias}")


def publish_notice(page: str, title: str, why: str, now: str | None) -> None:
    """Put a page about a run that released nothing into the Prefect UI."""
    _publish(page, notice_page(title, why, now), "What became of the newest run")


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
            self._bar = cast("UUID", create_progress_artifact(0.0, page_key(key), description))

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


def _publish(key: str, markdown: str, description: str) -> None:
    with _told():
        create_markdown_artifact(markdown, key=page_key(key), description=description)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, what the page is about is done
        log.warning("the page could not be published: %s", error)
