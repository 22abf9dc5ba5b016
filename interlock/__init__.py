"""
The library of Interlock: a release of a model is proven, decided, followed, watched and undone here.

A room imports only rooms above it in this table; the import linter holds it.

    outbound      nobody outside is told, this machine is asked directly: applied here, before any library is imported
    errors        every error, and what to do about it
    extras        what is installed only where it is used
    clock         UTC stamps
    waiting       the one way to wait for something that happens elsewhere
    names         the rules for names, aliases and versions
    records       what is written down: Candidate, Current, Journal, HistoryEntry
    secret_file   a secret in a file of its owner's
    settings      where everything is, from the environment
    model         what a model is: manifest, rows, golden answers, sessions, the trial of a candidate
    store         the model repository on disk, and its only writer
    training      learner -> data -> fitted model -> ONNX -> manifest
    release       the steps of a release, a rollback, and the one way back
    upkeep        what does each replica serve, what disagrees, and making it agree
    adapters      clients of the outside: MLflow, Triton, the serving app, databases, chat
    batch         whole tables, answered by one version
    serving       the prediction app; knows nothing of Prefect
    environment   store, registry, engines and run in one object
    stack         everything on one machine
    cli           the command `interlock`
    log_model     one call from a training script of your own: `interlock.log_model(model, sample, target=...)`
"""

from typing import TYPE_CHECKING, Any

from interlock import outbound

if TYPE_CHECKING:
    from interlock.adapters.mlflow.script import log_model as log_model

outbound.apply()


def __getattr__(name: str) -> Any:
    """Import `log_model` when it is asked for: it needs scikit-learn and MLflow, which a serving app does not have."""
    if name == "log_model":
        from interlock.adapters.mlflow.script import log_model

        return log_model
    msg = f"module 'interlock' has no attribute {name!r}"
    raise AttributeError(msg)
