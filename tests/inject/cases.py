"""Where an act begins, the faults that hit it, and what came of it."""

from dataclasses import dataclass, field, replace

from inject.strace import Fault

BOTH = frozenset({1, 2})


@dataclass(frozen=True)
class Scene:
    """
    Where an act begins, and what may come of it.

    Args:
        before: The name of the state of the repository.
        act: What is done to it.
        aim: The version that serves when the act says that it is done.
        proven: The versions that may answer un-pinned requests at any time.
        staged: The serving app holds v2 as a candidate.
    """

    before: str
    act: str
    proven: frozenset[int]
    aim: int | None = None
    staged: bool = False

    def of(self, act: str) -> "Scene":
        """The scene as it is for *act*: a pass of reconcile after the scene's own act has another aim."""
        return self if act == self.act else replace(self, aim=None)

    @property
    def from_nothing(self) -> bool:
        return self.before == "nothing"


SCENES = {
    "first release": Scene("nothing", "first", frozenset({1}), aim=1),
    "release": Scene("v1 live", "release", BOTH, aim=2),
    "release that is too slow": Scene("v1 live", "slow", frozenset({1})),
    "release that is not followed": Scene("v1 live", "broken", BOTH),
    "rollback": Scene("v2 live", "rollback", BOTH, aim=1),
    "reconcile before the commit": Scene("killed before", "reconcile", frozenset({1}), staged=True),
    "reconcile after the commit": Scene("killed after", "reconcile", BOTH),
}


@dataclass(frozen=True)
class Case:
    """A scene, and the fault of each act: first the scene's own act, then passes of reconcile."""

    scene: str
    faults: tuple[Fault | None, ...] = (None,)

    def __str__(self) -> str:
        return f"{self.scene}, {', then '.join(str(fault) for fault in self.faults)}"


@dataclass
class Ended:
    """What came of a case: what was wrong, and of each act what it called and what it said."""

    case: Case
    root: str
    wrong: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    told: list[dict[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.case}\n    " + "\n    ".join(self.wrong)
