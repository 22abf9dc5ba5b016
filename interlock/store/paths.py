"""Where things are in the model repository. A path is built here or nowhere."""

from dataclasses import dataclass
from pathlib import Path

from interlock.model.manifest import MANIFEST, ONNX
from interlock.names import is_number, model_name, version_number
from interlock.store.contents import names_in

TRIAL = "trial.json"
SEPARATOR = "--"
"""Between a model's name and what a further folder of it is for."""
PREPARED = ".decision"
"""Ends the names of decisions in the staging folder that are about to be committed."""


@dataclass(frozen=True)
class ModelPaths:
    """
    The folders and files of one model.

    Raises:
        InvalidName: The model's name is not safe in a path.
    """

    root: Path
    model: str

    def __post_init__(self) -> None:
        model_name(self.model)

    @property
    def versions(self) -> Path:
        return self.root / "models" / self.model

    @property
    def releases(self) -> Path:
        return self.root / "releases" / self.model

    @property
    def current(self) -> Path:
        return self.releases / "current.json"

    @property
    def lock(self) -> Path:
        return self.releases / "lock"

    @property
    def stop(self) -> Path:
        return self.releases / "stop.json"

    @property
    def journal(self) -> Path:
        return self.releases / "journal.json"

    @property
    def history(self) -> Path:
        return self.releases / "history"

    @property
    def events(self) -> Path:
        return self.releases / "events"

    @property
    def refused(self) -> Path:
        return self.releases / "refused"

    @property
    def attempts(self) -> Path:
        return self.releases / "attempts"

    @property
    def registry(self) -> Path:
        return self.releases / "registry.json"

    @property
    def failed(self) -> Path:
        return self.releases / "failed"

    @property
    def odd(self) -> Path:
        return self.releases / "odd"

    @property
    def staging(self) -> Path:
        return self.releases / ".staging"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder that a writer needs."""
        return self.versions, self.history, self.events, self.refused, self.attempts, self.failed, self.staging

    def version_folders(self) -> list[Path]:
        """Every version's folder, also in the folders of further aliases."""
        return [path / name for path in self.engine_folders() for name in names_in(path) if is_number(name)]

    def engine_folders(self) -> list[Path]:
        """Every folder that an engine may read the model from: the plain one, and those of further aliases."""
        root = self.versions.parent
        others = [name for name in names_in(root) if name.startswith(f"{self.model}{SEPARATOR}")]
        return [self.versions, *(root / name for name in others)]

    def version(self, version: int) -> Path:
        return self.versions / str(version_number(version))

    def onnx(self, version: int) -> Path:
        return self.version(version) / ONNX

    def manifest(self, version: int) -> Path:
        return self.version(version) / MANIFEST

    def trial(self, version: int) -> Path:
        return self.version(version) / TRIAL

    def entry(self, epoch: int) -> Path:
        return self.history / f"{epoch:06d}.json"

    def void(self, epoch: int) -> Path:
        return self.history / f"{epoch:06d}.void.json"

    def refusal(self, sha256: str) -> Path:
        return self.refused / f"{sha256}.json"

    def attempts_of(self, sha256: str) -> Path:
        return self.attempts / f"{sha256}.json"
