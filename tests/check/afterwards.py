"""What must hold right after an act under a fault, before anybody mends anything."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from check.traffic import decision_is_wrong
from inject.cases import Scene
from inject.strace import Fault
from world.acts import ALIAS, ENGINE, MODEL, Place

from interlock.errors import CorruptRecord, DeliveryError
from interlock.serving.in_process import OnnxSource
from interlock.serving.variants import Variants
from interlock.store import Store


def look(scene: Scene, place: Place, fault: Fault | None, ended: dict[str, Any], trace: str) -> Iterator[str]:
    yield from _hit(fault, ended, trace)
    yield from decision_is_wrong(place.store, from_nothing=scene.from_nothing)
    yield from _restarted(scene, place.store)
    with suppress(CorruptRecord):
        yield from _honest(scene, ended["told"], place, blind=bool(fault and fault.lasting))


def _hit(fault: Fault | None, ended: dict[str, Any], trace: str) -> Iterator[str]:
    """The fault happened, and the act came to an end by itself or by being killed, not by its alarm."""
    killed = ended["status"] == signal.SIGKILL
    if fault and not (killed if fault.kind == "KILL" else "(INJECTED)" in trace):
        yield f"the fault did not hit: {ended}"
    if not ended["told"] and not killed:
        yield f"I12: the act ended by {ended['status']}"


def _restarted(scene: Scene, store: Store) -> Iterator[str]:
    """An app that starts now, from disk alone, serves the decision or nothing."""
    fresh = Variants(store, OnnxSource(store, MODEL), MODEL, ENGINE, self_test_timeout_s=10, load_timeout_s=30)
    with suppress(DeliveryError):
        current = store.current(MODEL)
        asyncio.run(fresh.follow(current))
        live = fresh[ALIAS].live
        version = live.model.version if live else None
        if version != current.version_of(ALIAS) or version not in {None, *scene.proven}:
            yield f"I9: a restarted app serves v{version}, {current.describe(ALIAS)}"


def _honest(scene: Scene, told: dict[str, str], place: Place, *, blind: bool) -> Iterator[str]:
    """What the act says of itself is so: done is live, and a failure names what serves, if it could read that."""
    current = place.store.current(MODEL)
    if "done" in told and scene.aim:
        served = place.engine_for().observe(MODEL)[0].seen.serves[ALIAS]
        if {current.version_of(ALIAS), served.version} != {scene.aim}:
            yield f"I10: it says {told['done']}; {current.describe(ALIAS)}, the app serves v{served.version}"
    if "failed" in told:
        true = [current.describe(ALIAS), "the journal stays open", *(["what serves is not known"] if blind else [])]
        if not any(what in told["failed"] for what in true) or "DeliveryError" not in told["kind"]:
            yield f"I10: it says {told}; {current.describe(ALIAS)}"
