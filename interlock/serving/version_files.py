"""What the repository says of a version: the manifest of the decided bytes, and the memory that it needs."""

import logging

from interlock.errors import CorruptRecord, Damaged, Unreadable
from interlock.model.manifest import Manifest
from interlock.model.trial import Trial
from interlock.serving.memory import Need
from interlock.store import Store
from interlock.store.contents import read

TIMES_ITS_FILE = 3
"""Most memory that a model takes while it loads, by the size of its file, when nobody measured it; a request: once."""
log = logging.getLogger(__name__)


def checked_manifest(store: Store, model: str, version: int, sha256: str | None) -> Manifest:
    """
    Return the manifest of a version, which is about the bytes *sha256* if they are given.

    Raises:
        NotFound: The version is not in the repository.
        Damaged: It is about other bytes.
        CorruptRecord: It does not parse, is too large, or no file.
        Unreadable: The disk does not let it read.
    """
    manifest = store.manifest(model, version)
    if sha256 not in (None, manifest.sha256):
        msg = f"{model} v{version}: manifest.json is about {manifest.sha256[:12]}, decided was {str(sha256)[:12]}"
        raise Damaged(msg)
    return manifest


def needed_memory(store: Store, model: str, version: int, sha256: str, size: int) -> Need:
    """Return the memory that the version needs at most: measured by its trial, or bound by its *size* in bytes."""
    path = store.paths(model).trial(version)
    try:
        trial = read(path, Trial)
    except (CorruptRecord, Unreadable) as error:  # a measurement that is lost stops no version that is decided
        log.warning("%s: taking the size of the model", error)
        trial = None
    if trial and trial.sha256 == sha256:
        return Need(trial.load_memory_bytes, trial.request_memory_bytes)
    return Need(TIMES_ITS_FILE * size, size)
