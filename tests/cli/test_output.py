"""What commands print can be read by a person at a terminal, by a pipe and by a program."""

import json

from interlock.cli.output import show_json, show_table
from interlock.cli.status import Decision
from interlock.records import Outcome
from interlock.release.alias import AliasState


def test_a_pipe_gets_every_cell_whole_and_in_columns(capsys):
    long = "why " * 100

    show_table(("epoch", "why"), [(1, "[bold]no markup[/bold]"), (20, long)])

    header, first, second = capsys.readouterr().out.splitlines()
    assert header == "epoch  why"
    assert first == "1      [bold]no markup[/bold]"
    assert second == f"20     {long}".rstrip()


def test_records_and_dataclasses_are_json(world, release, capsys):
    release(1)
    entry = world.store.entry("best_model", 1)

    show_json({"record": entry, "shown": Decision.of(entry), "path": world.store.root, "alias": AliasState.MOVED})

    told = json.loads(capsys.readouterr().out)
    assert told["record"]["outcome"] == Outcome.COMPLETED
    assert told["shown"] == {
        "epoch": 1,
        "at_utc": entry.at_utc,
        "kind": "release",
        "alias": "A",
        "before": None,
        "after": 1,
        "who": "test",
        "flow_run_name": "test",
        "flow_run_id": "flow-1",
        "why": "",
        "outcome": "completed",
    }
    assert told["path"] == str(world.store.root)
    assert told["alias"] == "moved by hand"
