"""Each seeded bug is caught by the test that is named beside it; without the bug that test passes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from prove.mutants import MUTANTS, Mutant
from prove.share import share

ROOT = Path(__file__).parents[2]
PACKAGES = ("blocks", "demos", "flows", "interlock", "learners", "tasks", "tests")
FAILED = 1
"""pytest's status when a test failed; anything else is no verdict."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The project, in a folder of its own."""
    copied = tmp_path_factory.mktemp("mutants")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copied / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "prefect.yaml", "Makefile"):
        shutil.copy(ROOT / file, copied)
    return copied


def run(copied: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    return subprocess.run(
        command,
        cwd=copied,
        env=environment | {"PYTHONPATH": str(copied)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_there_are_fifteen():
    assert len({mutant.name for mutant in MUTANTS}) >= 15


def test_without_a_bug_all_of_these_tests_pass(copy):
    ended = run(copy, *dict.fromkeys(mutant.test for mutant in share(MUTANTS)))
    assert ended.returncode == 0, ended.stdout[-3000:]


@pytest.mark.parametrize("mutant", share(MUTANTS), ids=lambda mutant: mutant.name)
def test_the_bug_is_caught(copy, mutant: Mutant):
    path = copy / mutant.file
    whole = path.read_text()
    assert whole.count(mutant.code) == 1, f"the code that {mutant.name!r} breaks is not there once"
    path.write_text(whole.replace(mutant.code, mutant.instead))
    try:
        ended = run(copy, mutant.test)
    finally:
        path.write_text(whole)
    assert ended.returncode == FAILED, f"nobody noticed: {mutant.name}\n{ended.stdout[-3000:]}"
