"""
A process that forks one child per act, so that an act costs no interpreter start and its system calls begin at the act.

    stdin   {"act": ..., "place": {...}}     "inline": true does it here, which warms everything up
    stdout  {"pid": ...}                     the child stands still; whoever watches it sends SIGCONT
            {"status": ..., "told": ...}     how it ended, by waitpid and in its own words

The child has one thread and tells its end through shared memory: by no system call that a fault could hit.
"""

import ctypes
import gc
import json
import mmap
import os
import signal
import sys

from world.acts import ACTS, Place
from world.fakes import untried

from interlock.release.steps import Release

PR_SET_PDEATHSIG = 1
LONGEST_S = 60
told = mmap.mmap(-1, 64 * 1024)
libc = ctypes.CDLL(None)


def act(order: dict[str, object]) -> dict[str, str]:
    try:
        return {"done": ACTS[order["act"]](Place(**order["place"]))}
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what the act tells
        return {"failed": str(error), "kind": ",".join(kind.__name__ for kind in type(error).__mro__)}


def child(order: dict[str, object]) -> None:
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.alarm(LONGEST_S)
    os.kill(os.getpid(), signal.SIGSTOP)
    answer = json.dumps(act(order)).encode()
    told[: len(answer)] = answer
    os._exit(0)


def say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def forked(order: dict[str, object]) -> dict[str, object]:
    told[:] = bytes(len(told))
    pid = os.fork()
    if pid == 0:
        child(order)
    os.waitpid(pid, os.WUNTRACED)
    say({"pid": pid})
    _, status = os.waitpid(pid, 0)
    text = told[:].rstrip(b"\0").decode()
    return {"status": status, "told": json.loads(text) if text else {}}


def main() -> None:
    Release.try_out = staticmethod(untried)
    gc.disable()  # a collection would close sockets at another call in each run
    for line in sys.stdin:
        order = json.loads(line)
        if order.pop("inline", False):
            say({"status": 0, "told": act(order)})
        else:
            gc.freeze()
            say(forked(order))


if __name__ == "__main__":
    main()
