"""Lines that README and `interlock up` print for a reader to copy work as they are written."""

import re

import pytest

from interlock.stack.processes import ROOT


@pytest.fixture
def shell(api, monkeypatch):
    """Run a line in a shell that points at the stack, as `interlock up` told."""
    monkeypatch.setitem(api.environment, "PREFECT_API_URL", api.settings.prefect_api)
    return lambda line: api.run("bash", "-c", line)


def schedule(api):
    deployments = {"flows": {"name": {"any_": ["continuous-deployment"]}}, "deployments": {"name": {"any_": ["dev"]}}}
    return api.prefect("deployments/filter", deployments)[0]["schedules"][0]


def test_the_line_that_switches_the_schedule_on_does_so(shell, api):
    (line,) = re.findall(
        r"^    (prefect deployment schedule resume .*)$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert not schedule(api)["active"]

    done = shell(line)

    assert done.returncode == 0, done.stdout + done.stderr
    assert schedule(api)["active"]
    assert shell(line.replace("schedule resume", "schedule pause")).returncode == 0
    assert not schedule(api)["active"]


def test_the_lines_that_up_prints_train_what_is_served(api):
    """In a shell that knows nothing else, from another folder, behind a company's proxy."""
    export, train = [line.strip() for line in api.interlock("up").stdout.splitlines()[-2:]]

    done = api.run("bash", "-c", f"cd / && {export} && {train}", **api.proxy)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Completed" in done.stdout
