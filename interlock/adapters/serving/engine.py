"""Replicas of the serving app as an engine: stage, pinned predictions, reload. See `serving/routes`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import BaseModel

from interlock.adapters.http import HttpClient
from interlock.errors import Broken, NotReady, Refused, SmokeFailed, TrialFailed, Unreachable
from interlock.model.answers import Answers
from interlock.model.golden import answers_of, prove
from interlock.model.manifest import Cells, Manifest
from interlock.model.named import unlabelled
from interlock.model.signature import Signature, Task
from interlock.records import Candidate, Current, EngineRef
from interlock.release.engine import Engine, Seen, Served
from interlock.waiting import waited_for

RESTARTED_S = 5.0
"""How long an app that went away while it staged is waited for, to see whether it was started again."""
PAUSE_S = 0.1


class _Info(BaseModel):
    version: int
    sha256: str
    epoch: int | None


class _Variants(BaseModel):
    model_name: str
    engine: str
    live: dict[str, _Info]
    staged: dict[str, int]
    boot: str = ""
    failures: dict[str, str] = {}

    def seen(self) -> Seen:
        serves = {alias: Served(info.version, info.sha256, info.epoch) for alias, info in self.live.items()}
        return Seen(serves, self.staged, self.failures)


class _Pinned(BaseModel):
    version: int
    prediction: list[Any]
    probabilities: list[list[float]] | None = None
    scores: list[list[float]] | None = None

    def answers(self, signature: Signature) -> Answers:
        numbers = self.scores if self.probabilities is None else self.probabilities
        try:
            outputs = unlabelled(self.prediction, numbers, signature)
        except (TypeError, ValueError) as error:
            msg = f"golden rows: the answer is not one of this model ({error})"
            raise SmokeFailed(msg) from error
        return answers_of(signature, outputs)


class _Status(BaseModel):
    status: str


@dataclass(frozen=True)
class ServingReplica:
    """
    One address of the serving app.

    Args:
        name: The name that the app must be enrolled under.
        latency_budget_ms: Most milliseconds that the median single-row prediction may take.
    """

    client: HttpClient
    name: str
    latency_budget_ms: float

    @property
    def address(self) -> str:
        """The base URL."""
        return self.client.base_url

    def load(self, candidate: Candidate) -> None:
        """
        Stage the candidate; the app lets it answer its golden rows before it says yes.

        Raises:
            TrialFailed: The app died of it: there was no answer, and then another process answers at this address.
        """
        before = self._told(candidate.model).boot
        body = {"version": candidate.version, "model": candidate.model, "sha256": candidate.sha256}
        try:
            self.client.ask("POST", f"/variant/{candidate.alias}/stage", _Status, json=body)
        except Unreachable as error:
            now = waited_for(self._boot, longest_s=RESTARTED_S, pause_s=PAUSE_S) if _arrived(error) else None
            if now not in (None, before):
                msg = f"{self.address} died while it staged v{candidate.version}: {error}"
                raise TrialFailed(msg) from error
            raise

    def ready(self, candidate: Candidate) -> None:
        """Ask the pinned model-info whether its digest is the candidate's."""
        info = self.client.ask("GET", f"/variant/{candidate.alias}/model-info", _Info, headers=_pin(candidate))
        if (info.version, info.sha256) != (candidate.version, candidate.sha256):
            expected = f"v{candidate.version} {candidate.sha256[:12]}"
            msg = f"{self.address} holds v{info.version} {info.sha256[:12]}, expected {expected}"
            raise NotReady(msg)

    def smoke(self, candidate: Candidate, manifest: Manifest, *, timed: bool) -> str:
        """Ask pinned predictions for the golden rows, all at once and some alone."""
        budget_ms = self.latency_budget_ms if timed else None
        return prove(manifest.golden, lambda rows: self._infer(candidate, manifest.signature, rows), budget_ms)

    def drop(self, model: str, alias: str) -> None:
        """Unstage the candidate of *alias*."""
        self._seen(model)
        self.client.ask("DELETE", f"/variant/{alias}/stage", _Status)

    def follow(self, current: Current) -> Seen:
        """Tell the app to follow the decision now; it answers what it has then."""
        return self._seen(current.model, "POST", "/reload")

    def observe(self, model: str) -> Seen:
        """Ask what is live and what is staged."""
        return self._seen(model)

    def survey(self, currents: Sequence[Current]) -> dict[str, Seen]:
        """Ask once what is live and what is staged: one app serves one model."""
        answer = self.client.ask("GET", "/variants", _Variants)
        return {c.model: answer.seen() for c in currents if (c.model, self.name) == (answer.model_name, answer.engine)}

    def _infer(self, candidate: Candidate, signature: Signature, rows: Cells) -> Answers:
        path = f"/variant/{candidate.alias}/predict"
        has_more = signature.numbers is not None and signature.task is not Task.REGRESSION
        body = {"rows": rows, "probabilities": has_more}
        answer = self.client.ask("POST", path, _Pinned, json=body, headers=_pin(candidate))
        if answer.version != candidate.version:
            msg = f"{self.address} answers by v{answer.version} when v{candidate.version} is pinned"
            raise NotReady(msg)
        return answer.answers(signature)

    def _boot(self) -> str | None:
        """Return which process answers now, None if none does."""
        try:
            return self.client.ask("GET", "/variants", _Variants).boot
        except Unreachable:
            return None

    def _seen(self, model: str, method: str = "GET", path: str = "/variants") -> Seen:
        return self._told(model, method, path).seen()

    def _told(self, model: str, method: str = "GET", path: str = "/variants") -> _Variants:
        answer = self.client.ask(method, path, _Variants)
        if (answer.model_name, answer.engine) != (model, self.name):
            msg = (
                f"{self.address} serves {answer.model_name} as the engine {answer.engine!r}, not {model} as "
                f"{self.name!r}: set INTERLOCK_SERVING_MODEL and INTERLOCK_SERVING_NAME, or name another block"
            )
            raise Refused(msg)
        return answer


def serving_engine(ref: EngineRef, token: str) -> Engine:
    """Return the serving app that is enrolled as *ref*, one replica for each of its addresses."""
    clients = [HttpClient(url, ref.timeout_s, {"x-token": token}, verdicts={"broken": Broken}) for url in ref.urls]
    return Engine(ref, [ServingReplica(client, ref.name, ref.latency_budget_ms) for client in clients])


def _arrived(error: Unreachable) -> bool:
    """Whether the connection broke when the app had the call: not when a status or nothing came, or none was made."""
    return isinstance(error.__cause__, (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError))


def _pin(candidate: Candidate) -> dict[str, str]:
    return {"x-version": str(candidate.version)}
