"""Somebody who asks all the time, un-pinned, and looks at the decision between: seen now, judged later."""

import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from inject.cases import Scene

from interlock.errors import CorruptRecord, DeliveryError
from interlock.model.manifest import Manifest
from interlock.store import Store

TOLERANCE = 1e-4
PERIOD_S = 0.01


@dataclass(frozen=True)
class Answer:
    """What the app said to one row."""

    status: int
    version: int = 0
    label: int = -1
    confidence: float = 0.0


class Traffic:
    """
    One thread that asks the app at *url* for a golden row and reads the decision of *store*, until it is told to stop.

    When nothing is live at the beginning, the app may say 503, and there may be no decision yet.

    Args:
        made: Every version's manifest, for the truth of an answer.
        scene: Says which versions may answer.
    """

    def __init__(self, url: str, store: Store, made: Path, scene: Scene) -> None:
        self.store, self.versions, self.from_nothing = store, scene.proven, scene.from_nothing
        self.manifests = {
            v: Manifest.model_validate_json((made / str(v) / "manifest.json").read_bytes()) for v in (1, 2)
        }
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        self.answers: list[Answer] = []
        self.seen: set[str] = set()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()
        self.connection.close()

    def ask(self) -> Answer:
        row = self.manifests[1].golden.rows[0]
        self.connection.request("POST", "/predict", json.dumps([row]), {"content-type": "application/json"})
        response = self.connection.getresponse()
        body = json.loads(response.read())
        if response.status != 200:
            return Answer(response.status)
        return Answer(200, body["version"], body["prediction"][0], body["confidence"][0])

    def violations(self) -> Iterator[str]:
        """Yield what was answered or decided wrongly; ask only when the thread has stopped."""
        yield from sorted(self.seen)
        if not self.answers:
            yield "I7: nobody was answered"
        for answer in set(self.answers):
            if answer.status != 200:
                if not (self.from_nothing and answer.status == 503):
                    yield f"I7: a request failed: {answer.status}"
            elif answer.version not in self.versions or not self._is_true(answer):
                yield f"I1: {answer}, proven are {sorted(self.versions)}"

    def _run(self) -> None:
        while not self.over.is_set():
            try:
                self.answers.append(self.ask())
                self.seen |= set(decision_is_wrong(self.store, from_nothing=self.from_nothing))
            except (OSError, http.client.HTTPException) as error:
                self.seen.add(f"I7: a request failed: {error!r}")
                self.connection.close()
            self.over.wait(PERIOD_S)

    def _is_true(self, answer: Answer) -> bool:
        asked = self.manifests[1].golden.rows[0]
        golden = self.manifests[answer.version].golden
        at = golden.rows.index(asked)
        probabilities = golden.probabilities[at]
        return answer.label == golden.labels[at] and abs(answer.confidence - max(probabilities)) < TOLERANCE


def decision_is_wrong(store: Store, model: str = "best_model", *, from_nothing: bool = False) -> Iterator[str]:
    """Yield why I2 does not hold now. Before the very first decision there is none, though its claim may be there."""
    try:
        current = store.current(model)
    except CorruptRecord as error:
        if not (from_nothing and "is lost" in str(error)):
            yield f"I2: {error}"
        return
    except DeliveryError as error:
        yield f"I2: {error}"
        return
    for variant in current.variants.values():
        if not store.is_intact(model, variant.active_version, variant.sha256):
            yield f"I2: v{variant.active_version} is decided and its bytes are not on disk"
