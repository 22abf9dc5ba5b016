"""Processes with a rig each, so that cases run on every core and never meet."""

import atexit
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from inject.cases import Case, Ended
from world.models import iris
from world.under_strace import Rig

HANDS = min(os.cpu_count() or 1, 4)
_rigs: list[Rig] = []


class Crew:
    """Runs cases in any order, each on whichever rig is free."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self.pool = pool

    def run(self, cases: Sequence[Case]) -> list[Ended]:
        """Return what came of each, in the order of *cases*."""
        return list(self.pool.map(_run, cases))


@contextmanager
def crew() -> Iterator[Crew]:
    """Start it; every file is in memory where there is such a place: faults do not need a slow disk."""
    memory = Path("/dev/shm")
    home = Path(tempfile.mkdtemp(prefix="interlock-faults-", dir=memory if memory.is_dir() else None))
    make_versions(home / "made")
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(HANDS, context, _begin, (home,)) as pool:
            yield Crew(pool)
    finally:
        shutil.rmtree(home)


def make_versions(made: Path) -> None:
    """Train what cases release: v1, and v2, which answers otherwise."""
    for version, c in ((1, 1.0), (2, 10.0)):
        folder, trained = made / str(version), iris(c)
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(trained.onnx)
        (folder / "manifest.json").write_text(trained.manifest(f"run-{version}").model_dump_json())


def _begin(home: Path) -> None:
    rig = Rig(Path(tempfile.mkdtemp(dir=home)), home / "made")
    atexit.register(rig.close)
    _rigs.append(rig)


def _run(case: Case) -> Ended:
    return _rigs[0].run(case)
