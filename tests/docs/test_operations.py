"""The page for red states names every error that an operator can meet, and commands that exist."""

import re
import subprocess
import sys

import pytest

from interlock import errors
from interlock.errors import DeliveryError
from interlock.stack.processes import ROOT

PAGES = (
    "README.md",
    *(f"docs/{name}.md" for name in ("operations", "architecture", "glossary", "running", "releasing")),
)


def test_every_kind_of_error_is_explained():
    page = (ROOT / "docs" / "operations.md").read_text()
    kinds = [name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, DeliveryError)]
    assert [name for name in kinds if f"`{name}`" not in page and name != "DeliveryError"] == []


@pytest.fixture(scope="module")
def verbs() -> dict[str, str]:
    """The help of each command."""
    from interlock.cli.main import app

    names = {command.name or command.callback.__name__.replace("_", "-") for command in app.registered_commands}
    helps = {}
    for name in names:
        command = [sys.executable, "-c", "from interlock.cli import run; run()", name, "--help"]
        helps[name] = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    return helps


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_page_names_exists_with_its_options(page, verbs):
    for verb, rest in re.findall(r"interlock ([a-z]+(?:-[a-z]+)?)((?: --?[a-z][^`\n|]*)?)", (ROOT / page).read_text()):
        if f"`interlock {verb}{rest}" not in (ROOT / page).read_text():
            continue
        assert verb in verbs, f"{page} names `interlock {verb}`"
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in verbs[verb], f"{page}: `interlock {verb}` has no {option}"


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/glossary.md"])
def test_every_file_that_a_page_names_exists(page):
    named = re.findall(r"`((?:interlock|flows|tasks|blocks|docs)/[\w/.]+)`", (ROOT / page).read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_link_leads_to_a_page():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text())]
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []
