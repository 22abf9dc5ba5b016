"""
`python -m prove.batch_kills FOLDER`: kill a batch at each of its file operations, in turn, and go on with it.

Each run is a process that is killed (SIGKILL) by an audit hook when it is about to make its n-th file operation below
FOLDER. The next run, of the same batch, must end with the rows of a batch that nobody disturbed, and leave nothing.
"""

import os
import signal
import sys
from pathlib import Path

from world.batches import make, serving, write

from tasks.batch import loaded

OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "shutil.rmtree"}


def run(root: Path, kill_at: int, **asked) -> bool:
    """Make the batch in a process of its own; return whether it lived."""
    child = os.fork()
    if child == 0:
        left = kill_at

        def count(event: str, details: tuple[object, ...]) -> None:
            nonlocal left
            if event in OPERATIONS and str(root) in str(details[0]):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        make(root=root, **asked)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status not in (0, signal.SIGKILL):
        raise SystemExit(f"operation {kill_at}: the run ended with status {status}")
    return status == 0


def main(folder: Path) -> None:
    store, file = serving(folder / "repository"), str(write(folder / "rows.parquet", rows=200))
    loaded.cache_clear()
    whole = None
    for kill_at in range(1, 1000):
        root = folder / f"killed-at-{kill_at}"
        lived = run(root, kill_at, store=store, parquet=file)
        made = make(store, root, parquet=file)
        whole = made if whole is None else whole
        assert made == whole, f"operation {kill_at}: other rows"
        assert made["position"].to_pylist() == list(range(200)), f"operation {kill_at}: rows twice or missing"
        left = sorted(path.name for path in root.rglob("*"))
        assert left == [".work", "_batch.json", "b", *(f"part-{n:06d}.parquet" for n in range(2))], left
        if lived:
            sys.stdout.write(f"{kill_at - 1}\n")
            return
        loaded.cache_clear()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
