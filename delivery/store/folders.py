"""
What one engine reads below `models/`: a folder of versions with a configuration that says which of them serve.

The plain folder of a model holds every version. Another folder of the same model (Triton: one per further alias)
holds hard links to the versions that it may serve.
"""

import os

from delivery.records import TRITON, Current
from delivery.store.files import make_folder, remove, replace, sync_folder, writing
from delivery.store.paths import MANIFEST, ONNX, SEPARATOR, ModelPaths

CONFIG = "config.pbtxt"
CANDIDATE = "candidate"


def candidate_folder(model: str) -> str:
    """Return the name under which Triton proves a candidate."""
    return f"{model}{SEPARATOR}{CANDIDATE}"


def folder_of(current: Current, alias: str, engine: str) -> str:
    """Return the folder by which Triton *engine* follows *alias*: the plain one for its first alias, else one apart."""
    followers = [name for name, variant in current.variants.items() if variant.follows(TRITON, engine)]
    first = not followers or followers[0] == alias
    return current.model if first else f"{current.model}{SEPARATOR}{alias}"


class EngineFolder:
    """The folder *name* of a model. Every method raises Unwritable when the repository is read-only or full."""

    def __init__(self, paths: ModelPaths, name: str) -> None:
        """Take the model's paths; the folder is made when it is first written."""
        self._paths = paths
        self.name = name
        self._folder = paths.root / "models" / name

    @property
    def config(self) -> str | None:
        """The configuration, or None if there is none."""
        try:
            return (self._folder / CONFIG).read_text()
        except FileNotFoundError:
            return None

    def write_config(self, text: str) -> bool:
        """Replace the configuration atomically; return whether it was another."""
        if self.config == text:
            return False
        with writing(self._folder):
            make_folder(self._folder)
            make_folder(self._paths.staging)
            replace(self._folder / CONFIG, text.encode(), self._paths.staging)
        return True

    def remove_config(self) -> None:
        """Remove the configuration: the folder serves nothing."""
        with writing(self._folder):
            remove(self._folder / CONFIG)

    def link(self, version: int) -> None:
        """Make a version of the model available in this folder."""
        if self.name != self._paths.model and not (self._folder / str(version) / MANIFEST).exists():
            self._link(version)

    def link_again(self, version: int) -> None:
        """Replace this folder's links to a version whose files were replaced."""
        if self.name != self._paths.model and (self._folder / str(version)).exists():
            self._link(version)

    def _link(self, version: int) -> None:
        target = self._folder / str(version)
        with writing(self._folder):
            make_folder(target)
            for name in (ONNX, MANIFEST):
                (target / name).unlink(missing_ok=True)
                os.link(self._paths.version(version) / name, target / name)
            sync_folder(target)


def engine_folders(paths: ModelPaths) -> list[EngineFolder]:
    """Return every folder of the model that has a configuration."""
    return [EngineFolder(paths, path.name) for path in paths.engine_folders() if (path / CONFIG).exists()]
