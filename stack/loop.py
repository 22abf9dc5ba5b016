"""Reconcile every model for ever; the guarantee that does not need Prefect."""

import faulthandler
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from delivery.reconcile import Reconciler, Report

log = logging.getLogger(__name__)
AUDIT_S = 900.0
"""Every model is audited within this time."""
PASS_S = 600.0
"""Longest that a pass may take, or twenty periods if those are longer."""


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


def reconcile_for_ever(reconciler: Reconciler, every_s: float) -> None:
    """
    Make a pass every *every_s* seconds; what is found is logged when it changes.

    A pass that hangs ends the process, with a line `Timeout` and where it hung: whoever keeps it alive starts it anew.
    """
    told: dict[str, Report] = {}
    rotation, longest_s = Rotation(every_s), max(PASS_S, 20 * every_s)
    log.info("a pass every %g s; one that takes longer than %g s ends this process", every_s, longest_s)
    while True:
        started = time.monotonic()
        faulthandler.dump_traceback_later(longest_s, exit=True)
        models = reconciler.store.models()
        for report in reconciler.reconcile(models, rotation.turn(models)):
            if told.get(report.model) != report:
                log.log(_level(report), "%s", report.told)
            told[report.model] = report
        faulthandler.cancel_dump_traceback_later()
        time.sleep(max(0.0, every_s - (time.monotonic() - started)))


def _level(report: Report) -> int:
    return logging.ERROR if report.failed else logging.WARNING if report.found else logging.INFO
