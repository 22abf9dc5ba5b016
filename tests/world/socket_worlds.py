"""Makes wires, case after case, and checks what came of each."""

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from check.users import Users
from inject.proxy import Proxy
from world.fake_mlflow import FakeMlflow
from world.models import confidence, iris, served
from world.over_sockets import C_OF, MODEL, Wires, candidate_of, files_of

from interlock.errors import DeliveryError
from interlock.store import Store


class Hall:
    """Makes wires, case after case; an app takes 0.2 s to end, which nobody waits for before the next case."""

    def __init__(self, tmp_path: Path, mlflow: FakeMlflow, proxies: tuple[Proxy, Proxy]) -> None:
        self._tmp_path = tmp_path
        self._mlflow = mlflow
        self._proxies = proxies
        self._ending = ThreadPoolExecutor(8)
        self._cases = 0
        self._templates: dict[int, Path] = {}
        for version in C_OF:
            mlflow.register(MODEL, f"run-{version}", files_of(version), candidate_of(version).sha256)

    @contextmanager
    def wires(self, live: int = 1, *, apps: int = 1) -> Iterator[Wires]:
        """A world in which versions up to *live* were released, one after the other."""
        self._cases += 1
        self._mlflow.aliases.clear()
        store, apps_running = Store(self._tmp_path / str(self._cases)), ExitStack()
        if live in self._templates:
            shutil.copytree(self._templates[live], store.root)
            self._mlflow.aliases[MODEL, "A"] = str(live)
        urls = [apps_running.enter_context(served(store)) for _ in range(apps)]
        registry, serving = self._proxies
        serving.upstream = urls[0]
        wires = Wires(store, self._mlflow, registry, serving, urls)
        wires.heal()
        if live not in self._templates:
            for version in range(1, live + 1):
                wires.release(version)
            self._templates[live] = Path(shutil.copytree(store.root, self._tmp_path / f"live-{live}"))
        for each in self._proxies:
            each.calls.clear()
        try:
            yield wires
        finally:
            wires.heal()
            self._ending.submit(apps_running.close)

    def close(self) -> None:
        self._ending.shutdown()


def outcome(act: Callable[[], object]) -> DeliveryError | None:
    """What an act ended with; anything but a typed error goes on."""
    try:
        act()
    except DeliveryError as error:
        return error
    return None


def eventually(is_so: Callable[[], bool], seconds: float = 3) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def check_told(wires: Wires, error: DeliveryError | None, wanted: int, where: str) -> None:
    """I10: an error names what serves; without one, what was asked for is what serves."""
    now = wires.live()
    if error is None:
        assert now == wanted, where
    else:
        assert f"v{now} serves" in str(error) or "journal stays open" in str(error), f"{where}: {error!r}"


def check_users(wires: Wires, users: Users, where: str) -> None:
    """I1, I7: nobody noticed, and only what was once decided ever answered, truthfully."""
    decided = {entry.after.version_of("A") for entry in wires.store.entries(MODEL)}
    assert users.failures == [], where
    assert users.answers, where
    assert users.answers.keys() <= {(version, truth()[version]) for version in decided}, where


@cache
def truth() -> dict[int, float]:
    """Return the confidence that each version gives for the row that users send."""
    return {v: round(confidence(iris(c)), 5) for v, c in C_OF.items()}
