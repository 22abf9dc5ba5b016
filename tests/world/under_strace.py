"""
A repository, the serving app over it, a registry on a wire and a driver: everything that a case needs, and its own.

    reset -> traffic -> an act under a fault, or several, one after the other -> look -> one reconcile -> check
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

from check.afterwards import look
from check.invariants import pass_of_reconcile, violations
from check.traffic import Traffic
from inject.cases import SCENES, Case, Ended
from inject.strace import Fault, Strace, calls_of
from world.acts import ALIAS, MODEL, Place
from world.fake_mlflow import FakeMlflow, fake_mlflow
from world.models import TOKEN, served

from interlock.adapters.mlflow.registry import ARTIFACTS
from interlock.model.manifest import Manifest
from interlock.store import Store


@dataclass(frozen=True)
class State:
    """A repository to begin with, and the aliases that fit it."""

    root: Path
    aliases: dict[tuple[str, str], str]


WARM_UP = (("v1 live", "slow"), ("v1 live", "broken"), ("v2 live", "rollback"), ("v2 live", "reconcile"))


class Rig:
    """
    Made once for many cases; every case has a repository and an app of its own.

    Args:
        home: A folder of its own.
        made: Folders with model.onnx and manifest.json, named 1 and 2.
        disk: Where the repositories are; by default in *home*.
    """

    def __init__(self, home: Path, made: Path, disk: Path | None = None) -> None:
        self.home, self.made = home, made
        self.roots = ((disk or home) / f"repository-{number:04d}" for number in count())
        self.stack = ExitStack()
        self.mlflow = self.stack.enter_context(fake_mlflow())
        self.driver = self.stack.enter_context(driver(home / "driver.log"))
        self.states: dict[str, State] = {}
        self._stopping: Thread | None = None
        self._set_up()

    def close(self) -> None:
        self.settle()
        self.stack.close()

    def settle(self) -> None:
        """Wait until the app of the case before is gone, and its repository."""
        if self._stopping:
            self._stopping.join()

    def run(self, case: Case) -> Ended:
        scene = SCENES[case.scene]
        with self._place(scene.before) as place:
            ended = Ended(case, place.root)
            if scene.staged:
                place.engine_for().load(place.registry.candidate(MODEL, ALIAS, 2))
            traffic = Traffic(place.app, place.store, self.made, scene)
            with traffic:
                for number, fault in enumerate(case.faults):
                    self._act(ended, "reconcile" if number else scene.act, place, fault)
                on_disk = versions_of(place.store)
                report = pass_of_reconcile(place.env)
                ended.wrong += [f"I3: the pass of reconcile failed: {report.told}"] if report.failed else []
            ended.wrong += traffic.violations()
            ended.wrong += violations(place.env)
            ended.wrong += [f"I4: v{version} is gone" for version in on_disk - versions_of(place.store)]
        return ended

    def _act(self, ended: Ended, act: str, place: Place, fault: Fault | None) -> None:
        """Let the act run under strace; note what it called, and what is wrong right afterwards."""
        trace = self.home / "trace"
        strace = Strace(self._order(act, place)["pid"], trace, fault)
        strace.let_go()
        how = self._answer()
        strace.join()
        ended.traces.append(trace.read_text())
        ended.told.append(how["told"])
        ended.wrong += look(SCENES[ended.case.scene].of(act), place, fault, how, ended.traces[-1])

    def _order(self, act: str, place: Place, *, inline: bool = False) -> dict[str, Any]:
        self.driver.stdin.write(json.dumps({"act": act, "place": place.told, "inline": inline}) + "\n")
        self.driver.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        return json.loads(self.driver.stdout.readline())

    def _set_up(self) -> None:
        """Make the states that scenes begin with, and warm the driver up by everything that it will do."""
        for version in (1, 2):
            register(self.mlflow, self.made / str(version))
        self.states["nothing"] = State(self.home / "nothing", {})
        self.states["nothing"].root.mkdir()
        self._warm_up("nothing", "first", keep="v1 live")
        self._warm_up("v1 live", "release", keep="v2 live")
        for before, act in WARM_UP:
            self._warm_up(before, act)

    def _warm_up(self, before: str, act: str, keep: str = "") -> None:
        with self._place(before) as place:
            self._order(act, place, inline=True)
            if keep:
                self._keep(keep, place)

    def _kill_at_the_commit(self) -> None:
        """Make the states of a release that was killed right before, and right after, its decision was written."""
        calls = list(calls_of(self.run(Case("release")).traces[0]))
        commit = next(n for n, call in enumerate(calls) if call.name == "rename" and "/current.json" in call.line)
        for name, call in (("killed before", calls[commit]), ("killed after", calls[commit + 1])):
            with self._place("v1 live") as place:
                fault = Fault("KILL", call.name, call.number)
                self._act(Ended(Case("release", (fault,)), place.root), "release", place, fault)
                self._keep(name, place)

    def _keep(self, name: str, place: Place) -> None:
        self.states[name] = State(self.home / name.replace(" ", "-"), dict(self.mlflow.aliases))
        shutil.copytree(place.root, self.states[name].root)

    @contextmanager
    def _place(self, before: str) -> Iterator[Place]:
        """A repository in that state, with an app over it, which is stopped behind the back of whoever goes on."""
        if before not in self.states:
            self._kill_at_the_commit()
        state, root = self.states[before], next(self.roots)
        shutil.copytree(state.root, root)
        self.mlflow.aliases = dict(state.aliases)
        app = ExitStack()
        yield Place(str(root), app.enter_context(served(Store(root))), self.mlflow.url, TOKEN)
        self.settle()
        self._stopping = Thread(target=lambda: (app.close(), shutil.rmtree(root)))
        self._stopping.start()


def register(mlflow: FakeMlflow, folder: Path) -> None:
    """Let MLflow know the version in *folder*, as a training does."""
    manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    files = {path: (folder / name).read_bytes() for name, (path, _) in ARTIFACTS.items()}
    mlflow.register(MODEL, manifest.run_id, files, manifest.sha256)


@contextmanager
def driver(log: Path) -> Iterator[subprocess.Popen[str]]:
    """The process that forks the acts; it ends when its input does."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "inject.driver"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with log.open("w") as errors, subprocess.Popen(command, env=environment, stderr=errors, **pipes) as process:
        yield process


def versions_of(store: Store) -> set[int]:
    """Return every version on disk, in its place or put away."""
    paths = store.paths(MODEL)
    failed = {int(path.name.split("-")[0]) for path in paths.failed.glob("*")}
    return failed | {int(path.name) for path in paths.version_folders()}
