r"""
Answer the rows of a table or a file by one version, whatever is decided meanwhile.

    ask -> pin -> begin -> (copy rows of a query) -> score, part by part -> (fill table) -> publish
       \_______ refused: nothing was written ______/      \_ killed: the same batch goes on _/
"""

from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import Field

from blocks.batch_folder import BatchFolder
from blocks.feature_store import FeatureStore
from blocks.model_repository import ModelRepository
from flows.recover_run import recover_run
from interlock.batch.folder import Work
from interlock.batch.parts import Batch, Part, parts_of
from interlock.batch.rows_file import RowsFile
from interlock.store import Store
from tasks import batch as steps
from tasks.announce import announced
from tasks.pages import Progress
from tasks.runner import computed, runner_of


@flow(on_failure=[recover_run], on_crashed=[recover_run], on_cancellation=[recover_run])
def batch_predict(  # noqa: PLR0913, PLR0917 - each is a field of the form in the Prefect UI
    model: str = "best_model",
    alias: str = "A",
    version: int | None = None,
    parquet: str | None = None,
    query: str | None = None,
    table: str | None = None,
    batch: str | None = None,
    chunk_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 65_536,
    repository: str = "dev",
    feature_store: str = "dev",
    batches: str = "dev",
    chat: str = "dev",
) -> State[Any]:
    """
    Predict every row of a Parquet file or of a query, by the version that is live now or by *version*.

    The answers (position, customer_id, predict, confidence, model, version, run_id, batch) appear at once, when all
    are there. If a run is killed, start another one with the same `batch`: it resumes where the first stopped, with
    the same version and the same rows, each once.

    Args:
        model: Registered name in MLflow, and folder in the repository.
        alias: Whose live version answers.
        version: A version in the repository, instead.
        parquet: Path of a file with the rows; without it, a query.
        query: SQL, in an order that is always the same; without it, the block's, or the learner's.
        table: Table in the feature store that takes the answers, beside Parquet.
        batch: Name of the batch; the same name goes on where it stopped. Without one, the flow run's id.
        chunk_rows: Most rows in memory at once, per thread.
        repository: Name of the block ModelRepository.
        feature_store: Name of the block FeatureStore.
        batches: Name of the block BatchFolder.
        chat: Name of the block ChatWebhook.

    Raises:
        DeliveryError: Why there are no answers; for rows it names row and column, never the value.
    """
    name = batch or str(flow_run.id)
    page = f"predictions-{model}-{alias}"
    with announced(chat, model, alias, subject=f"batch {name} of {model} {alias}", page=page) as announce:
        announce.store = store = ModelRepository.named(repository).connect()
        place, tables = BatchFolder.named(batches), FeatureStore.named(feature_store)
        file, question = steps.ask(model, alias, version, parquet, query, table, feature_store, chunk_rows)

        with place.connect().open(name) as work:
            pinned = steps.pin(store, work, question)
            announce.run_id = pinned.run_id
            if work.is_finished():
                told = f"{work.finished} was answered by {model} v{pinned.version} before"
                return Completed(name="AlreadyDone", message=announce.tell("ALREADY DONE", told))
            steps.begin(store, work, pinned, file, tables)
            rows = file or steps.copy_rows(tables, store, work, pinned)
            parts = parts_of(rows.groups(), chunk_rows)
            _score(place, store, work, pinned, rows, parts)
            if table:
                steps.fill_table(tables, store, work, pinned, parts)
            where = steps.publish(work)
        count = sum(part.rows for part in parts)
        also = f" and table {table}" if table else ""
        told = f"{count} rows answered by {model} v{pinned.version}: {where}{also}"
        return Completed(message=announce.tell("PREDICTED", told))
    return announce.ended


def _score(place: BatchFolder, store: Store, work: Work, batch: Batch, rows: RowsFile, parts: list[Part]) -> None:
    missing = work.missing(parts)
    bar = Progress(f"batch-{work.name}", f"Rows of batch {work.name}", sum(part.rows for part in parts))
    bar.add(sum(part.rows for part in parts) - sum(part.rows for part in missing))
    same = {"store": store, "work": work, "batch": batch, "rows": rows}
    with runner_of(place) as runner:
        for count in computed(runner, steps.score, ({**same, "part": part} for part in missing)):
            bar.add(count)
