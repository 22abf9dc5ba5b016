"""The table of contents of each package names every module in it, and names no other."""

import re
from pathlib import Path

import pytest

from interlock.stack.processes import ROOT

PACKAGES = [
    init.parent
    for package in ("blocks", "demos", "flows", "interlock", "learners", "tasks")
    for init in (ROOT / package).rglob("__init__.py")
    if "migrations" not in init.parts
]


def rooms(package: Path) -> set[str]:
    files = {file.stem for file in package.glob("*.py") if not file.stem.startswith("__")}
    return files | {folder.parent.name for folder in package.glob("*/__init__.py")}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: str(package.relative_to(ROOT)))
def test_a_package_names_all_its_rooms(package):
    told = re.findall(r"^    (?:`-- |\|-- )?([a-z]\w*)  +\S", (package / "__init__.py").read_text(), re.MULTILINE)

    assert rooms(package) <= set(told), f"{package} does not name {rooms(package) - set(told)}"
