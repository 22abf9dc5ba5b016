"""Models that somebody else trained."""

from collections.abc import Sequence

from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from blocks.mlflow_registry import MlflowRegistry
from interlock.adapters.mlflow import adoption
from interlock.adapters.mlflow.originals import Original
from interlock.records import Candidate
from interlock.training.adopting import Adopted
from tasks.step import step

LONGEST_S = 600


@step(timeout_s=LONGEST_S)
def prove(
    registry: MlflowRegistry,
    source: str,
    sample: str | None,
    task: str | None,
    class_names: Sequence[str] | None,
    *,
    trust: bool,
) -> tuple[Original, Adopted]:
    """
    Fetch a model, make an ONNX of it, and look whether that answers as the original does.

    Raises:
        Refused: It is a pickle that nobody trusts, or no address of a model.
        InvalidTraining: There are no rows to try it with, or they do not fit it.
        NotConvertible: No ONNX that says the same can be made of it.
    """
    original, made = adoption.proven(
        registry.originals(), source, sample=sample, task=task, class_names=class_names, trust=trust
    )
    get_run_logger().info("%s", adoption.why(original, made))
    return original, made


@step()
def register(registry: MlflowRegistry, original: Original, made: Adopted, model: str, alias: str) -> Candidate:
    """Log it with its lineage and make it a version; a retry goes on with the same run."""
    key = str(flow_run.id)
    return adoption.registered(
        registry.tracking(), registry.connect(), original, made, key=key, model=model, alias=alias
    )
