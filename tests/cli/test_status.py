"""What one model's disk hides does not hide the others, and a living release is no disagreement."""

import os
import subprocess
import sys

import pytest
from world.fakes import candidate_of, up_to

from interlock.cli.status import model_status, room, surveys
from interlock.errors import Refused
from interlock.release.open import released
from interlock.upkeep.history import damage

HOLD = """
import sys
from pathlib import Path
from interlock.records import Run
from interlock.store import Store, Writer
with Writer.locked(Store(Path(sys.argv[1])), "best_model", Run(who="test")):
    print("holding", flush=True)
    sys.stdin.read()
"""


def unreadable(path):
    """A folder where a file is expected."""
    path.unlink()
    path.mkdir()


def shown_of(world, seen) -> str:
    return "\n".join(model_status(world.env, seen).lines())


def journal_of(world) -> bytes:
    """The journal of a release that was open for a moment."""
    with (
        pytest.raises(Refused),
        released(world.env, candidate_of(2), []) as made,
    ):
        made.snapshot()
        content = world.store.paths("best_model").journal.read_bytes()
        raise Refused("stop")
    return content


@pytest.mark.parametrize("record", ["current", "journal", "entry"])
def test_a_record_of_one_model_that_cannot_be_read_ends_no_status_of_all_models(world, release, record):
    release(1)
    paths = world.store.paths("best_model")
    paths.journal.touch()
    unreadable({"current": paths.current, "journal": paths.journal, "entry": paths.entry(1)}[record])
    with released(world.env, candidate_of(1, model="wine"), []) as made:
        up_to(made, "commit")

    shown = {seen.model: shown_of(world, seen) for seen in surveys(world.env)}

    assert "is a folder, no file" in shown["best_model"]
    assert "wine A: v1" in shown["wine"]


def test_history_names_what_cannot_be_read(world, release):
    release(1)
    release(2)
    unreadable(world.store.paths("best_model").entry(1))

    assert [what for what in damage(world.store, "best_model") if "is a folder, no file" in what]


def test_a_release_whose_process_lives_is_under_way_and_one_whose_process_died_disagrees(world, release):
    release(1)
    journal, root = journal_of(world), str(world.store.root)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    try:
        assert holder.stdout.readline() == b"holding\n"
        world.store.paths("best_model").journal.write_bytes(journal)
        (alive,) = surveys(world.env)
        assert model_status(world.env, alive).wrong == ()
        assert "under way, by test" in shown_of(world, alive)
    finally:
        holder.kill()
        holder.communicate()

    (dead,) = surveys(world.env)
    assert model_status(world.env, dead).wrong
    assert "under way" not in shown_of(world, dead)


def test_what_no_release_made_does_not_end_the_look_at_the_disks_room(world, release):
    release(1)
    versions = world.store.paths("best_model").versions
    (versions / "5").touch()
    (versions / "1" / "loop").symlink_to("loop")

    assert room(world.store) is None
