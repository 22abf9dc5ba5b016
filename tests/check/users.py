"""Users who ask un-pinned all the time, and what they may be told."""

import http.client
import json
import threading
from collections import Counter
from typing import Self
from urllib.parse import urlsplit

from world.models import ROW

PATIENT_S = 10.0


class Users:
    """Ask un-pinned, one after the other, and note what comes."""

    def __init__(self, urls: list[str]) -> None:
        self.answers: Counter[tuple[int, float]] = Counter()
        self.failures: list[str] = []
        self._clients = [http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENT_S) for url in urls]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for client in self._clients:
            client.close()

    def one(self, client: http.client.HTTPConnection) -> tuple[int, float]:
        """Return the version that answers, and its confidence; raise what went wrong."""
        return ask(client)

    def _ask(self) -> None:
        while not self._stop.wait(0.03):
            for client in self._clients:
                try:
                    self.answers[self.one(client)] += 1
                except (OSError, http.client.HTTPException, LookupError) as error:
                    self.failures.append(repr(error))
                    client.close()


def ask(client: http.client.HTTPConnection) -> tuple[int, float]:
    client.request("POST", "/predict", json.dumps([ROW]), {"content-type": "application/json"})
    answer = json.loads(client.getresponse().read())
    return answer["version"], round(answer["confidence"][0], 5)


def version_at(url: str) -> int | None:
    """Return the version that answers un-pinned requests, if one does."""
    client = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENT_S)
    try:
        return ask(client)[0]
    except LookupError:
        return None
    finally:
        client.close()
