"""
The environment that settings describe, without Prefect: what the operator's commands and the loop work with.

The one that Prefect's blocks describe is made in `blocks.environment`.
"""

from interlock.adapters.engines import engines
from interlock.adapters.mlflow.registry import MlflowRegistry
from interlock.errors import NotHere
from interlock.records import SERVING_API, EngineRef, Run
from interlock.release.environment import Environment
from interlock.secret_file import known_secret
from interlock.settings import Settings
from interlock.store import Store

MADE = ("supervisord.conf", "supervisor.sock", "serving-token", "repository")
"""What a folder holds, some of it, in which `interlock up` was given."""


def check_here(settings: Settings) -> None:
    """
    Look whether the folder is there that `interlock up` made, or the repository that was named.

    Raises:
        NotHere: It is not: the command was given in another folder, as cron does.
        PermissionError: Nobody but another user can tell.
    """
    where, name = (settings.repository_root, "REPOSITORY") if settings.repository else (settings.home, "HOME_FOLDER")
    if not where.is_dir():
        msg = f"there is no {where}; INTERLOCK_{name} names the right folder, from wherever the command is given"
        raise NotHere(msg)
    if settings.home_folder and not settings.repository and not any((where / made).exists() for made in MADE):
        msg = f"nothing of a stack is in {where}; INTERLOCK_HOME_FOLDER names the right folder"
        raise NotHere(msg)


def environment(settings: Settings, who: str) -> Environment:
    """
    Return the environment of *settings*, in which *who* asks; nothing is opened before the first question.

    A secret is read when it is needed, and made by `interlock up` only.

    Raises:
        NotHere: Nothing of it is there.
        PermissionError: The secrets are another user's.
    """
    check_here(settings)
    for secret in (settings.token_file, settings.triton_key_file):
        if secret.exists():
            secret.open().close()  # another user's stack is told before anything begins
    store = Store(settings.repository_root)
    registry = MlflowRegistry(settings.mlflow, auth=settings.mlflow_auth)

    def secret_of(ref: EngineRef) -> str:
        return known_secret(settings.token_file if ref.kind == SERVING_API else settings.triton_key_file)

    return Environment(store, registry, engines(store, secret_of), Run(who=who))
