"""
What is live, warm and staged for each alias.

A request takes one `Slots` value and answers from it alone, so that an answer can never name another version than
the one that computed it. A swap replaces the value; the version before stays warm, so that going back flips a pointer.

Everything here happens in the event loop, so there is no lock. What takes time is a load (see `loading`), and
nothing waits for it but who asked for it: a decision is followed, and a candidate dropped, while another one loads.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, replace

from interlock.clock import utc_stamp
from interlock.errors import DeliveryError, Refused
from interlock.names import alias_name
from interlock.records import SERVING_API, Current, Variant
from interlock.serving.loading import Loading
from interlock.serving.model import Model, Source
from interlock.store import Store

PATIENCE_S = 1.0
"""How long what was live before may go on while the next version is loaded, before this app is not ready."""
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
    """
    The slots of every alias that this app follows.

    Args:
        self_test_timeout_s: For the golden rows of a version.
        load_timeout_s: For reading and loading it, and the golden rows, together.
    """

    def __init__(
        self,
        store: Store,
        source: Source,
        model: str,
        name: str,
        *,
        self_test_timeout_s: float,
        load_timeout_s: float,
    ) -> None:
        """Follow *model* in *store* as the engine *name*, by versions from *source*."""
        self.store = store
        self.source = source
        self.model = model
        self.name = name
        self.current: Current | None = None
        self.failures: dict[str, DeliveryError] = {}
        self.loading = Loading(load_timeout_s)
        self._self_test_timeout_s = self_test_timeout_s
        self._slots: dict[str, Slots] = {}
        self._decided_at = 0.0

    def __getitem__(self, alias: str) -> Slots:
        """Return what is in memory for *alias*."""
        return self._slots.get(alias, Slots())

    @property
    def epoch(self) -> int | None:
        """The epoch of the newest decision that was seen."""
        return self.current.epoch if self.current else None

    def aliases(self) -> list[str]:
        """Return every alias that has something in memory."""
        return sorted(self._slots)

    def decided(self) -> dict[str, Variant]:
        """Return what the newest decision says of each alias that this app is enrolled for."""
        variants = self.current.variants if self.current else {}
        return {alias: variant for alias, variant in variants.items() if variant.follows(SERVING_API, self.name)}

    def unmet(self) -> dict[str, str]:
        """Return why what is decided is not live, for each alias of which that is so."""
        return {
            alias: f"v{variant.active_version} is not live: {self.failures.get(alias, 'it is being loaded')}"
            for alias, variant in self.decided().items()
            if alias in self.failures or not self._is_met(alias, variant)
        }

    async def stage(self, alias: str, version: int, sha256: str | None) -> Model:
        """
        Load *version* beside what is live, exposed to nobody.

        Raises:
            Busy: Another candidate is being loaded.
            TooSlow: It is not loaded, or does not answer its golden rows, in time.
            DeliveryError: It is not in the repository, not *sha256*, does not load, or fails its golden rows.
        """
        alias_name(alias)
        staged = self._find(alias, version, sha256)
        if not (staged and staged.stays_proven):
            staged = await self.loading.candidate(alias, lambda: self._staged(alias, version, sha256))
        self._put(alias, replace(self[alias], staged=staged))
        return staged

    def drop(self, alias: str) -> None:
        """Forget the staged candidate of *alias*, also one that is still being loaded."""
        self.loading.drop(alias_name(alias))
        self._put(alias, replace(self[alias], staged=None))

    async def follow(self, current: Current) -> None:
        """
        Converge to the decision, every alias by itself; what cannot follow goes on with what it has.

        A decision that is older than the one that is followed was read before it, and changes nothing.

        Raises:
            DeliveryError: Of the first alias that could not follow.
        """
        if self.current and current.epoch < self.current.epoch:
            log.warning("epoch %d is not followed: epoch %d is", current.epoch, self.current.epoch)
            return
        if current != self.current:
            self.current, self._decided_at = current, time.monotonic()
        aliases = sorted({*current.variants, *self._slots, *self.failures})
        ended = await asyncio.gather(*(self._follow_alias(alias, current) for alias in aliases))
        for error in filter(None, ended):
            raise error

    def _is_met(self, alias: str, variant: Variant) -> bool:
        live = self[alias].live
        if live is None:
            return False
        is_new = time.monotonic() < self._decided_at + PATIENCE_S
        return is_new or live.model.key == (variant.active_version, variant.sha256)

    async def _follow_alias(self, alias: str, current: Current) -> DeliveryError | None:
        error = None
        try:
            await self._converge(alias, current)
        except DeliveryError as known:
            error = known
        except Exception as unknown:
            log.exception("%s %s: unexpected", self.model, alias)
            error = Refused(f"unexpected {type(unknown).__name__}; the app's log says where")
        self._note(alias, current, error)
        return error

    def _note(self, alias: str, current: Current, error: DeliveryError | None) -> None:
        if self.epoch != current.epoch:  # the decision has moved on
            return
        if error and str(error) != str(self.failures.get(alias)):
            log.error("%s %s cannot follow epoch %d: %s", self.model, alias, current.epoch, error)
        others = {name: failure for name, failure in self.failures.items() if name != alias}
        self.failures = others | ({alias: error} if error else {})

    async def _converge(self, alias: str, current: Current) -> None:
        variant = current.variants.get(alias)
        if variant is None or not variant.follows(SERVING_API, self.name):
            self._put(alias, Slots(staged=self[alias].staged))
            return
        model = self._find(alias, variant.active_version, variant.sha256)
        if not (model and model.stays_proven):
            key = alias, variant.active_version, variant.sha256
            model = await self.loading.decided(key, lambda: self._decided(alias, variant, current))
        if self.epoch == current.epoch:
            self._flip(alias, model, current.epoch)

    def _flip(self, alias: str, model: Model, epoch: int) -> None:
        live = self[alias].live
        self._put(alias, _flipped(self[alias], model, epoch))
        if not live or live.model.key != model.key:
            log.info("%s %s: v%d is live (epoch %d)", self.model, alias, model.version, epoch)

    def _staged(self, alias: str, version: int, sha256: str | None) -> Model:
        """Load and prove a candidate; it may have been loaded while this one waited for its turn. In a thread."""
        model = self._find(alias, version, sha256) or self.source.staged(version, sha256)
        model.self_test(self._self_test_timeout_s)
        return model

    def _decided(self, alias: str, variant: Variant, current: Current) -> Model:
        """Load and prove what is decided. In a thread."""
        found = self._find(alias, variant.active_version, variant.sha256)
        model = self.source.live(alias, variant, current, found)
        model.self_test(self._self_test_timeout_s)
        return model

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
