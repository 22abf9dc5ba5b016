"""What the child is asked, or why nobody needs to ask: rules about the manifest, which the digest does not cover."""

import json
import math
import os
from dataclasses import asdict
from pathlib import Path

from interlock.errors import InvalidRows, Refused, Unreadable
from interlock.model.confined.protocol import Feed, Given, Question
from interlock.model.manifest import MANIFEST, ONNX, Manifest
from interlock.model.memory import free_memory
from interlock.model.rows import encode_rows
from interlock.model.trial.limits import MIB, Limits

PYTHON_BYTES = 96 * MIB
"""What the child itself needs: Python, numpy, onnx and onnxruntime."""


def question_for(folder: Path, manifest: Manifest, limits: Limits) -> Question:
    """
    Return what the child is asked about the files in *folder*.

    Raises:
        Refused: The manifest is too large, its golden rows do not fit its columns, or this machine has no memory for a
            trial.
        Unreadable: There is no manifest in the folder.
    """
    check_manifest(folder, manifest, limits)
    return Question(
        parent=os.getpid(),
        path=str(folder.absolute() / ONNX),
        sha256=manifest.sha256,
        size=manifest.size,
        memory_bytes=min(limits.memory_bytes, _room()),
        cpu_s=limits.cpu_s,
        max_size_bytes=limits.size_bytes,
        max_nodes=limits.nodes,
        latency_budget_ms=math.inf if limits.latency_budget_ms is None else limits.latency_budget_ms,
        largest_request=limits.largest_request,
        inputs=_feeds(manifest),
        outputs=[Given(one.name, one.dtype, one.width) for one in manifest.signature.outputs],
    )


def check_manifest(folder: Path, manifest: Manifest, limits: Limits) -> None:
    """
    Look whether the manifest is one that engines can live with; they read it, and answer its rows, before users do.

    Raises:
        Refused: It is too large, or has too many golden rows.
        Unreadable: There is none in the folder.
    """
    try:
        size = (folder / MANIFEST).stat().st_size
    except OSError as error:
        msg = f"{folder / MANIFEST} cannot be read: {error.strerror or error}"
        raise Unreadable(msg) from error
    wrong = {
        f"has {size} bytes, {limits.manifest_bytes} at most": size > limits.manifest_bytes,
        f"has {len(manifest.golden.rows)} golden rows, {limits.golden_rows} at most": len(manifest.golden.rows)
        > limits.golden_rows,
    }
    if any(wrong.values()):
        msg = f"{folder / MANIFEST} {', '.join(what for what, is_so in wrong.items() if is_so)}"
        raise Refused(msg)


def _feeds(manifest: Manifest) -> list[Feed]:
    try:
        arrays = encode_rows(manifest.golden.rows, manifest.signature).arrays
    except InvalidRows as error:
        msg = f"the golden rows of {manifest.sha256[:12]} are none that the model takes: {error}"
        raise Refused(msg) from error
    return [Feed(one.name, one.dtype, arrays[one.name].tolist()) for one in manifest.signature.inputs]


def as_json(question: Question) -> bytes:
    """Return what stands on the child's standard input."""
    return json.dumps(asdict(question)).encode()


def _room() -> int:
    left = free_memory()
    if left is None:
        return 2**62
    if left <= PYTHON_BYTES:
        msg = f"this machine has {left / MIB:.0f} MiB of memory left, a trial needs more than {PYTHON_BYTES / MIB:.0f}"
        raise Refused(msg)
    return left - PYTHON_BYTES
