"""What is done while the network is broken, at which of its calls, and what must hold then."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from check.invariants import pass_of_reconcile, violations
from check.users import Users
from inject.proxy import FAULTS
from prove.share import share
from world.over_sockets import IMPATIENT_S, MODEL, Wires
from world.socket_worlds import check_told, check_users, eventually, outcome

ACTS = {
    "a release": (1, 2, lambda wires: wires.release(2)),
    "a rollback": (2, 1, lambda wires: wires.rollback()),
    "a reconcile": (1, None, lambda wires: pass_of_reconcile(wires.env)),
}
"""Which version is live, which one is wanted, and the act."""

Made = Callable[[int], AbstractContextManager[Wires]]
"""Makes wires where that version is live."""


def points(made: Made, act: str, service: str, fault: str) -> list[int]:
    """Where to attack: of calls that repeat each other, the first; all of them, or a share that differs by fault."""
    live, _, do = ACTS[act]
    with made(live) as wires:
        _prepare(wires, act)
        do(wires)
        calls = list(wires.attacked(service).calls)
    distinct = [at for at, call in enumerate(calls) if at == 0 or calls[at - 1] != call]
    return share(distinct, start=FAULTS.index(fault))


def attack(
    made: Made, users_of: Callable[[Wires], Users], act: str, service: str, fault: str, at: int, *, for_good: bool
) -> None:
    """Do the act while a fault hits its call *at*; then all is mended by one reconcile, and users noticed nothing."""
    live, wanted, do = ACTS[act]
    with made(live) as wires, users_of(wires) as users:
        _prepare(wires, act)
        wires.timeout_s = IMPATIENT_S
        wires.attacked(service).inject(fault, at, for_good=for_good)
        error = outcome(lambda: do(wires))
        where = f"{act}, {service}, {fault} at call {at}{' and on' if for_good else ''}: {error}"
        if wanted:
            check_told(wires, error, wanted, where)
        follow = [wires.live()] * len(wires.apps)
        assert eventually(lambda: wires.serving() == follow), f"the apps follow by themselves: {where}"
        wires.heal()
        pass_of_reconcile(wires.env)
        assert list(violations(wires.env)) == [], where
        assert wires.mlflow.aliases == {(MODEL, "A"): str(wires.live())}, where
        assert eventually(lambda: sum(users.answers.values()) > 0), where
    check_users(wires, users, where)


def _prepare(wires: Wires, act: str) -> None:
    if act == "a reconcile":
        wires.release_killed_after_commit(2)
    for service in wires.services:
        wires.attacked(service).calls.clear()
