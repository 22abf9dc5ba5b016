"""The one way to wait for something that happens elsewhere: ask again and again, with a pause and an end."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_delay, wait_fixed

T = TypeVar("T")


def waited_for(ask: Callable[[], T], *, longest_s: float, pause_s: float, enough: Callable[[T], bool] = bool) -> T:
    """
    Ask until the answer is *enough*, or for *longest_s*; return the last answer.

    What *ask* raises ends the waiting.

    Args:
        ask: Asked at least once.
        longest_s: Seconds after which nobody asks again.
        pause_s: Seconds between an answer and the next question.
        enough: Whether an answer ends the waiting; by default one that is true.
    """

    def last(state: RetryCallState) -> T:
        return state.outcome.result()  # type: ignore[union-attr, no-any-return]

    return Retrying(
        retry=retry_if_result(lambda answer: not enough(answer)),
        stop=stop_after_delay(longest_s),
        wait=wait_fixed(pause_s),
        retry_error_callback=last,
    )(ask)
