"""
What a tritonserver that is killed leaves outside of its own folders; one that is asked to end removes it.

    /dev/shm    a region of 1 MiB or more for each model, in memory
    /tmp        a copy of each candidate, and an empty folder of the python backend; TMPDIR is not asked
"""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

SERVER = "tritonserver"
SHARED, TEMPORARY = Path("/dev/shm"), Path("/tmp")  # noqa: S108 - where Triton puts it, whatever it is told
REGIONS = "triton_onnxruntime_backend_shm_region_*"
CANDIDATES, ENVIRONMENTS = "folder??????", "python_env_??????"


def sweep(shared: Path = SHARED, temporary: Path = TEMPORARY) -> list[Path]:
    """Remove what is older than every tritonserver that lives, so that none can need it; return what was removed."""
    since = min((p.create_time() for p in psutil.process_iter() if _serves(p)), default=time.time())
    left = [path for path in _left(shared, temporary) if _is_older(path, since)]
    for path in left:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return left


def _left(shared: Path, temporary: Path) -> Iterator[Path]:
    yield from shared.glob(REGIONS)
    yield from (path for path in temporary.glob(CANDIDATES) if (path / "config.pbtxt").exists())
    yield from (path for path in temporary.glob(ENVIRONMENTS) if path.is_dir() and not any(path.iterdir()))


def _is_older(path: Path, since: float) -> bool:
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    return status.st_uid == os.getuid() and status.st_mtime < since


def _serves(process: psutil.Process) -> bool:
    try:
        return bool(process.name() == SERVER)
    except psutil.Error:
        return False
