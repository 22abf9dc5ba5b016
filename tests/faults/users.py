"""Users who ask un-pinned all the time, and what they may be told."""

import http.client
import json
import threading
from collections import Counter
from typing import Self
from urllib.parse import urlsplit

from models import ROW

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

    def _ask(self) -> None:
        while not self._stop.wait(0.03):
            for client in self._clients:
                client.request("POST", "/predict", json.dumps([ROW]), {"content-type": "application/json"})
                response = client.getresponse()
                content = json.loads(response.read())
                if response.status == http.client.OK:
                    self.answers[content["version"], round(content["confidence"][0], 5)] += 1
                else:
                    self.failures.append(f"{response.status} {content}")


def version_at(url: str) -> int | None:
    """Return the version that answers un-pinned requests."""
    client = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENT_S)
    try:
        client.request("POST", "/predict", json.dumps([ROW]))
        return json.loads(client.getresponse().read()).get("version")
    finally:
        client.close()
