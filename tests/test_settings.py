"""A variable with our prefix that nobody knows is a typo, and is told before anything begins."""

import subprocess
import sys

import pytest

from interlock.errors import UnknownSetting
from interlock.settings import LogSettings, ServingSettings, Settings


@pytest.mark.parametrize("settings", [Settings, LogSettings, lambda: ServingSettings(without_token=True)])
def test_an_unknown_variable_is_an_error_that_names_the_nearest_one(monkeypatch, settings):
    monkeypatch.setenv("INTERLOCK_SERVNG_PORT", "80")

    with pytest.raises(UnknownSetting, match=r"INTERLOCK_SERVNG_PORT is no setting; .* INTERLOCK_SERVING_PORT"):
        settings()


def test_a_variable_of_another_part_is_no_error(monkeypatch):
    monkeypatch.setenv("INTERLOCK_SERVING_LOG_QUEUE_ROWS", "5000")
    monkeypatch.setenv("INTERLOCK_BATCH_RUNNER", "dask")

    assert LogSettings().queue_rows == 5000
    assert Settings().batch_runner == "dask"


@pytest.mark.parametrize(
    "command", [["-m", "interlock.serving"], ["-m", "blocks", "--server", "http://127.0.0.1:9/api"]]
)
def test_a_command_says_so_in_one_line(command, tmp_path):
    done = subprocess.run(
        [sys.executable, *command],
        env={"PATH": "/bin", "INTERLOCK_CHAT_ULR": "http://secret"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "INTERLOCK_CHAT_ULR is no setting; the nearest one is INTERLOCK_CHAT_URL" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
