"""
Versions, aliases and artifacts by MLflow's REST API 2.0 (`import mlflow` costs seconds and a release must not wait).

READY says nothing in MLflow: a version counts when its files are there and carry the digest of its tag.
No call is retried here: a retried creating POST makes several versions.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel, ValidationError

from interlock.adapters.http import HttpClient
from interlock.adapters.mlflow.api import API, MANIFEST, ONNX, Done, run_of
from interlock.clock import utc_stamp
from interlock.errors import CorruptRecord, DigestMismatch, Garbled, NotFound, Refused
from interlock.model.manifest import MANIFEST_BYTES, Manifest
from interlock.names import alias_name, model_name, version_number
from interlock.records import Candidate
from interlock.release.freshness import Newest
from interlock.store.contents import bytes_of

ARTIFACTS = {"model.onnx": (ONNX, 512 << 20), "manifest.json": (MANIFEST, MANIFEST_BYTES)}
"""Where a training run keeps what a release needs, and the most bytes that it may have."""
MOST_VERSIONS = 1000


class _Tag(BaseModel):
    key: str
    value: str = ""


class _Version(BaseModel):
    name: str
    version: int
    run_id: str = ""
    creation_timestamp: int | None = None
    tags: list[_Tag] = []

    @property
    def registered_at_utc(self) -> str | None:
        """When it was registered, by MLflow's clock; None if MLflow does not say."""
        milliseconds = self.creation_timestamp
        return utc_stamp(datetime.fromtimestamp(milliseconds / 1000, UTC)) if milliseconds else None

    @property
    def age(self) -> tuple[str, int]:
        """What ranks it: nothing is trained after it was registered, whatever the training host's clock says."""
        trained = self.tag["trained_at_utc"]
        return min(trained, self.registered_at_utc or trained), self.version

    @property
    def tag(self) -> dict[str, str]:
        return {tag.key: tag.value for tag in self.tags}


class _VersionAnswer(BaseModel):
    model_version: _Version


class _Versions(BaseModel):
    model_versions: list[_Version] = []


@dataclass(frozen=True)
class Registration:
    """What is to be registered: a training run and what is known of it."""

    model: str
    run_id: str
    source: str
    model_id: str | None
    tags: dict[str, str]


class MlflowRegistry:
    """
    MLflow's model registry at *url*; implements `interlock.release.registry.Registry`.

    Every method raises Unreachable when nobody answers, and Refused when MLflow says no.
    """

    def __init__(self, url: str, *, timeout_s: float = 5.0, auth: tuple[str, str] | None = None) -> None:
        """Take the tracking server's URL, and user and password if it asks for them."""
        self.url = url
        self._http = HttpClient(url, timeout_s, auth=auth)

    def register(self, registration: Registration) -> int:
        """Return the version that the run has of these bytes, made if there is none: a retry makes no second one."""
        model_name(registration.model)
        found = self._version_of_run(registration)
        if found:
            return found
        self._ensure_model(registration.model)
        try:
            return self._create_version(registration)
        except Exception:
            if found := self._version_of_run(registration):  # the answer was lost, the work was not
                return found
            raise

    def candidate(self, model: str, alias: str, version: int) -> Candidate:
        """
        Return the version as a candidate for the alias.

        Raises:
            NotFound: MLflow has no such version.
            Refused: It has no manifest, so nobody knows what was trained.
        """
        params = {"name": model_name(model), "version": str(version_number(version))}
        found = self._http.ask("GET", f"{API}/model-versions/get", _VersionAnswer, params=params).model_version
        sha256 = found.tag.get("sha256") or self._logged_digest(found)
        if not sha256:
            msg = f"{model} v{version} has no manifest: it was not made by Interlock; `interlock adopt` makes one of it"
            raise Refused(msg)
        return Candidate(model=model, alias=alias, version=version, run_id=found.run_id, sha256=sha256)

    def _logged_digest(self, found: _Version) -> str | None:
        """Return the digest that the run's manifest names: of a model that `log_model` logged and others registered."""
        if not found.run_id:
            return None
        try:
            path = run_of(self._http, found.run_id).path_of(MANIFEST)
            return self._http.ask("GET", path, Manifest, largest=MANIFEST_BYTES).sha256
        except (Garbled, NotFound):
            return None

    def newest(self, model: str, alias: str) -> Newest | None:
        """
        Return the version that was trained last among the newest 1,000 that passed the gate; None if none did.

        Raises:
            NotFound: The training run or its manifest is not there.
            CorruptRecord: The manifest does not parse.
            DigestMismatch: The manifest is not that of the version.
        """
        passed = [version for version in self._passed(model) if {"sha256", "trained_at_utc"} <= version.tag.keys()]
        if not passed:
            return None
        last = max(passed, key=lambda version: version.age)
        candidate = Candidate(
            model=model, alias=alias, version=last.version, run_id=last.run_id, sha256=last.tag["sha256"]
        )
        registered = {version.version: version.registered_at_utc for version in passed}
        return Newest(candidate, self._manifest(candidate), registered)

    def alias(self, model: str, alias: str) -> int | None:
        """Return the version that the alias names, or None if there is no such alias or model."""
        params = {"name": model_name(model), "alias": alias_name(alias)}
        try:
            answer = self._http.ask("GET", f"{API}/registered-models/alias", _VersionAnswer, params=params)
        except NotFound:
            return None
        except Refused as error:
            if "alias" in str(error) and "not found" in str(error):  # MLflow answers 400, not 404
                return None
            raise
        return answer.model_version.version

    def set_alias(self, model: str, alias: str, version: int) -> None:
        """Point the alias at the version, over whatever it named: one transaction in MLflow."""
        body = {"name": model_name(model), "alias": alias_name(alias), "version": str(version_number(version))}
        self._http.ask("POST", f"{API}/registered-models/alias", Done, json=body)

    def delete_alias(self, model: str, alias: str) -> None:
        """Remove the alias; fine if it is not there."""
        body = {"name": model_name(model), "alias": alias_name(alias)}
        self._http.ask("DELETE", f"{API}/registered-models/alias", Done, json=body)  # MLflow reads no query here

    def fetch(self, candidate: Candidate, artifact: str, target: Path) -> None:
        """
        Copy `model.onnx` or `manifest.json` of the candidate's training run to the file *target*.

        Raises:
            NotFound: The run or the artifact is not there.
            Garbled: It is larger than such a file may be.
            Refused: MLflow does not proxy its artifacts.
        """
        path, largest = ARTIFACTS[artifact]
        with target.open("wb") as file:
            self._http.call("GET", run_of(self._http, candidate.run_id).path_of(path), into=file, largest=largest)

    def _passed(self, model: str) -> list[_Version]:
        query: dict[str, Any] = {
            "filter": f"name='{model_name(model)}' and tags.gate='passed'",
            "order_by": ["version_number DESC"],
            "max_results": MOST_VERSIONS,
        }
        return self._http.ask("GET", f"{API}/model-versions/search", _Versions, params=query).model_versions

    def _manifest(self, candidate: Candidate) -> Manifest:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "manifest.json"
            self.fetch(candidate, path.name, path)
            try:
                manifest = Manifest.model_validate_json(bytes_of(path, MANIFEST_BYTES))
            except ValidationError as error:
                msg = f"the manifest of {candidate.model} v{candidate.version} in MLflow is none"
                raise CorruptRecord(msg) from error
        if manifest.sha256 != candidate.sha256:
            msg = f"the manifest of {candidate.model} v{candidate.version} in MLflow is of other bytes than its tag"
            raise DigestMismatch(msg)
        return manifest

    def _version_of_run(self, registration: Registration) -> int | None:
        """Find it by its digest too: a training that was repeated may have made other bytes in the same run."""
        query: dict[str, Any] = {
            "filter": f"name='{registration.model}' and run_id='{registration.run_id}'",
            "order_by": ["version_number ASC"],
            "max_results": MOST_VERSIONS,
        }
        found = self._http.ask("GET", f"{API}/model-versions/search", _Versions, params=query).model_versions
        wanted = registration.tags["sha256"]
        return next((version.version for version in found if version.tag.get("sha256") == wanted), None)

    def _ensure_model(self, model: str) -> None:
        try:
            self._http.call("GET", f"{API}/registered-models/get", params={"name": model})
        except NotFound:
            try:
                self._http.call("POST", f"{API}/registered-models/create", json={"name": model})
            except Refused as error:
                if "exists" not in str(error):  # another run was first
                    raise

    def _create_version(self, registration: Registration) -> int:
        body = {
            "name": registration.model,
            "source": registration.source,
            "run_id": registration.run_id,
            "model_id": registration.model_id,
            "tags": [{"key": key, "value": value} for key, value in registration.tags.items()],
        }
        made = self._http.ask("POST", f"{API}/model-versions/create", _VersionAnswer, json=body)
        return made.model_version.version
