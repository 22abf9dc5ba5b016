"""Read the versions in the model repository: what engines load, checked against what was decided."""

import os
from contextlib import suppress
from hashlib import sha256 as hash_of
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from interlock.errors import CorruptRecord, Damaged, NotFound, Unreadable
from interlock.model.manifest import MANIFEST_BYTES, Manifest
from interlock.store.contents import ONNX_BYTES, RECORD_BYTES, bytes_of, names_in, opened, sha256_of, shown
from interlock.store.paths import ModelPaths


class Reason(BaseModel):
    """`reason.json`, why a version was quarantined."""

    reason: str


class PutAway(NamedTuple):
    """A quarantined version: where it is, and why."""

    folder: Path
    reason: str


class VersionReader:
    """Reads `models/<model>/<version>`. Every method raises Unreadable when the disk does not let it read."""

    def __init__(self, root: Path) -> None:
        """Take the folder *root*; it is made by the first writer."""
        self.root = root

    def paths(self, model: str) -> ModelPaths:
        """Return where the things of *model* are."""
        return ModelPaths(self.root, model)

    def manifest(self, model: str, version: int) -> Manifest:
        """
        Return the manifest of a version on disk.

        Raises:
            NotFound: The version is not on disk.
            CorruptRecord: The manifest does not parse.
        """
        path = self.paths(model).manifest(version)
        try:
            return Manifest.model_validate_json(bytes_of(path, MANIFEST_BYTES))
        except FileNotFoundError as error:
            msg = f"{model} v{version} is not in the model repository {self.root}"
            raise NotFound(msg) from error
        except ValidationError as error:
            msg = f"{path} is no manifest: {error.error_count()} fields are wrong"
            raise CorruptRecord(msg) from error

    def onnx(self, model: str, version: int, sha256: str | None, limit: int = ONNX_BYTES) -> bytes:
        """
        Return the model.onnx of a version, read once: these are the bytes to load, and no others.

        Args:
            model: Its name.
            version: Which one.
            sha256: The digest that was decided; without one, the manifest's.
            limit: Most bytes that are taken.

        Raises:
            NotFound: The version is not on disk.
            Damaged: It is there with other bytes.
            CorruptRecord: Without a digest, and the manifest does not parse.
            Unreadable: It is no regular file, has more than *limit* bytes, or the disk does not let it read.
        """
        path = self.paths(model).onnx(version)
        expected = sha256 or self.manifest(model, version).sha256
        try:
            content = bytes_of(path, limit)
        except FileNotFoundError as error:
            msg = f"{model} v{version} is not in the model repository {self.root}"
            raise NotFound(msg) from error
        except CorruptRecord as odd:
            raise Unreadable(str(odd)) from odd
        if (found := hash_of(content).hexdigest()) != expected:
            msg = f"{model} v{version}: {shown(path)} is {found[:12]}, decided was {expected[:12]}"
            raise Damaged(msg)
        return content

    def digest(self, model: str, version: int) -> str | None:
        """Return the sha256 of the model.onnx of a version on disk, or None if it is not there or no file."""
        try:
            return sha256_of(self.paths(model).onnx(version))
        except (FileNotFoundError, CorruptRecord):
            return None

    def is_intact(self, model: str, version: int, sha256: str) -> bool:
        """Whether a version on disk, bytes and manifest, is the one with that digest."""
        try:
            manifest = self.manifest(model, version)
        except (NotFound, CorruptRecord):
            return False
        expected = (sha256, manifest.size)  # the size first: a sparse file of many gigabytes need not be hashed
        return (manifest.sha256, self._size(model, version)) == expected and self.digest(model, version) == sha256

    def put_away(self, model: str, version: int) -> PutAway | None:
        """Return where a version was quarantined last, among those whose reason can be read; None if it was not."""
        failed = self.paths(model).failed
        for name in reversed(names_in(failed)):
            if name.startswith(f"{version}-"):
                with suppress(FileNotFoundError, CorruptRecord, ValidationError):
                    reason = Reason.model_validate_json(bytes_of(failed / name / "reason.json", RECORD_BYTES)).reason
                    return PutAway(failed / name, reason)
        return None

    def _size(self, model: str, version: int) -> int | None:
        try:
            with opened(self.paths(model).onnx(version), ONNX_BYTES) as file:
                return os.fstat(file.fileno()).st_size
        except (FileNotFoundError, CorruptRecord):
            return None
