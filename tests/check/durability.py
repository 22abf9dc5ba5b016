"""
Read from a trace whether what was written survives a loss of power, which a SIGKILL does not show.

    before a file or a folder is renamed or linked    it, and everything written in it, is fsynced
    before anything goes on after that                the folders whose names changed are fsynced

Goes on: another rename, link or mkdir, or a request. Names in `.staging` may come back: they are swept.
"""

import re
from collections.abc import Iterator
from pathlib import PurePath

from inject.strace import Call, calls_of

QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
OPENED = re.compile(r"\d+<([^>]*)>")
FOLDER = re.compile(r"(?:AT_FDCWD|\d+)<([^>]*)>, \"")
FORGETTABLE = {"lock"}


class Lint:
    """What is not durable yet, call by call."""

    def __init__(self, root: str) -> None:
        self.root = PurePath(root)
        self.unsynced: set[PurePath] = set()
        self.names_changed: set[PurePath] = set()

    def after(self, call: Call) -> Iterator[str]:
        """Take one call; yield what it did too early."""
        if call.failed:
            return
        if call.name in ("rename", "link"):
            yield from self._publish(call, *paths(call))
            return
        if call.name in ("sendto", "mkdir"):
            yield from self.pending(call.line)
        self._follow(call)

    def _follow(self, call: Call) -> None:
        if call.name in ("fsync", "fdatasync"):
            self._sync(opened(call))
        elif call.name in ("write", "pwrite64", "ftruncate"):
            self._note(self.unsynced, opened(call))
        elif call.name in ("mkdir", "unlink") or "O_CREAT" in call.line:
            (path,) = paths(call)
            self._change(path)
            if call.name == "openat":
                self._note(self.unsynced, path)

    def pending(self, then: str) -> Iterator[str]:
        """Yield the folders whose names may be lost though somebody goes on."""
        for folder in sorted(self.names_changed):
            if not self._staged(folder):
                yield f"{folder.relative_to(self.root)} is not fsynced before {then[:160]}"

    def unwritten(self) -> Iterator[str]:
        """Yield the files whose content may be lost though nobody will write them again."""
        for path in sorted(self.unsynced):
            if path.name not in FORGETTABLE and not self._staged(path):
                yield f"{path.relative_to(self.root)} is not fsynced before the end"

    def _publish(self, call: Call, source: PurePath, target: PurePath) -> Iterator[str]:
        yield from self.pending(call.line)
        for path in sorted(self.unsynced | self.names_changed):
            if path.is_relative_to(source):
                yield f"{path.relative_to(self.root)} is not fsynced before {call.line[:160]}"
        self._change(target)
        if call.name == "rename":
            self._change(source)

    def _change(self, path: PurePath) -> None:
        if path.name not in FORGETTABLE:
            self._note(self.names_changed, path.parent)

    def _sync(self, path: PurePath) -> None:
        self.unsynced.discard(path)
        self.names_changed.discard(path)

    def _note(self, where: set[PurePath], path: PurePath) -> None:
        if path.is_relative_to(self.root):
            where.add(path)

    def _staged(self, folder: PurePath) -> bool:
        return ".staging" in folder.parts


def lint(trace: str, root: str) -> list[str]:
    """Return everything that was not durable when something else relied on it."""
    kept, wrong = Lint(root), []
    for call in calls_of(trace):
        wrong += kept.after(call)
    return [*wrong, *kept.pending("the end"), *kept.unwritten()]


def opened(call: Call) -> PurePath:
    """Return the file behind the first descriptor of a call."""
    found = OPENED.search(call.line)
    return PurePath(found[1] if found else "")


def paths(call: Call) -> list[PurePath]:
    """Return the paths that a call names."""
    folder = FOLDER.search(call.line)
    return [PurePath(folder[1] if folder else "/") / name for name in QUOTED.findall(call.line.rsplit(" = ", 1)[0])]
