"""The lines that `interlock up` prints: they point a shell at the stack, and train what it serves."""

from urllib.request import getproxies_environment

from interlock import outbound
from interlock.settings import Settings
from interlock.stack.prefect_api import auth_for_shell
from interlock.stack.processes import BIN, ROOT

FLOW = "train-register-reload"
EXAMPLES = {
    "best_model": ["params='{\"C\": 0.5}'"],
    "credit": ["learner=credit_score", "model=credit", "threshold=0.8"],
}
"""What trains the models of README: every flow's default, and the credit score of `python -m demos seed-credit`."""


def lines(settings: Settings) -> list[str]:
    """Return what a person types to run flows from this shell."""
    passed = "".join(f" -p {parameter}" for parameter in _parameters(settings))
    return [_export(settings), f"prefect deployment run {FLOW}/{settings.environment}{passed} --watch"]


def _export(settings: Settings) -> str:
    proxied = bool(getproxies_environment().keys() - {"no"})
    direct = outbound.environment({}, settings.addresses)["no_proxy"]
    exempt = f" no_proxy={direct},$no_proxy NO_PROXY={direct},$NO_PROXY" if proxied else ""
    return f"export PREFECT_API_URL={settings.prefect_api} {auth_for_shell(settings)} PATH={BIN}:$PATH{exempt}"


def _parameters(settings: Settings) -> list[str]:
    model, alias = settings.serving_model, settings.serving_alias
    has_own = (ROOT / "learners" / f"{model}.py").exists()
    found = EXAMPLES.get(model, [f"learner={model if has_own else 'LEARNER'}", f"model={model}"])
    return found if alias == "A" else [*found, f"alias={alias}"]
