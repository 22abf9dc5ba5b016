"""Reconcile every model, once or for ever; the guarantee that does not need Prefect."""

import logging
import time

from delivery.errors import DeliveryError
from delivery.reconcile import Report, reconcile
from delivery.records import Run
from stack.place import Place

log = logging.getLogger(__name__)


def reconcile_all(place: Place) -> list[Report]:
    """Make one pass over every model; a model that fails does not stop the others."""
    return [_reconcile(place, model) for model in place.store.models()]


def reconcile_for_ever(place: Place, every_s: float) -> None:
    """Make a pass every *every_s* seconds; what is found is logged when it changes."""
    told: dict[str, Report] = {}
    while True:
        started = time.monotonic()
        for report in reconcile_all(place):
            if told.get(report.model) != report:
                _log(report)
            told[report.model] = report
        time.sleep(max(0.0, every_s - (time.monotonic() - started)))


def _reconcile(place: Place, model: str) -> Report:
    run = Run(who="interlock reconcile")
    try:
        return reconcile(place.store, model, engine_for=place.engine_for, registry=place.registry, run=run)
    except DeliveryError as error:
        return Report(model, found=[str(error)], failed=True)


def _log(report: Report) -> None:
    if report.failed:
        log.error("%s: %s", report.model, "; ".join(report.found))
    elif report.found:
        log.warning(
            "%s: found %s; did %s",
            report.model,
            "; ".join(report.found),
            report.busy or "; ".join(report.done) or "nothing",
        )
    else:
        log.info("%s: everything equals the decision", report.model)
