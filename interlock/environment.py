"""Store, registry and engines of an environment, without Prefect: what the operator's verbs and the loop work with."""

from dataclasses import dataclass
from pathlib import Path

from interlock.adapters.mlflow.registry import MlflowRegistry
from interlock.adapters.serving.engine import serving_engine
from interlock.adapters.triton.engine import servers_of, triton_engine
from interlock.errors import NotFound, NotHere
from interlock.records import SERVING_API, TRITON, EngineRef, Run
from interlock.release.engine import Engine
from interlock.secret_file import known_secret
from interlock.settings import Settings
from interlock.store import Store
from interlock.upkeep.reconcile import AliasPolicy, Reconciler

MADE = ("supervisord.conf", "supervisor.sock", "serving-token", "repository")
"""What a folder holds, some of it, in which `interlock up` was given."""


@dataclass(frozen=True)
class Place:
    """Where an environment's things are; a secret is read when it is needed, and made by `interlock up` only."""

    store: Store
    registry: MlflowRegistry
    token_file: Path
    triton_key_file: Path

    @property
    def token(self) -> str:
        """The serving app's. Raises NotFound when there is none."""
        return known_secret(self.token_file)

    def engine_for(self, ref: EngineRef) -> Engine:
        """
        Return the engine *ref* at the addresses that it was enrolled with.

        Raises:
            NotFound: Nobody knows that kind, or there is no token or key for it.
        """
        if ref.kind == SERVING_API:
            return serving_engine(ref.name, ref.urls, self.token, latency_budget_ms=ref.latency_budget_ms)
        if ref.kind == TRITON:
            budget_ms = ref.latency_budget_ms
            return triton_engine(
                ref.name,
                servers_of(ref.urls),
                known_secret(self.triton_key_file),
                self.store,
                latency_budget_ms=budget_ms,
            )
        msg = f"engine {ref.name} is a {ref.kind}; known are {SERVING_API} and {TRITON}"
        raise NotFound(msg)

    def reconciler(self, who: str, policy: AliasPolicy = AliasPolicy.REPORT) -> Reconciler:
        """Return what makes everything here equal the decisions."""
        return Reconciler(self.store, self.engine_for, self.registry, Run(who=who), policy)


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


def place(settings: Settings) -> Place:
    """
    Return where the things of *settings* are; nothing is opened before the first question.

    Raises:
        NotHere: Nothing of them is there.
        PermissionError: The secrets are another user's.
    """
    check_here(settings)
    for secret in (settings.token_file, settings.triton_key_file):
        if secret.exists():
            secret.open().close()  # another user's stack is told before anything begins
    registry = MlflowRegistry(settings.mlflow, auth=settings.mlflow_auth)
    return Place(Store(settings.repository_root), registry, settings.token_file, settings.triton_key_file)
