"""The decision is looked at for ever: whatever the volume does, nothing ends in silence and answers go on."""

import asyncio
import errno
import json
import logging
import os
import shutil
import threading
import time

import pytest
from starlette.testclient import TestClient
from world.models import AUTH, ROW, decide, settings_of

from interlock.errors import CorruptRecord, Unreadable
from interlock.serving import follower as follower_module
from interlock.serving import supervised as supervised_module
from interlock.serving.app import create_app
from interlock.serving.supervised import supervised
from interlock.store import Store

TOLD_S = 2.5
FAILURES = [OSError(errno.EMFILE, "Too many open files"), Unreadable("x"), CorruptRecord("x"), KeyError("x")]
"""EACCES, EIO and ESTALE come as Unreadable."""


def wait_until(condition, longest_s: float = 10.0) -> float:
    """Wait for *condition*; return how long that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() < started + longest_s
        time.sleep(0.02)
    return time.monotonic() - started


def is_ready(client) -> bool:
    return client.get("/readyz").status_code == 200


def version(client) -> int:
    return client.post("/predict", json=[ROW]).json()["version"]


def metric(client, name: str) -> float:
    (line,) = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name)]
    return float(line.split()[-1])


@pytest.mark.parametrize("error", FAILURES, ids=[f"{type(e).__name__}{getattr(e, 'errno', '')}" for e in FAILURES])
def test_a_look_that_fails_is_told_and_tried_again(client, store, monkeypatch, caplog, error):
    look = Store.current

    def failing(self, model):
        raise error

    with caplog.at_level(logging.ERROR):
        monkeypatch.setattr(Store, "current", failing)
        assert is_ready(client)
        assert wait_until(lambda: not is_ready(client), TOLD_S) > 0.7
        assert client.get("/readyz").json()["error"] == "decision_unseen"
        assert version(client) == 1
        assert metric(client, "interlock_decision_seen_seconds") > 1
    assert caplog.text.count("the decision cannot be looked at") == 1

    monkeypatch.setattr(Store, "current", look)
    decide(store, "A", 2)
    assert wait_until(lambda: version(client) == 2) < TOLD_S
    wait_until(lambda: is_ready(client))


def a_folder(path):
    path.unlink()
    path.mkdir()


def a_pipe(path):
    """Who opens one as if it were a file hangs for ever."""
    path.unlink()
    os.mkfifo(path)


def deep(path):
    path.write_bytes(b"[" * 100_000)


def a_link_to_itself(path):
    path.unlink()
    path.symlink_to(path.name)


@pytest.mark.parametrize("damage", [a_folder, a_pipe, deep, a_link_to_itself])
def test_what_is_in_the_place_of_the_decision_stops_nothing(client, store, damage):
    current = store.paths("best_model").current
    kept = current.read_bytes()
    damage(current)

    wait_until(lambda: not is_ready(client), TOLD_S)
    threads = threading.active_count()
    for _ in range(20):
        started = time.monotonic()
        assert version(client) == 1
        assert client.get("/healthz").status_code == 200
        assert time.monotonic() - started < 0.5
    assert client.post("/reload", headers=AUTH).status_code == 409
    assert threading.active_count() <= threads + 1

    (current.rmdir if current.is_dir() else current.unlink)()
    current.write_bytes(kept)
    decide(store, "A", 2)
    wait_until(lambda: version(client) == 2 and is_ready(client))


def test_a_repository_with_an_older_decision_is_not_followed_and_told(client, store):
    """Somebody restored a backup: what serves goes on, and a person is asked to start the app again."""
    root = store.root
    shutil.copytree(root, root.with_name("backup"))
    decide(store, "A", 2)
    wait_until(lambda: version(client) == 2)
    root.rename(root.with_name("away"))
    root.with_name("backup").rename(root)

    wait_until(lambda: not is_ready(client))
    assert "restored from a backup, restart this app" in client.get("/readyz").json()["message"]
    assert client.post("/reload", headers=AUTH).json()["epoch"] == 2
    assert version(client) == 2
    with TestClient(create_app(settings_of(store))) as again:
        assert (version(again), is_ready(again)) == (1, True)


def test_a_task_that_ends_is_begun_again_counted_and_told_once(client, store, monkeypatch, caplog):
    monkeypatch.setattr(supervised_module, "PAUSE_S", 0.05)
    app = client.app
    ends = []

    def to_do(current):
        ends.append(1)
        raise ZeroDivisionError("somewhere")

    with caplog.at_level(logging.ERROR), monkeypatch.context() as broken:
        broken.setattr(app.state.follower, "_is_to_do", to_do)
        wait_until(lambda: len(ends) >= 3)
    assert caplog.text.count("the follower ended") == 1
    assert metric(client, 'interlock_task_failures_total{task="the follower"}') >= 2
    decide(store, "A", 2)
    wait_until(lambda: version(client) == 2)


def test_supervision_ends_only_by_being_cancelled(monkeypatch):
    monkeypatch.setattr(supervised_module, "PAUSE_S", 0.001)
    ended = []

    async def run():
        if len(ended) < 3:
            raise OSError("x")

    async def story():
        task = asyncio.create_task(supervised("it", run, ended.append))
        while len(ended) < 5:  # noqa: ASYNC110 - the task is what is waited for
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return task.cancelled()

    assert asyncio.run(story())


def test_many_reloads_at_once_fail_no_prediction(client):
    """They read one after the other, and none is read twice at once."""
    answers = []

    def reload():
        answers.append(client.post("/reload", headers=AUTH).status_code)

    threads = [threading.Thread(target=reload) for _ in range(100)]
    for thread in threads:
        thread.start()
    assert version(client) == 1
    for thread in threads:
        thread.join()
    assert set(answers) <= {200, 409}
    assert answers.count(200) > 0


def test_a_decision_that_is_seen_is_told_in_the_metrics(client):
    assert metric(client, "interlock_decision_seen_seconds") < follower_module.LONGEST_UNSEEN_S
    assert json.loads(client.get("/variants").text)["failures"] == {}
