"""
What people are told, as one line: how it ended, for whom, why, what serves now, and where to look.

    RELEASED: best_model A v3 (run 4f1c): accuracy 0.96 | best_model A: v3 serves | http://prefect/runs/flow-run/...
"""

from collections.abc import Sequence

from interlock.records import Current
from interlock.release.engine import Sighting
from interlock.release.steps import Release


def message(what: str, subject: str, why: str = "", serves: str | None = None) -> str:
    """Return the line; *serves* is None where nobody can tell."""
    text = f"{what}: {subject}{f': {why}' if why else ''}"
    return text if serves is None else f"{text} | {serves}"


def ended(release: Release) -> tuple[str, str]:
    """Return what a release or a rollback is called when it is done, and why it was made."""
    return ("RELEASED", of_release(release)) if release.kind == "release" else ("ROLLED BACK", of_rollback(release))


def of_release(release: Release) -> str:
    """Return why a release was made, and what is not yet as decided."""
    return "; ".join(filter(None, [release.journal.why, *release.late]))


def of_rollback(rollback: Release) -> str:
    """Return why an operator went back, who it was and what was left behind."""
    journal = rollback.journal
    left = journal.left_behind
    behind = f"v{left.active_version} is left behind, and refused from now on" if left else ""
    by = f"{journal.why or 'no reason given'} (by {journal.run.who})"
    return "; ".join(filter(None, [by, behind, *rollback.late]))


def serving(current: Current, alias: str, seen: Sequence[Sighting]) -> str:
    """Return what serves for *alias*: what is decided, and which of the enrolled that were asked do otherwise."""
    variant = current.variants.get(alias)
    enrolled = [sighting for sighting in seen if variant and variant.follows(*sighting.engine.key)]
    others = [_otherwise(sighting, alias) for sighting in enrolled if not sighting.follows(current, alias)]
    if variant is None or not others:
        return current.describe(alias)
    return f"{current.model} {alias}: v{variant.active_version} is decided, but {', '.join(others)}"


def _otherwise(sighting: Sighting, alias: str) -> str:
    if sighting.seen is None:
        return f"{sighting.replica} does not answer for it"
    served = sighting.seen.serves.get(alias)
    return f"{sighting.replica} serves {f'v{served.version}' if served else 'nothing'}"
