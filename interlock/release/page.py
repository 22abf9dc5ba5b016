"""The newest page of a model's releases, as Markdown: what was before, what is after, the gate and every check."""

import re

from interlock.records import Current, Kind
from interlock.release.gate import Verdict
from interlock.release.steps import Release

DONE: dict[Kind, str] = {"release": "released", "rollback": "serves again"}


def page_name(model: str, alias: str) -> str:
    """Return the name under which the newest page of *alias* is."""
    return f"release-{model}-{alias}"


def page_key(name: str) -> str:
    """Return *name* as Prefect wants the key of an artifact: lowercase letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())


def release_page(release: Release, verdict: Verdict | None = None) -> str:
    """Return the page of a release or a rollback that went well."""
    candidate = release.candidate
    rows = "\n".join(f"| {check.step} | {check.ms:.1f} | {check.detail} |" for check in release.checks)
    late = f"**But**: {'; '.join(release.late)}\n\n" if release.late else ""
    return (
        f"# {candidate.model} {candidate.alias}: v{candidate.version} {DONE[release.kind]}\n\n"
        f"| | version | epoch | run_id | sha256 |\n|---|---|---|---|---|\n"
        f"{_side('before', release.before, candidate.alias)}\n{_side('after', release.current, candidate.alias)}\n\n"
        f"**Why**: {release.journal.why or 'no reason given'}\n\n{late}{_gate(verdict)}"
        f"## Checks\n\n| step | ms | detail |\n|---|---|---|\n{rows}\n"
    )


def notice_page(title: str, why: str, now: str | None) -> str:
    """Return the page of a run that released nothing; *now* is what serves, None where nobody can tell."""
    return f"# {title}\n\n{why}\n" + ("" if now is None else f"\n**Now**: {now}\n")


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
