"""`train_register_reload` with a hook of a user's own before ours."""

import time
from pathlib import Path

from flows.recover_run import recover_run
from flows.train_register_reload import train_register_reload
from interlock.settings import Settings

LONGEST_S = 120.0


def go_file(home: Path, flow_run_id: object) -> Path:
    """The slow hook of that run, on the stack at *home*, goes on when this file is there."""
    return home / f"hook-{flow_run_id}"


def raises(flow, flow_run, state):
    raise RuntimeError("the pager is broken")


def is_slow(flow, flow_run, state):
    deadline = time.monotonic() + LONGEST_S
    while not go_file(Settings().home, flow_run.id).exists() and time.monotonic() < deadline:
        time.sleep(0.1)


def hooked(name, hook):
    hooks = [hook, recover_run]
    return train_register_reload.with_options(name=name, on_failure=hooks, on_crashed=hooks, on_cancellation=hooks)


with_broken_hook = hooked("with-broken-hook", raises)
with_slow_hook = hooked("with-slow-hook", is_slow)
