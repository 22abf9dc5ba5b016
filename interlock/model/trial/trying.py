"""Try a candidate in a child process with limits; nothing of it happens in this one."""

from pathlib import Path
from typing import Any

import numpy as np

from interlock.model import golden as smoke
from interlock.model.manifest import Manifest
from interlock.model.trial.limits import Limits
from interlock.model.trial.process import run
from interlock.model.trial.question import as_json, question_for
from interlock.model.trial.report import Trial
from interlock.model.trial.verdict import said_by

BYTES_A_NUMBER = 32
BYTES_BESIDES = 65536
"""How long the child's JSON may become: for each number of its answers, and for all that is around them."""

DEFAULT = Limits()


def try_out(folder: Path, manifest: Manifest, limits: Limits = DEFAULT) -> Trial:
    """
    Try `model.onnx` in *folder*, which *manifest* describes, in a child process within *limits*.

    Raises:
        TrialFailed: It contains what it may not, cannot be opened, crashes, or takes more memory or time than it may.
        SmokeFailed: It answers otherwise than in training.
        Damaged: The bytes are not those of the manifest.
        TooSlow: It answers rightly, but the median single row takes over the latency budget.
        Unreadable: A file cannot be read.
        Refused: The manifest is too large, or the trial itself did not work here; nothing is said about the bytes.
    """
    question = question_for(folder, manifest, limits)
    rows = len(manifest.golden.rows) + limits.largest_request
    most_bytes = BYTES_BESIDES + rows * manifest.signature.width * BYTES_A_NUMBER
    ended = run(as_json(question), limits.wall_s, most_bytes)
    said = said_by(ended, wall_s=limits.wall_s, short=question.memory_bytes < limits.memory_bytes)
    worst = _compared(manifest, said["single"])
    smoke.check_latency(said["row_ms"], limits.latency_budget_ms)
    worst = max(worst, *(_compared(manifest, said[asked]) for asked in ("golden", "batch")))
    return _report(manifest, said, limits, worst)


def _compared(manifest: Manifest, outputs: dict[str, list[Any]]) -> float:
    """Compare answers to as many golden rows, which were repeated or cut to their number."""
    signature, golden = manifest.signature, manifest.golden
    answers = smoke.answers_of(signature, [outputs[name] for name in signature.output_names])
    return smoke.compare(golden.taken(np.resize(np.arange(len(golden.rows)), len(answers))), answers)


def _report(manifest: Manifest, said: dict[str, Any], limits: Limits, worst: float) -> Trial:
    return Trial(
        sha256=manifest.sha256,
        size_bytes=manifest.size,
        nodes=said["nodes"],
        domains=said["domains"],
        golden_rows=len(manifest.golden.rows),
        worst=worst,
        load_ms=said["load_ms"],
        row_ms=float(np.median(said["row_ms"])),
        batch_rows=limits.largest_request,
        batch_ms=said["batch_ms"],
        load_memory_bytes=said["load_memory_bytes"],
        request_memory_bytes=said["request_memory_bytes"],
    )
