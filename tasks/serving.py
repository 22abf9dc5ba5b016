"""The engines before a release: whether they answer, and serve what is decided."""

from collections.abc import Sequence

from prefect.logging import get_run_logger

from blocks.serving_api import ServingApi
from interlock.errors import NotFollowed, Unreachable
from interlock.records import Current
from interlock.release import preflight
from interlock.release.engine import Engine, absent, check_follow
from interlock.release.environment import Environment
from interlock.release.open import check_same_decision
from interlock.store import Store
from tasks.step import may_try_again, step

LONGEST_S = 660
"""Twice the longest `start_timeout_s`, and some questions."""


@step()
def ask_engines(env: Environment, model: str, alias: str, engines: Sequence[Engine]) -> preflight.Answers:
    """
    Ask every engine that the release will go to, before anything is trained.

    Raises:
        Unreachable: A replica does not answer, and is asked again.
    """
    return preflight.ask(env, model, alias, engines, patient=may_try_again())


@step(retries=0, timeout_s=LONGEST_S)
def ensure_up(serving: ServingApi) -> str | None:
    """
    Start the app where nobody answers, if the block says how; return what was done, None if nothing was.

    Raises:
        Refused: No replica answers and there is no command, or the command failed.
        Unreachable: No replica is alive after it.
    """
    app = serving.starting()
    down = app.down()
    if not down or (not app.command and len(down) < len(serving.urls)):
        return None
    get_run_logger().warning("%s does not answer", ", ".join(down))
    away = app.start()
    still = f"; {', '.join(away)} still does not answer" if away else ""
    return f"nobody answered at {', '.join(down)}, `{app.command}` was run{still}"


@step()
def follow(serving: ServingApi, store: Store, model: str, alias: str) -> Current:
    """
    Let the app follow the decision and see that it does; return the decision.

    Raises:
        Garbled: A replica answers nonsense.
        NotFollowed: One serves something else.
        StaleEpoch: Somebody decides just now.
        Unreachable: No replica answers.
    """
    current = store.current(model)
    sightings = serving.connect().follow(current)
    if len(away := absent(sightings)) == len(sightings):
        raise Unreachable("; ".join(str(sighting.absent) for sighting in away))
    try:
        check_follow(sightings, current, alias)
    except NotFollowed:
        check_same_decision(store.current(model), current)
        raise
    return current
