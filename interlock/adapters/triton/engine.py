"""
Replicas of Triton as an engine. What Triton really does decides how: see docs/adr/0005.

    prove     load under `<model>--candidate` with an overriding configuration and the file itself; infer by version
    follow    replace config.pbtxt (version_policy specific), then load; never unload what serves
    observe   an un-versioned answer names the version; the golden rows stand in for its digest

Load and unload go over gRPC (`triton_control`), inference and health over HTTP.
A 200 proves nothing: after each load the version's own readiness and an un-versioned answer are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from interlock.adapters.http import HttpClient
from interlock.adapters.triton.addresses import servers
from interlock.adapters.triton.config import as_json, as_text, model_config
from interlock.adapters.triton.control import TritonControl
from interlock.adapters.triton.infer import Inferred, infer
from interlock.errors import Broken, DeliveryError, NotReady, Refused, SmokeFailed
from interlock.model.answers import Answers
from interlock.model.golden import compare, prove
from interlock.model.manifest import Cells, Golden, Manifest
from interlock.records import TRITON, Candidate, Current, EngineRef, Variant
from interlock.release.engine import Engine, Seen, Served
from interlock.store import Store
from interlock.store.folders import CANDIDATE, EngineFolder, candidate_folder, engine_folders, folder_of

WRONG_DIGEST = "answers otherwise than in training"


class _Metadata(BaseModel):
    versions: list[int] = []


@dataclass(frozen=True)
class TritonReplica:
    """
    One tritonserver.

    Args:
        http: Where it infers and says what is ready.
        control: Where it loads and unloads.
        name: The name that it is enrolled under.
        store: The repository whose `models/` it mounts.
    """

    http: HttpClient
    control: TritonControl
    name: str
    store: Store
    latency_budget_ms: float

    @property
    def address(self) -> str:
        """The HTTP base URL."""
        return self.http.base_url

    def load(self, candidate: Candidate) -> None:
        """
        Load this version alone under the candidate's name, from bytes, so that nothing in the repository changes.

        Raises:
            Damaged: The bytes in the repository are others.
            Refused: Triton cannot load them.
        """
        manifest = self.store.manifest(candidate.model, candidate.version)
        config = as_json(model_config(candidate_folder(candidate.model), manifest, [candidate.version]))
        content = self.store.onnx(candidate.model, candidate.version, candidate.sha256)
        files = {f"file:{candidate.version}/model.onnx": content}
        self.control.load(candidate_folder(candidate.model), config, files)

    def ready(self, candidate: Candidate) -> None:
        """Ask for the candidate's own readiness."""
        self._must_be_ready(candidate_folder(candidate.model), candidate.version)

    def smoke(self, candidate: Candidate, manifest: Manifest, *, timed: bool) -> str:
        """Infer the golden rows by the candidate's name and version."""
        name = candidate_folder(candidate.model)

        def by_candidate(rows: Cells) -> Answers:
            return self._infer(name, candidate.version, manifest, rows).answers

        return prove(manifest.golden, by_candidate, self.latency_budget_ms if timed else None)

    def drop(self, model: str, alias: str) -> None:
        """Unload the candidate's name, which no client knows; *alias* is not part of it."""
        del alias
        self.control.unload(candidate_folder(model))

    def follow(self, current: Current) -> Seen:
        """Let every enrolled alias's folder serve the decided version, and no other folder serve anything."""
        kept, serves = set(), {}
        for alias, variant in current.variants.items():
            if variant.follows(TRITON, self.name):
                name = folder_of(current, alias, self.name)
                kept.add(name)
                serves[alias] = Served(variant.active_version, variant.sha256)
                self._follow(EngineFolder(self.store.paths(current.model), name), current.model, variant)
        for folder in engine_folders(self.store.paths(current.model)):
            if folder.name not in kept:
                folder.remove_config()
                self.control.unload(folder.name)
        return Seen(serves)

    def observe(self, model: str) -> Seen:
        """Ask what answers un-versioned requests, and whether a candidate is loaded."""
        current, serves = self.store.current(model), {}
        for alias, variant in current.variants.items():
            name = folder_of(current, alias, self.name)
            if variant.follows(TRITON, self.name) and (served := self._served(name, model, variant)):
                serves[alias] = served
        staged = self._versions(candidate_folder(model))
        return Seen(serves, {CANDIDATE: staged[0]} if staged else {})

    def survey(self, currents: Sequence[Current]) -> dict[str, Seen]:
        """Ask for the index of all models once; it lists no candidates, which have no folder: `observe` sees them."""
        ready = self.control.ready_versions()
        return {current.model: self._listed(current, ready) for current in currents}

    def _listed(self, current: Current, ready: dict[str, int]) -> Seen:
        serves = {}
        for alias, variant in current.variants.items():
            version = ready.get(folder_of(current, alias, self.name))
            if variant.follows(TRITON, self.name) and version:
                serves[alias] = Served(version, variant.sha256 if version == variant.active_version else "")
        return Seen(serves)

    def _follow(self, folder: EngineFolder, model: str, variant: Variant) -> None:
        manifest = self.store.manifest(model, variant.active_version)
        versions = [variant.active_version, *self._warm(folder.name, model, variant)]
        for version in versions:
            folder.link(version)
        changed = folder.write_config(as_text(model_config(folder.name, manifest, versions)))
        if changed or self._answering(folder.name, manifest) != variant.active_version:
            self.control.load(folder.name)
        self._must_be_ready(folder.name, variant.active_version)
        version, answers = self._infer(folder.name, None, manifest, manifest.golden.rows)
        if version != variant.active_version:
            msg = f"{self.address} answers un-versioned by v{version} of {folder.name}, not v{variant.active_version}"
            raise NotReady(msg)
        compare(manifest.golden, answers)

    def _warm(self, name: str, model: str, variant: Variant) -> list[int]:
        """Keep the version before while it is lower (Triton answers by the highest); nothing is loaded for it."""
        previous = variant.previous_version
        lower = previous is not None and previous < variant.active_version
        if previous is None or not lower or not self._is_ready(name, previous):
            return []
        return [previous] if self._same_tensors(model, previous, variant.active_version) else []

    def _same_tensors(self, model: str, *versions: int) -> bool:
        """Whether one configuration describes these versions: a folder has only one."""
        configs = [model_config(model, self.store.manifest(model, version), []) for version in versions]
        return all(config == configs[0] for config in configs)

    def _served(self, name: str, model: str, variant: Variant) -> Served | None:
        manifest = self.store.manifest(model, variant.active_version)
        try:
            version, answers = self._infer(name, None, manifest, manifest.golden.rows)
        except (Refused, Broken):
            return None
        if version != variant.active_version:
            return Served(version, "")
        return Served(version, variant.sha256 if _agrees(manifest.golden, answers) else WRONG_DIGEST)

    def _answering(self, name: str, manifest: Manifest) -> int | None:
        """Return what answers now; none, too, where the server says 5xx: what is asked of it next is to load."""
        try:
            return self._infer(name, None, manifest, manifest.golden.rows[:1])[0]
        except DeliveryError:
            return None

    def _versions(self, name: str) -> list[int]:
        try:
            return self.http.ask("GET", f"/v2/models/{name}", _Metadata).versions
        except (Refused, Broken):
            return []

    def _is_ready(self, name: str, version: int) -> bool:
        try:
            self.http.call("GET", f"/v2/models/{name}/versions/{version}/ready")
        except (Refused, Broken):
            return False
        return True

    def _must_be_ready(self, name: str, version: int) -> None:
        if not self._is_ready(name, version):
            msg = f"{self.address} does not have {name} v{version} ready"
            raise NotReady(msg)

    def _infer(self, name: str, version: int | None, manifest: Manifest, rows: Cells) -> Inferred:
        path = f"/v2/models/{name}" + ("" if version is None else f"/versions/{version}")
        return infer(self.http, path, manifest, rows)


def _agrees(golden: Golden, answers: Answers) -> bool:
    try:
        compare(golden, answers)
    except SmokeFailed:
        return False
    return True


def triton_engine(ref: EngineRef, key: str, store: Store) -> Engine:
    """Return the Triton that is enrolled as *ref*, whose `models/` are those of *store*."""
    replicas = [
        TritonReplica(
            HttpClient(http, ref.timeout_s),
            TritonControl(grpc, key, ref.timeout_s, ref.load_timeout_s),
            ref.name,
            store,
            ref.latency_budget_ms,
        )
        for http, grpc in servers(ref.urls)
    ]
    return Engine(ref, replicas, leads=True)
