"""
A model that somebody else logged: found by its address, and its files fetched.

    models:/<name>/<version>    models:/<name>@<alias>    runs:/<run id>    runs:/<run id>/<path>

MLflow 3 keeps a model as a *logged model* of its own (`models:/m-...`), older ones below the artifacts of a run. What
is fetched is data: nothing of it is loaded here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlsplit

from pydantic import BaseModel

from interlock.adapters.http import HttpClient
from interlock.adapters.mlflow.api import API, FILES, PROXIED, run_of
from interlock.errors import NotFound, Refused
from interlock.names import alias_name, model_name, version_number

LARGEST = 512 << 20
MOST_FILES = 200
"""Bytes and files of a model that are fetched."""
VERSION = re.compile(r"models:/([^/@]+)/(\d+)")
ALIASED = re.compile(r"models:/([^/@]+)@(.+)")
LOGGED = re.compile(r"models:/(m-[0-9a-f]{32})")
RUN = re.compile(r"runs:/([0-9a-f]{32})(?:/(.+))?")
FORMS = "models:/<name>/<version>, models:/<name>@<alias>, runs:/<run id> or runs:/<run id>/<path>"


@dataclass(frozen=True)
class Original:
    """
    Where a model was found.

    Args:
        address: As it was asked for, with the version in place of an alias.
        run_id: Of the run that logged it; empty if MLflow does not say.
        path: Below MLflow's proxied artifacts.
    """

    address: str
    run_id: str
    path: str


class _Version(BaseModel):
    version: int
    source: str = ""
    run_id: str = ""


class _VersionAnswer(BaseModel):
    model_version: _Version


class _LoggedInfo(BaseModel):
    model_id: str
    name: str = ""
    artifact_uri: str
    source_run_id: str = ""


class _Logged(BaseModel):
    info: _LoggedInfo


class _LoggedAnswer(BaseModel):
    model: _Logged


class _LoggedFound(BaseModel):
    models: list[_Logged] = []


class _RunInfo(BaseModel):
    experiment_id: str


class _Run(BaseModel):
    info: _RunInfo


class _RunAnswer(BaseModel):
    run: _Run


class _File(BaseModel):
    path: str
    is_dir: bool = False


class _Files(BaseModel):
    files: list[_File] = []


class MlflowOriginals:
    """
    Models in the MLflow at *url*.

    Every method raises Unreachable when nobody answers, NotFound for what is not there, Refused when MLflow says no.
    """

    def __init__(self, url: str, *, timeout_s: float = 5.0, auth: tuple[str, str] | None = None) -> None:
        """Nothing is opened before the first call."""
        self._http = HttpClient(url, timeout_s, auth=auth)

    def find(self, address: str) -> Original:
        """
        Return where the model at *address* is.

        Raises:
            Refused: It is no address of a model, or its files do not go through MLflow.
        """
        if match := VERSION.fullmatch(address):
            return self._version(address, match[1], version_number(match[2]))
        if match := ALIASED.fullmatch(address):
            params = {"name": model_name(match[1]), "alias": alias_name(match[2])}
            found = self._http.ask("GET", f"{API}/registered-models/alias", _VersionAnswer, params=params)
            return self._version(
                f"models:/{match[1]}/{found.model_version.version}", match[1], found.model_version.version
            )
        if match := RUN.fullmatch(address):
            return self._of_run(address, match[1], match[2])
        msg = f"{address!r} is no address of a model in MLflow; write {FORMS}"
        raise Refused(msg)

    def fetch(self, original: Original, folder: Path) -> None:
        """
        Copy the model's files to *folder*.

        Raises:
            Refused: They are too many, too large, or lie elsewhere than below the model.
        """
        left, files = LARGEST, 0
        for name in self._files(original.path):
            files += 1
            target = folder / _inside(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                self._http.call("GET", f"{FILES}/{quote(f'{original.path}/{name}')}", into=file, largest=max(left, 1))
            left -= target.stat().st_size
            if files > MOST_FILES or left <= 0:
                msg = f"{original.address} has more than {MOST_FILES} files, or {LARGEST >> 20} MiB"
                raise Refused(msg)
        if not files:
            msg = f"{original.address}: there are no files"
            raise NotFound(msg)

    def _version(self, address: str, name: str, version: int) -> Original:
        params = {"name": model_name(name), "version": str(version)}
        found = self._http.ask("GET", f"{API}/model-versions/get", _VersionAnswer, params=params).model_version
        if match := LOGGED.fullmatch(found.source):
            return Original(address, found.run_id, self._logged(match[1]))
        if match := RUN.fullmatch(found.source):
            return Original(address, match[1], self._of_run(found.source, match[1], match[2]).path)
        return Original(address, found.run_id, _path(address, found.source))

    def _logged(self, model_id: str) -> str:
        found = self._http.ask("GET", f"{API}/logged-models/{model_id}", _LoggedAnswer).model.info
        return _path(f"models:/{model_id}", found.artifact_uri)

    def _of_run(self, address: str, run_id: str, path: str | None) -> Original:
        experiment = self._http.ask("GET", f"{API}/runs/get", _RunAnswer, params={"run_id": run_id}).run.info
        body = {"experiment_ids": [experiment.experiment_id], "filter": f"source_run_id = '{run_id}'"}
        logged = self._http.ask("POST", f"{API}/logged-models/search", _LoggedFound, json=body).models
        named = [model.info for model in logged if path is None or model.info.name == path]
        if named:
            return Original(address, run_id, _path(address, named[-1].artifact_uri))
        root = _path(address, run_of(self._http, run_id).artifact_uri)
        for place in [path] if path else ["model", "onnx"]:
            if self._listed(f"{root}/{place}"):
                return Original(address, run_id, f"{root}/{place}")
        msg = f"{address}: the run has no model there; write {FORMS}"
        raise NotFound(msg)

    def _files(self, root: str, below: str = "", depth: int = 0) -> Iterator[str]:
        for file in self._listed(f"{root}/{below}".rstrip("/")):
            name = f"{below}{PurePosixPath(file.path).name}"
            if file.is_dir and depth < 4:  # noqa: PLR2004 - deeper than any flavour goes
                yield from self._files(root, f"{name}/", depth + 1)
            elif not file.is_dir:
                yield name

    def _listed(self, path: str) -> list[_File]:
        return self._http.ask("GET", FILES, _Files, params={"path": path}).files


def _path(address: str, uri: str) -> str:
    """Return a URI as a path below MLflow's proxied artifacts. Raises Refused for one that is kept elsewhere."""
    parts = urlsplit(uri)
    if parts.scheme != PROXIED:
        msg = (
            f"{address} is kept at {parts.scheme or 'a path'}, where MLflow gives it to nobody: start MLflow with "
            "--artifacts-destination, and log the model again"
        )
        raise Refused(msg)
    return parts.path.strip("/")


def _inside(name: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or any(part in {"..", "/"} for part in parts):
        msg = f"a file of the model is called {name!r}, which lies outside of it"
        raise Refused(msg)
    return name
