"""Reconcile every model for ever; the guarantee that does not need Prefect."""

import faulthandler
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from interlock.cli.announce import Announcer
from interlock.errors import DeliveryError
from interlock.upkeep.reconcile import Reconciler, Report

log = logging.getLogger(__name__)
AUDIT_S = 900.0
"""Every model is audited within this time."""
PASS_S = 600.0
"""Longest that a pass may take, or twenty periods if those are longer."""
MOST = 10
"""Models that one message to the chat speaks of."""


@dataclass
class Rotation:
    """Which models a pass audits: a share of all of them, in turns."""

    every_s: float
    _next: int = 0

    def turn(self, models: Sequence[str]) -> list[str]:
        """Return the models whose turn it is; all of them have had it within 15 minutes."""
        share = min(len(models), math.ceil(len(models) * self.every_s / AUDIT_S))
        first, self._next = self._next, self._next + share
        return [models[(first + offset) % len(models)] for offset in range(share)]


@dataclass
class Known:
    """
    What was found of one model, and still holds as far as anybody looked.

    Args:
        found: Each finding, and whether only an audit sees it: a pass that does not audit cannot say that it is gone.
        mended: Whether the newest pass that found something did something about it.
    """

    found: dict[str, bool] = field(default_factory=dict)
    mended: bool = False

    def changes(self, report: Report) -> bool:
        """Take what a pass found; return whether any of it is new, or gone."""
        gone = [w for w, closely in self.found.items() if w not in report.found and (report.audited or not closely)]
        new = [what for what in report.found if what not in self.found]
        for what in gone:
            del self.found[what]
        for what in report.found:
            self.found[what] = self.found.get(what, True) and report.audited
        return bool(new or gone)


class Teller:
    """Logs what passes found and did, and tells the chat: once for each change, not at every pass."""

    def __init__(self, announcer: Announcer) -> None:
        """Nothing is known yet."""
        self._announcer = announcer
        self._known: dict[str, Known] = {}

    def hear(self, reports: Sequence[Report]) -> None:
        """Take one pass over all models; the chat gets one message, however many of them changed."""
        lines = [line for report in reports if (line := self._heard(report)) is not None]
        if lines:
            more = [f"and {len(lines) - MOST} models more, see the log"] if len(lines) > MOST else []
            self._announcer.chat.say("\n".join([*lines[:MOST], *more]))

    def _heard(self, report: Report) -> str | None:
        """Log what changed of a model; return what the chat is told. One that is being changed is looked at later."""
        if report.busy is not None:
            log.info("%s", report.told)
            return None
        first = report.model not in self._known
        known = self._known.setdefault(report.model, Known())
        if not known.changes(report) and not first:
            return None
        log.log(_level(report), "%s", report.told)
        is_news = bool(report.found) or not (first or known.mended)
        known.mended = bool(report.done)
        return self._message(report) if is_news else None

    def _message(self, report: Report) -> str:
        run = report.left_by.flow_run_id if report.left_by else None
        return f"RECONCILED {report.told}" + (f" | {self._announcer.link(run)}" if run else "")


def reconcile_for_ever(reconciler: Reconciler, every_s: float, announcer: Announcer) -> None:
    """
    Make a pass every *every_s* seconds; what is found is told when it changes.

    A pass that hangs ends the process, with a line `Timeout` and where it hung: whoever keeps it alive starts it anew.
    """
    teller, rotation, longest_s = Teller(announcer), Rotation(every_s), max(PASS_S, 20 * every_s)
    log.info("a pass every %g s; one that takes longer than %g s ends this process", every_s, longest_s)
    while True:
        started = time.monotonic()
        faulthandler.dump_traceback_later(longest_s, exit=True)
        try:
            models = reconciler.env.store.models()
            teller.hear(reconciler.reconcile(models, rotation.turn(models)))
        except DeliveryError as error:  # the folder of all models is unreadable: the next pass may read it again
            log.error("no model could be looked at: %s", error)
        faulthandler.cancel_dump_traceback_later()
        time.sleep(max(0.0, every_s - (time.monotonic() - started)))


def _level(report: Report) -> int:
    return logging.ERROR if report.failed else logging.WARNING if report.found else logging.INFO
