"""What runs, and what is live: each part of the stack, and everything that disagrees with the decision."""

from collections.abc import Iterator

import httpx

from blocks.settings import Settings
from delivery.errors import DeliveryError
from delivery.reconcile import findings
from stack.parts import parts
from stack.place import Place
from stack.processes import Supervisor

TIMEOUT_S = 2.0


def parts_status(settings: Settings) -> list[tuple[str, str, str]]:
    """Return name, state and address of each part."""
    supervisor = Supervisor(settings)
    states = supervisor.states() if supervisor.is_running() else {}
    rows = []
    for part in parts(settings):
        state = states.get(part.name, "STOPPED").lower()
        healthy = part.health is None or _answers(part.health)
        rows.append((part.name, state if healthy else f"{state}, does not answer", part.health or ""))
    return rows


def disagreements(place: Place) -> dict[str, list[str]]:
    """Return for each model what disagrees with the decision."""
    return {model: list(_disagreements(place, model)) for model in place.store.models()}


def live(place: Place, model: str) -> list[str]:
    """Return what is decided for each alias, one line each."""
    try:
        current = place.store.current(model)
    except DeliveryError as error:
        return [f"{model}: {error}"]
    if not current.variants:
        return [f"{model}: nothing serves (epoch {current.epoch})"]
    return [
        f"{model} {alias}: v{variant.active_version} (epoch {current.epoch}, run {variant.run_id}, "
        f"previous {f'v{variant.previous_version}' if variant.previous_version else 'none'}, "
        f"engines {', '.join(f'{e.kind}/{e.name}' for e in variant.engines)})"
        for alias, variant in sorted(current.variants.items())
    ]


def _disagreements(place: Place, model: str) -> Iterator[str]:
    try:
        for finding in findings(place.store, model, place.engine_for, place.registry):
            yield finding.what
    except DeliveryError as error:
        yield str(error)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=TIMEOUT_S).is_success
    except httpx.TransportError:
        return False
