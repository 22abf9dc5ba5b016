"""Watch a process's system calls with strace, and let one of them fail or kill."""

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READING = ("read", "pread64", "stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat2", "getdents64")
HANDLING = ("open", "openat", "close", "flock", "fcntl", "lseek", "ioctl")
MAKING = ("mkdir", "link", "linkat", "write", "pwrite64", "ftruncate", "fsync", "fdatasync", "rename", "renameat")
LOSING = ("renameat2", "unlink", "unlinkat", "rmdir", "chmod", "utimensat", "sendfile", "copy_file_range")
ASKING = ("connect", "sendto", "recvfrom")
CALLS = (*READING, *HANDLING, *MAKING, *LOSING, *ASKING)
DURABLE = ("fsync", "fdatasync")
LINE = re.compile(r"(?P<name>[a-z0-9_]+)\((?P<arguments>.*)\) += (?P<result>-?\d+|\?)(?P<rest>.*)")


@dataclass(frozen=True)
class Call:
    """One system call: its name, the how manieth of that name it is, and its line in the trace."""

    name: str
    number: int
    line: str
    failed: bool

    def touches(self, root: str) -> bool:
        return root in self.line

    @property
    def writes(self) -> bool:
        """Whether it is meant to change a file, or to make it durable."""
        return self.name in (*MAKING, *LOSING) or "O_CREAT" in self.line

    @property
    def changes(self) -> bool:
        """Whether the world is another one after it: on disk, or where it was sent to."""
        written = self.writes and self.name not in DURABLE
        return not self.failed and (written or self.name == "sendto")


@dataclass(frozen=True)
class Fault:
    """What happens at the *number*th call named *name*; with *lasting* at every later one, too."""

    kind: str
    name: str
    number: int
    lasting: bool = False

    @property
    def option(self) -> str:
        what = "signal=KILL" if self.kind == "KILL" else f"error={self.kind}"
        return f"inject={self.name}:{what}:when={self.number}{'+' if self.lasting else ''}"

    def __str__(self) -> str:
        return f"{self.kind} at {self.name} {self.number}{' and later' if self.lasting else ''}"


class Strace:
    """Attached to a process that stands still, until that process ends."""

    def __init__(self, pid: int, trace: Path, fault: Fault | None = None) -> None:
        inject = ["-e", fault.option] if fault else []
        command = ["strace", "-p", str(pid), "-o", str(trace), "-y", "-e", f"trace={','.join(CALLS)}", *inject]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        attached = self.process.stderr.readline()
        assert "attached" in attached, attached

        self.pid = pid

    def let_go(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def join(self) -> None:
        self.process.communicate(timeout=20)


def calls_of(trace: str) -> Iterator[Call]:
    """Yield the calls of a trace; one that the process died in has no result."""
    numbers: Counter[str] = Counter()
    for line in trace.splitlines():
        if found := LINE.match(line):
            numbers[found["name"]] += 1
            yield Call(found["name"], numbers[found["name"]], line, found["result"].startswith("-"))


def is_there() -> bool:
    return shutil.which("strace") is not None
