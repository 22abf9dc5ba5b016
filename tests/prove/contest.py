"""Somebody who releases or rolls back at a given instant, in a process of its own, against others who do so too."""

import os
import time
from dataclasses import dataclass, replace
from typing import Any

from world.acts import ALIAS, MODEL, Place
from world.fakes import untried

from interlock.errors import DeliveryError
from interlock.records import Run
from interlock.release.open import released, rolled_back
from interlock.release.steps import Release, carry_out


@dataclass(frozen=True)
class Contestant:
    """What somebody is about to do: release *version*, or without one go back to the version before."""

    who: str
    version: int | None

    def act(self, place: Place) -> int:
        """Do it; return the version that was asked for."""
        env = replace(place.env, run=Run(who=self.who))
        if self.version is None:
            opened: Any = rolled_back(env, MODEL, ALIAS, None, why="a race", force=True)
        else:
            candidate = place.registry.candidate(MODEL, ALIAS, self.version)
            opened = released(env, candidate, [place.engine_for()], force=True)
        with opened as release:
            carry_out(release)
        return release.candidate.version


@dataclass(frozen=True)
class Result:
    """How it ended for a contestant: `done`, or the kind of its error."""

    contestant: Contestant
    how: str
    told: str
    version: int | None = None

    @property
    def won(self) -> bool:
        return self.how == "done"


def contest(told: dict[str, str], contestant: Contestant, start: float) -> Result:
    """Take part in a race that starts at *start* of the monotonic clock, which all processes share."""
    Release.try_out = staticmethod(untried)
    place = Place(**told)
    place.registry, place.store  # noqa: B018 - made before the start
    while time.monotonic() < start:
        os.sched_yield()
    try:
        version = contestant.act(place)
    except DeliveryError as error:
        return Result(contestant, type(error).__name__, str(error))
    return Result(contestant, "done", "", version)
