"""A repository that cannot be written or locked is refused before anything is trained."""

import os
import shutil
import subprocess
import sys

import pytest

from delivery.errors import Unwritable
from delivery.store import check_usable
from stack.parts import ROOT

ASK = "import sys; from pathlib import Path; from delivery.store import check_usable; check_usable(Path(sys.argv[1]))"


def test_a_repository_with_locks_is_usable_and_left_as_it_was(tmp_path):
    check_usable(tmp_path / "repository")
    check_usable(tmp_path / "repository")

    assert list((tmp_path / "repository").iterdir()) == []


def test_a_repository_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(Unwritable, match="cannot be written: Not a directory"):
        check_usable(tmp_path / "file" / "repository")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("flock:error=ENOLCK", "cannot be written: No locks available"),
        ("flock:error=EOPNOTSUPP", "cannot be written: Operation not supported"),
        ("flock:retval=0", "lets two writers hold one lock: choose a disk whose locks work"),
        ("mkdir:error=ENOSPC", "cannot be written: No space left on device"),
    ],
)
def test_a_disk_that_keeps_nobody_out_or_is_full_is_refused(fault, says, tmp_path):
    """As an NFS mounted without locks: the kernel's answer is replaced."""
    if not (strace := shutil.which("strace")):
        pytest.skip("no strace")
    command = [strace, "-f", "-o", os.devnull, "-e", f"inject={fault}"]
    given = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, sys.executable, "-c", ASK, str(tmp_path / "new")],
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Unwritable" in done.stderr, done.stderr
    assert says in done.stderr
