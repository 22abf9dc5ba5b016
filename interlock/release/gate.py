"""The rule that says no before anything changes."""

import math
from dataclasses import dataclass

from interlock.errors import Refused


@dataclass(frozen=True)
class Verdict:
    """What the gate said, with the numbers that it said it about."""

    passed: bool
    metric: str
    value: float
    threshold: float
    champion: float | None
    reason: str


def check_threshold(metric: str, threshold: float) -> None:
    """
    Refuse a threshold that no comparison can be made with.

    Raises:
        Refused: *threshold* is NaN or infinite, or there is no metric's name.
    """
    if not metric or not math.isfinite(threshold):
        msg = f"the gate needs a metric and a finite threshold, not {metric!r} > {threshold}"
        raise Refused(msg)


def judge(metrics: dict[str, float], metric: str, threshold: float, champion: float | None = None) -> Verdict:
    """
    Say whether `metrics[metric]` is above *threshold* and not below *champion*, measured on the same rows.

    NaN passes no gate.

    Raises:
        Refused: The metric was not measured.
    """
    check_threshold(metric, threshold)
    if metric not in metrics:
        msg = f"the gate asks for {metric!r}; measured were {', '.join(sorted(metrics))}"
        raise Refused(msg)
    value = metrics[metric]
    reason = _why_not(metric, value, threshold, champion)
    beats = "" if champion is None else f", champion {champion:.4f}"
    passed = f"{metric} {value:.4f} > {threshold:g}{beats}"
    return Verdict(reason is None, metric, value, threshold, champion, passed if reason is None else reason)


def _why_not(metric: str, value: float, threshold: float, champion: float | None) -> str | None:
    if not value > threshold:  # written so that NaN fails
        return f"{metric} {value:.4f} is not above {threshold:g}"
    if champion is not None and not value >= champion:
        return f"{metric} {value:.4f} is below the champion's {champion:.4f}"
    return None
