"""What is done while the network is broken, and at which of its calls."""

from faults.invariants import pass_of_reconcile
from faults.proxy import FAULTS
from faults.share import EVERY

ACTS = {
    "a release": (1, 2, lambda wires: wires.release(2)),
    "a rollback": (2, 1, lambda wires: wires.rollback()),
    "a reconcile": (1, None, pass_of_reconcile),
}
"""Which version is live, which one is wanted, and the act."""


def points(calls: list[str], fault: str) -> list[int]:
    """Where to attack: of calls that repeat each other, the first; all of them, or a third that differs by fault."""
    distinct = [at for at, call in enumerate(calls) if at == 0 or calls[at - 1] != call]
    return distinct[FAULTS.index(fault) % EVERY :: EVERY]
