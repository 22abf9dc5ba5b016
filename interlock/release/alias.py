"""
Keep the alias in the registry behind the decision.

The alias says what somebody wants, the decision says what is. What we last wrote to the alias is noted beside
the decision, so that one that is late (ours) can be told from one that was moved by hand (theirs).
"""

from enum import Enum

from interlock.errors import DeliveryError
from interlock.records import Current
from interlock.release.registry import Registry
from interlock.store import Store, Writer

NOTHING = 0
"""Stands for no version among those that we wrote: before the first one, the alias names nothing."""


class AliasState(Enum):
    """How the alias in the registry relates to the decision."""

    AGREES = "agrees"
    PENDING = "pending"
    MOVED = "moved by hand"
    UNKNOWN = "unknown, the registry does not say"


def state_of(store: Store, registry: Registry, current: Current, alias: str) -> tuple[AliasState, int | None]:
    """Return how the alias relates to the decision, and the version that it names."""
    try:
        names = registry.alias(current.model, alias)
    except DeliveryError:
        return AliasState.UNKNOWN, None
    if names == current.version_of(alias):
        return AliasState.AGREES, names
    ours = store.written_aliases(current.model).get(alias, [])
    late = (names or NOTHING) in (ours or [NOTHING])
    return (AliasState.PENDING if late else AliasState.MOVED), names


def is_late(store: Store, current: Current, alias: str) -> bool:
    """Whether what we noted to have written last is not what is decided: known without asking the registry."""
    version = current.version_of(alias)
    return store.written_aliases(current.model).get(alias, []) != ([version] if version else [])


def point_alias(writer: Writer, registry: Registry, current: Current, alias: str) -> None:
    """
    Make the alias name the decided version; remove it when nothing is decided and we had written it.

    Raises:
        Unreachable: The registry does not answer; `reconcile` derives the alias from the decision later.
    """
    version = current.version_of(alias)
    ours = writer.store.written_aliases(writer.model).get(alias, [])
    if version is not None:
        writer.note_alias(alias, list(dict.fromkeys([*(ours or [NOTHING]), version])))
        registry.set_alias(writer.model, alias, version)
        writer.note_alias(alias, [version])
    elif ours:
        registry.delete_alias(writer.model, alias)
        writer.note_alias(alias, [])
