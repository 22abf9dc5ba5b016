"""The files of a version, each read once and never more than its limit: what is hashed is what is loaded."""

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256 as hash_of
from pathlib import Path

from pydantic import ValidationError

from delivery.errors import Damaged, NotFound, Refused
from delivery.manifest import Manifest
from delivery.store import Store
from delivery.store.files import reading
from delivery.trial import Limits, Trial

LARGEST_ONNX = Limits().size_bytes
LARGEST_MANIFEST = 2 * 2**20
"""Real ones have some 10 KiB. Parsing stops every other thread: 2 MiB do so for 0.4 s at worst, by many tiny rows."""
LARGEST_TRIAL = 2**20
TIMES_ITS_FILE = 3
"""Most memory that a model takes while it loads, by the size of its file, when nobody measured it."""
TRIAL = "trial.json"
log = logging.getLogger(__name__)


def read_version(store: Store, model: str, version: int, sha256: str | None) -> tuple[Manifest, bytes]:
    """
    Return the manifest and the ONNX of a version, which are what the manifest, and *sha256* if given, say.

    Raises:
        NotFound: It is not in the repository.
        Damaged: The bytes are something else.
        Refused: A file is larger than its limit, or no file.
        CorruptRecord: The manifest does not parse.
        Unreadable: The disk does not let it read.
    """
    manifest = read_manifest(store, model, version)
    content = _read(store.paths(model).onnx(version), LARGEST_ONNX)
    check_digest(f"{model} v{version}", manifest, hash_of(content).hexdigest(), sha256)
    return manifest, content


def read_manifest(store: Store, model: str, version: int) -> Manifest:
    """
    Return the manifest of a version, which is no larger than it may be. Raises as `read_version`.

    Raises:
        NotFound: The version is not in the repository.
    """
    path = store.paths(model).manifest(version)
    with _found(path), reading(path):
        _check(path, path.stat(), LARGEST_MANIFEST)
    return store.manifest(model, version)


def check_digest(name: str, manifest: Manifest, found: str | None, expected: str | None) -> None:
    """
    Check that the bytes are those of the manifest, and those that are *expected*, if any are.

    Raises:
        Damaged: They are something else.
    """
    if found != manifest.sha256 or expected not in (None, found):
        msg = f"{name}: model.onnx is {str(found)[:12]}, expected {(expected or manifest.sha256)[:12]}"
        raise Damaged(msg)


def needed_memory(store: Store, model: str, version: int, sha256: str, size: int) -> int:
    """Return the bytes of memory that the version needs at most: measured by its trial, or bound by its *size*."""
    path = store.paths(model).version(version) / TRIAL
    try:
        trial = Trial.model_validate_json(_read(path, LARGEST_TRIAL))
        if trial.sha256 == sha256:
            return trial.peak_memory_bytes
        log.warning("%s is about other bytes: taking the size of the model", path)
    except NotFound:
        pass
    except (Refused, ValidationError) as error:  # a measurement that is lost stops no version that is decided
        log.warning("%s is no account of a trial (%s): taking the size of the model", path, type(error).__name__)
    return TIMES_ITS_FILE * size


def _read(path: Path, most: int) -> bytes:
    """Read a file that does not grow over *most* bytes; a pipe in its place does not hang."""
    with _found(path), reading(path):
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:  # noqa: PTH123 - it closes the handle
            _check(path, os.fstat(handle), most)
            content = file.read(most + 1)
    if len(content) > most:
        msg = f"{path} grew over {most} bytes while it was read"
        raise Refused(msg)
    return content


def _check(path: Path, found: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        msg = f"{path} is no file"
        raise Refused(msg)
    if found.st_size > most:
        msg = f"{path} has {found.st_size} bytes, more than {most}"
        raise Refused(msg)


@contextmanager
def _found(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        msg = f"{path} is not there"
        raise NotFound(msg) from error
