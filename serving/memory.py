"""
How much memory this process may still take: of its control groups (version 1 or 2), and of the machine.

A process that takes more is killed, and with it what it serves. So this is asked before anything is loaded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from delivery.errors import Refused

GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class _Names:
    """How a version of control groups calls its files, and in `memory.stat` the file cache, which makes room."""

    limit: str
    used: str
    cache: tuple[str, str]


V1 = _Names("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file"))
V2 = _Names("memory.max", "memory.current", ("inactive_file", "active_file"))


def free_bytes(groups: Path = GROUPS, membership: Path = MEMBERSHIP) -> int:
    """Return how many bytes may still be taken: where no group sets a limit, what the machine has available."""
    free = [_left(folder, names) for folder, names in _folders(groups, membership)]
    return min([psutil.virtual_memory().available, *(left for left in free if left is not None)])


def check_room(what: str, needed: int, free: int) -> None:
    """
    Check that *needed* bytes are free.

    Raises:
        Refused: They are not.
    """
    if needed > free:
        msg = f"{what} needs {_mib(needed)} of memory and {_mib(free)} are free: give this app more, or a smaller model"
        raise Refused(msg)


def _folders(groups: Path, membership: Path) -> Iterator[tuple[Path, _Names]]:
    """Yield the groups of this process, the innermost first; in a container its own may be the only one in sight."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        names, top = (V1, groups / "memory") if controllers else (V2, groups)
        inner = top / path.lstrip("/") if ".." not in path else top
        yield from ((folder, names) for folder in (inner, *inner.parents) if folder.is_relative_to(top))


def _left(folder: Path, names: _Names) -> int | None:
    try:
        limit, used = (folder / names.limit).read_text().strip(), int((folder / names.used).read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except OSError:
        return None
    return None if limit == "max" else max(0, int(limit) - used + sum(int(stat.get(name, 0)) for name in names.cache))


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
