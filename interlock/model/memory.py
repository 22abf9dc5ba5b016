"""
How much memory this process, and what it starts, may still take.

The smallest of what the machine has left and what each control group around the process has left (version 2 or 1).
Pages of files count as free: the kernel gives them back before it takes a process.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

V2 = ("memory.max", "memory.current", "")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
"""Names of a group's limit and its usage, and what stands before the names in its `memory.stat`."""

Group = tuple[Path, tuple[str, str, str]]


def free_memory(root: Path = Path("/")) -> int | None:
    """Return the bytes that are left, or None where the system does not say; *root* is where `proc` and `sys` are."""
    found = [_of_the_machine(root), *(_of_group(folder, names) for folder, names in _groups(root))]
    return min((left for left in found if left is not None), default=None)


def _of_the_machine(root: Path) -> int | None:
    meminfo = _numbers(root / "proc/meminfo")
    left = meminfo.get("MemAvailable:")
    if left is not None and _promises_only_what_it_has(root):
        left = min(left, meminfo["CommitLimit:"] - meminfo["Committed_AS:"])
    return left


def _promises_only_what_it_has(root: Path) -> bool:
    """Whether the kernel refuses memory that nobody touched yet (`vm.overcommit_memory=2`)."""
    with suppress(OSError):
        return (root / "proc/sys/vm/overcommit_memory").read_text().strip() == "2"
    return False


def _groups(root: Path) -> Iterator[Group]:
    """Yield the groups of this process and all above them; a container sees its own as the topmost one."""
    text = ""
    with suppress(OSError):
        text = (root / "proc/self/cgroup").read_text()
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        mounted, names = ("", V2) if not controllers else ("memory", V1)
        if not controllers or "memory" in controllers.split(","):
            inside = PurePosixPath(path.lstrip("/"))
            yield from ((root / "sys/fs/cgroup" / mounted / above, names) for above in (inside, *inside.parents))


def _of_group(folder: Path, names: tuple[str, str, str]) -> int | None:
    limit, usage, before = names
    try:
        most, taken = int((folder / limit).read_text()), int((folder / usage).read_text())
    except (OSError, ValueError):  # no such group in this container, or `max`: no limit
        return None
    pages = _numbers(folder / "memory.stat")
    return max(0, most - taken + sum(pages.get(f"{before}{kind}_file", 0) for kind in ("active", "inactive")))


def _numbers(path: Path) -> dict[str, int]:
    """Return the file's names with their numbers in bytes; none if there is no such file."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {line[0]: int(line[1]) * (1024 if line[-1] == "kB" else 1) for line in lines if len(line) > 1}
