"""
What one engine reads below `models/`: a folder of versions with a configuration that says which of them serve.

The plain folder of a model holds every version. Another folder of the same model (Triton: one per further alias)
holds hard links to the versions that it may serve.
"""

import os
from contextlib import suppress
from pathlib import Path

from interlock.errors import CorruptRecord
from interlock.model.manifest import MANIFEST, ONNX
from interlock.records import TRITON, Current
from interlock.store.contents import RECORD_BYTES, bytes_of, is_there
from interlock.store.durable import replace, replace_by_link, writing
from interlock.store.odd import check_no_link, own_folder, remove_file, room_for_file
from interlock.store.paths import SEPARATOR, ModelPaths

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
        """The configuration, or None if there is none that can be read as one."""
        with suppress(FileNotFoundError, CorruptRecord, UnicodeDecodeError):
            return bytes_of(self._folder / CONFIG, RECORD_BYTES).decode()
        return None

    def write_config(self, text: str) -> bool:
        """Replace the configuration atomically; return whether it was another."""
        if self.config == text:
            return False
        own_folder(self._paths, self._folder)
        own_folder(self._paths, self._paths.staging)
        with writing(self._folder):
            room_for_file(self._paths, self._folder / CONFIG)
            replace(self._folder / CONFIG, text.encode(), self._paths.staging)
        return True

    def remove_config(self) -> None:
        """Remove the configuration: the folder serves nothing."""
        check_no_link(self._folder)
        with writing(self._folder):
            remove_file(self._paths, self._folder / CONFIG)

    def link(self, version: int) -> None:
        """Make a version of the model available in this folder, by links to its very files; mend what is half made."""
        if self.name != self._paths.model:
            source, target = self._paths.version(version), self._folder / str(version)
            for folder in (self._folder, target, self._paths.staging):
                own_folder(self._paths, folder)
            for name in (ONNX, MANIFEST):
                self._link(source / name, target / name)

    def link_again(self, version: int) -> None:
        """Replace this folder's links to a version whose files were replaced."""
        if is_there(self._folder / str(version)):
            self.link(version)

    def _link(self, source: Path, target: Path) -> None:
        """Put a hard link to *source* at *target* in one step: another replica may be doing just the same."""
        with writing(target.parent):
            if is_there(target) and os.path.samestat(os.lstat(source), os.lstat(target)):
                return
            room_for_file(self._paths, target)
            replace_by_link(target, source, self._paths.staging)


def engine_folders(paths: ModelPaths) -> list[EngineFolder]:
    """Return every folder of the model that has a configuration."""
    return [EngineFolder(paths, path.name) for path in paths.engine_folders() if is_there(path / CONFIG)]
