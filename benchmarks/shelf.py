"""A registry without a server: versions that a benchmark makes."""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from interlock.model.manifest import Manifest
from interlock.records import Candidate


@dataclass
class Shelf:
    """A registry of versions that are made here; the alias is kept in memory."""

    content: dict[int, tuple[bytes, Manifest]] = field(default_factory=dict)

    def fetch(self, candidate: Candidate, artifact: str, target: Path) -> None:
        """Write an artifact."""
        made, manifest = self.content[candidate.version]
        target.write_bytes(made if artifact == "model.onnx" else manifest.model_dump_json().encode())

    def alias(self, model: str, alias: str) -> int | None:
        """Know nothing."""
        del model, alias

    def candidate(self, model: str, alias: str, version: int) -> Candidate:
        """Return a version that was put here."""
        return Candidate(
            model=model, alias=alias, version=version, run_id="benchmark", sha256=self.content[version][1].sha256
        )

    def set_alias(self, model: str, alias: str, version: int) -> None:
        """Do nothing."""

    def delete_alias(self, model: str, alias: str) -> None:
        """Do nothing."""

    def put(self, version: int, made: bytes, manifest: Manifest) -> Candidate:
        """Take a version."""
        digest = sha256(made).hexdigest()
        self.content[version] = made, manifest.model_copy(update={"sha256": digest, "size": len(made)})
        return Candidate(model="best_model", alias="A", version=version, run_id="benchmark", sha256=digest)
