"""A steady stream of requests, every answer checked: for the demo, the system tests and the benchmarks."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

ROWS = [[5.1, 3.5, 1.4, 0.2]]
TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Question:
    """
    What is asked, and how the answer is read.

    Args:
        path: Of the POST.
        body: Sent as JSON.
        read: Takes version, label and confidence from the answer.
    """

    path: str
    body: Any
    read: Callable[[dict[str, Any]], tuple[int, int, float]]


def _read_app(answer: dict[str, Any]) -> tuple[int, int, float]:
    return answer["version"], answer["prediction"][0], answer["confidence"][0]


def _read_triton(answer: dict[str, Any]) -> tuple[int, int, float]:
    data = {output["name"]: output["data"] for output in answer["outputs"]}
    return int(answer["model_version"]), data["label"][0], max(data["probabilities"])


APP = Question("/predict", ROWS, _read_app)
_TENSOR = {"name": "input", "shape": [1, len(ROWS[0])], "datatype": "FP32", "data": ROWS[0]}


def triton_question(model: str) -> Question:
    """Return the same row, asked un-versioned of a model folder on Triton."""
    return Question(f"/v2/models/{model}/infer", {"inputs": [_TENSOR]}, _read_triton)


@dataclass
class Tally:
    """
    What came back.

    Args:
        answers: How often each (version, label, confidence) came.
        failures: How often each other thing came.
        milliseconds: Of each answered request, from sending to the last byte.
        answered: When, by `time.perf_counter`, which version answered.
    """

    answers: Counter[tuple[int, int, float]] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    answered: list[tuple[float, int]] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """All requests."""
        return sum(self.answers.values()) + sum(self.failures.values())

    @property
    def failed(self) -> int:
        """Requests that got no prediction."""
        return sum(self.failures.values())

    @property
    def versions(self) -> dict[int, int]:
        """How many answers each version gave."""
        counts: Counter[int] = Counter()
        for (version, _, _), count in self.answers.items():
            counts[version] += count
        return dict(sorted(counts.items()))

    def mislabelled(self, truth: dict[int, float]) -> int:
        """Return how many answers name a version that gives another confidence; *truth* is each version's."""
        return sum(
            count
            for (version, _, confidence), count in self.answers.items()
            if abs(truth[version] - confidence) > 1e-6  # noqa: PLR2004
        )

    def percentile(self, share: float) -> float:
        """Return the latency in ms that *share* of the answers stayed below."""
        ordered = sorted(self.milliseconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


class Load:
    """
    Asks at a steady rate while the context is open.

    Args:
        url: Base URL of the serving app or of Triton.
        rate: Requests a second, over all threads.
        threads: Keep-alive connections.
        question: What is asked.
    """

    def __init__(self, url: str, rate: float = 50, threads: int = 4, question: Question = APP) -> None:
        """Nothing is sent before the context is entered."""
        self._url = f"{url}{question.path}"
        self._question = question
        self._period_s = threads / rate
        self.tally = Tally()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(threads)]

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, when every request that is under way is answered."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        due = time.monotonic()
        with httpx.Client(timeout=TIMEOUT_S) as client:
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                due += self._period_s
                self._ask(client)

    def _ask(self, client: httpx.Client) -> None:
        started = time.perf_counter()
        try:
            response = client.post(self._url, json=self._question.body)
            read = self._question.read(response.json()) if response.is_success else None
        except (httpx.HTTPError, ValueError, LookupError) as error:
            self._note_failure(type(error).__name__)
            return
        ended = time.perf_counter()
        if read is None:
            self._note_failure(str(response.status_code))
            return
        with self._lock:
            self.tally.answers[read] += 1
            self.tally.milliseconds.append((ended - started) * 1000)
            self.tally.answered.append((ended, read[0]))

    def _note_failure(self, what: str) -> None:
        with self._lock:
            self.tally.failures[what] += 1


def confidence_of(url: str, version: int) -> float:
    """Return the confidence that *version*, pinned, gives for the row that `Load` sends."""
    answer = httpx.post(f"{url}/predict", json=ROWS, headers={"x-version": str(version)}, timeout=TIMEOUT_S)
    return float(answer.raise_for_status().json()["confidence"][0])
