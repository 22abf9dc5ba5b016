"""A disk that is really full: a small tmpfs with a ballast."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from check.afterwards import look
from inject.cases import SCENES, Ended
from world.acts import Place
from world.under_strace import Rig

SIZE = "2m"


@dataclass(frozen=True)
class Full:
    """The act finds *left* free blocks."""

    left: int

    def __str__(self) -> str:
        return f"{self.left} blocks left"


@contextmanager
def mounted(folder: Path) -> Iterator[str]:
    """Mount it; yield why that did not work, empty if it did."""
    if os.geteuid() != 0:
        yield "only root may mount"
        return
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    mount = subprocess.run(command, capture_output=True, text=True, check=False)
    yield mount.stderr.strip()
    if mount.returncode == 0:
        subprocess.run(["umount", str(folder)], check=True)


class SmallDisk(Rig):
    """Its repositories are on a small disk; a case's faults say how full that is."""

    def _act(self, ended: Ended, act: str, place: Place, fault: Full) -> None:
        self.settle()
        with filled(Path(place.root).parent, fault.left):
            how = self._order(act, place, inline=True)
            ended.wrong += look(SCENES[ended.case.scene].of(act), place, None, how, "")
        ended.told.append(how["told"])


@contextmanager
def filled(disk: Path, left: int) -> Iterator[None]:
    ballast = disk / "ballast"
    now = os.statvfs(disk)
    ballast.write_bytes(bytes((now.f_bavail - left) * now.f_bsize))
    yield
    ballast.unlink()
