"""What a new user waits for: a fresh clone to the end of `make demo`; then again, stack stopped and stack up."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.place import environment, table
from interlock.stack.processes import ROOT


def timed(folder: Path, target: str, variables: dict[str, str]) -> float:
    """Return the seconds that a make target takes."""
    path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if ".venv" not in part)
    started = time.monotonic()
    subprocess.run(
        ["make", "-s", target],  # noqa: S607 - the user's own make
        cwd=folder,
        env={**os.environ, **variables, "PATH": path},
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=900,
    )
    return time.monotonic() - started


def main() -> None:
    """Clone what is committed, and play a new user."""
    folder = Path(tempfile.mkdtemp(prefix="interlock-"))
    clone = folder / "interlock"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)  # noqa: S607
    variables = environment(clone / ".interlock")
    try:
        bare = timed(clone, "demo", variables)
        stopped = timed(clone, "demo", variables)
        timed(clone, "up", variables)
        running = timed(clone, "demo", variables)
    finally:
        timed(clone, "down", variables)
        shutil.rmtree(folder)
    rows = [
        ("fresh clone to the end of `make demo`, warm download caches", f"{bare:.0f} s", "< 180 s"),
        ("again, from a stopped stack", f"{stopped:.0f} s", "< 90 s"),
        ("again, with the stack up", f"{running:.0f} s", "< 60 s"),
    ]
    table("The first run", rows)


if __name__ == "__main__":
    main()
