"""
What is live, warm and staged for each alias.

A request takes one `Slots` value and answers from it alone, so that an answer can never name another version than
the one that computed it. A swap replaces the value; the version before stays warm, so that going back flips a pointer.
"""

import logging
from dataclasses import dataclass, replace
from threading import Lock

from delivery.clock import utc_stamp
from delivery.errors import DeliveryError
from delivery.names import alias_name
from delivery.records import SERVING_API, Current
from delivery.store import Store
from serving.model import Model, Source

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Live:
    """A version that answers un-pinned requests, by the decision of that epoch."""

    model: Model
    epoch: int
    since_utc: str


@dataclass(frozen=True)
class Slots:
    """All that is in memory for one alias."""

    live: Live | None = None
    warm: Model | None = None
    staged: Model | None = None

    def all(self) -> list[Model]:
        """Return every version in memory."""
        return [model for model in (self.live and self.live.model, self.staged, self.warm) if model]

    def pinned(self, version: int) -> Model | None:
        """Return the version *version*, whether it is exposed or not."""
        return next((model for model in self.all() if model.version == version), None)


class Variants:
    """The slots of every alias that this app follows. Reading needs no lock; writers take turns."""

    def __init__(self, store: Store, source: Source, model: str, name: str, self_test_timeout_s: float) -> None:
        """Follow *model* in *store* as the engine *name*, by versions from *source*."""
        self.store = store
        self.source = source
        self.model = model
        self.name = name
        self.epoch: int | None = None
        self.decided: frozenset[str] = frozenset()
        self.failures: dict[str, str] = {}
        self._timeout_s = self_test_timeout_s
        self._slots: dict[str, Slots] = {}
        self._writing = Lock()

    def __getitem__(self, alias: str) -> Slots:
        """Return what is in memory for *alias*."""
        return self._slots.get(alias, Slots())

    def aliases(self) -> list[str]:
        """Return every alias that has something in memory."""
        return sorted(self._slots)

    def stage(self, alias: str, version: int, sha256: str | None) -> Model:
        """
        Load *version* beside what is live, exposed to nobody.

        Raises:
            DeliveryError: It is not in the repository, not *sha256*, does not load, or fails its golden rows.
        """
        alias_name(alias)
        with self._writing:
            staged = self._find(alias, version, sha256) or self.source.staged(version, sha256)
            staged.self_test(self._timeout_s)
            self._put(alias, replace(self[alias], staged=staged))
            return staged

    def drop(self, alias: str) -> None:
        """Forget the staged candidate of *alias*."""
        with self._writing:
            self._put(alias, replace(self[alias], staged=None))

    def follow(self, current: Current) -> None:
        """
        Converge to the decision, alias by alias; what cannot follow goes on with what it has.

        Raises:
            DeliveryError: Of the first alias that could not follow.
        """
        with self._writing:
            failures: dict[str, DeliveryError] = {}
            for alias in {*current.variants, *self._slots}:
                try:
                    self._follow_alias(alias, current)
                except DeliveryError as error:
                    log.error("%s %s cannot follow epoch %d: %s", self.model, alias, current.epoch, error)
                    failures[alias] = error
            self.failures = {alias: str(error) for alias, error in failures.items()}
            self.epoch = current.epoch
            self.decided = frozenset(current.variants)
        for failure in failures.values():
            raise failure

    def _follow_alias(self, alias: str, current: Current) -> None:
        slots, variant = self[alias], current.variants.get(alias)
        if variant is None or not variant.follows(SERVING_API, self.name):
            self._put(alias, Slots(staged=slots.staged))
            return
        found = self._find(alias, variant.active_version, variant.sha256)
        model = self.source.live(alias, variant, current, found)
        model.self_test(self._timeout_s)
        self._put(alias, _flipped(slots, model, current.epoch))
        if not slots.live or slots.live.model.key != model.key:
            log.info("%s %s: v%d is live (epoch %d)", self.model, alias, model.version, current.epoch)

    def _find(self, alias: str, version: int, sha256: str | None) -> Model | None:
        found = self[alias].pinned(version)
        return found if found and sha256 in (None, found.manifest.sha256) else None

    def _put(self, alias: str, slots: Slots) -> None:
        others = {name: other for name, other in self._slots.items() if name != alias}
        self._slots = others | ({alias: slots} if slots.all() else {})


def _flipped(slots: Slots, model: Model, epoch: int) -> Slots:
    live = slots.live
    same = live is not None and live.model.key == model.key
    since = live.since_utc if live and same else utc_stamp()
    warm = slots.warm if same else live.model if live else None
    staged = slots.staged if slots.staged and slots.staged.key != model.key else None
    return Slots(Live(model, epoch, since), warm, staged)
