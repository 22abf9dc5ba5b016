"""What the child is asked, or why nobody needs to ask: rules about the manifest, which the digest does not cover."""

import json
import math
import os
from dataclasses import asdict
from pathlib import Path

from interlock.errors import Refused, Unreadable
from interlock.model.confined.protocol import Question
from interlock.model.manifest import MANIFEST, ONNX, Manifest
from interlock.model.memory import free_memory
from interlock.model.trial.limits import MIB, Limits

PYTHON_BYTES = 96 * MIB
"""What the child itself needs: Python, numpy, onnx and onnxruntime."""

OUTPUTS = 2


def question_for(folder: Path, manifest: Manifest, limits: Limits) -> Question:
    """
    Return what the child is asked about the files in *folder*.

    Raises:
        Refused: The manifest is too large or describes no classifier, or this machine has no memory for a trial.
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
        input_name=manifest.input_name,
        outputs=manifest.outputs,
        classes=len(manifest.class_names),
        rows=manifest.golden.rows,
    )


def check_manifest(folder: Path, manifest: Manifest, limits: Limits) -> None:
    """
    Look whether the manifest is one that engines can live with; they read it, and answer its rows, before users do.

    Raises:
        Refused: It is too large, has too many golden rows, or describes no classifier on float32.
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
        f"names {len(manifest.outputs)} outputs, not labels and probabilities": len(manifest.outputs) != OUTPUTS,
        f"takes {manifest.input_dtype}, not float32": manifest.input_dtype != "float32",
    }
    if any(wrong.values()):
        msg = f"{folder / MANIFEST} {', '.join(what for what, is_so in wrong.items() if is_so)}"
        raise Refused(msg)


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
