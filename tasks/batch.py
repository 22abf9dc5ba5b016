"""Rows of a table, answered by one version, part by part; the answers are those of the serving app."""

import sys
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from prefect.logging import get_run_logger

from blocks.feature_store import FeatureStore
from interlock.batch.answers_file import Answered, read_answers, write_answers
from interlock.batch.folder import Work
from interlock.batch.parts import Batch, Part, Question, check_not_refused, pinned
from interlock.batch.rows_file import Piece, RowsFile, write_rows
from interlock.errors import Broken, Refused
from interlock.model.answers import Answers
from interlock.names import alias_name, model_name, table_name, version_number
from interlock.serving.in_process import OnnxModel, OnnxSource, stopping_after
from interlock.store import Store
from interlock.store.contents import sha256_of
from interlock.store.durable import move, writing
from interlock.training.catalogue import find
from interlock.training.table import TableLearner
from tasks.step import step
from tasks.training import LEARNERS

LONGEST_S = 6 * 3600
SELF_TEST_S = 60.0
PIECE_S = 600.0
AT_ONCE = 4096
"""Rows that onnxruntime is asked for at once: more, and trees run out of the processor's cache (half the speed)."""


def ask(
    model: str,
    alias: str,
    version: int | None,
    parquet: str | None,
    query: str | None,
    table: str | None,
    feature_store: str,
    chunk_rows: int,
) -> tuple[RowsFile | None, Question]:
    """
    Return what is asked of a batch, and the file with its rows, if they are in one.

    Raises:
        Refused: A name is not valid, the file is missing or not Parquet, or there is a query as well as a file.
    """
    model_name(model)
    alias_name(alias)
    if version is not None:
        version_number(version)
    if table:
        table_name(table)
    if parquet and query:
        msg = "rows come from a Parquet file or from a query, not from both"
        raise Refused(msg)
    file = RowsFile.at(Path(parquet).absolute()) if parquet else None
    if file:
        file.groups()
    question = Question(
        model=model,
        alias=alias,
        version=version,
        parquet=str(file.path) if file else None,
        parquet_sha256=sha256_of(file.path, sys.maxsize) if file else None,
        query=query,
        feature_store=feature_store if table or not file else None,
        table=table,
        chunk_rows=chunk_rows,
    )
    return file, question


@step()
def pin(store: Store, work: Work, question: Question) -> Batch:
    """
    Read the decision, once; a run that goes on keeps the version that the batch was begun with.

    Raises:
        NotFound: Nothing is live for the alias, or there is no such version in the repository.
        DigestRefused: These bytes failed, or were rolled back since.
        Damaged: The file in the repository is something else.
        Refused: The batch was begun with another question.
    """
    begun = work.batch()
    if begun:
        begun.check_asked(question)
    batch = begun or pinned(store, work.name, question)
    if not work.is_finished():
        check_not_refused(store, batch)
        loaded(store.root, question.model, batch.version, batch.sha256)
    get_run_logger().info("%s: answered by %s v%d", work.name, question.model, batch.version)
    return batch


@step()
def begin(store: Store, work: Work, batch: Batch, file: RowsFile | None, tables: FeatureStore) -> None:
    """
    Look whether the model takes the columns of a file, and the table takes answers; then write the batch down.

    Raises:
        InvalidRows: A column is missing.
        Unreadable: The file is cut short, damaged, or no Parquet file.
        Refused: The table is another one.
        Unreachable: Its database does not answer.
    """
    signature = store.manifest(batch.question.model, batch.version).signature
    if file:
        file.check(signature.columns)
    if batch.question.table:
        tables.answers(batch.question.table, signature).check()
    work.begin(batch)


@step(timeout_s=LONGEST_S)
def copy_rows(tables: FeatureStore, store: Store, work: Work, batch: Batch) -> RowsFile:
    """
    Copy what the query gives to a file, once, with a cursor of the server: a run that goes on reads the same rows.

    Raises:
        InvalidRows: A column is missing, or a value is not valid for its column.
        NotFound: There is no such table.
    """
    if not work.rows.exists():
        manifest = store.manifest(batch.question.model, batch.version)
        query = batch.question.query or tables.query or _query(manifest.learner)
        temporary = work.rows.with_suffix(".new")
        with closing(tables.connect().stream(query, batch.question.chunk_rows)) as pieces, writing(work.folder):
            count = write_rows(temporary, pieces, manifest.columns)
            move(temporary, work.rows)
        get_run_logger().info("%d rows of %s", count, query)
    return RowsFile.at(work.rows)


@step(retries=0, timeout_s=None)
def score(store: Store, work: Work, batch: Batch, rows: RowsFile, part: Part) -> int:
    """
    Answer the rows of a part, a piece at a time; return how many.

    Raises:
        InvalidRows: A value is not valid for its column; the message names row and column, never the value.
        Unreadable: The file is damaged, or has changed.
        Broken: The model's answers are not valid predictions.
        Unwritable: The folder of batches is full.
    """
    model = loaded(store.root, batch.question.model, batch.version, batch.sha256)
    pieces = rows.pieces(part, model.manifest.columns, batch.question.chunk_rows)
    answered = (_answered(model, piece) for piece in pieces)
    return write_answers(work.part(part), batch, model.manifest.signature, answered)


@step(timeout_s=LONGEST_S)
def fill_table(tables: FeatureStore, store: Store, work: Work, batch: Batch, parts: list[Part]) -> int:
    """Write all answers to a table, in one transaction, in place of those that a killed run left; return how many."""
    pieces = (piece for part in parts for piece in read_answers(work.part(part), batch.question.chunk_rows))
    signature = store.manifest(batch.question.model, batch.version).signature
    return tables.answers(str(batch.question.table), signature).fill(batch.name, pieces)


@step(retries=0)
def publish(work: Work) -> Path:
    """Let the folder of the batch appear, at once; return it."""
    work.publish()
    return work.finished


@lru_cache(maxsize=1)
def loaded(root: Path, model: str, version: int, sha256: str) -> OnnxModel:
    """
    Return the version as the serving app loads it: digest checked, golden rows answered. Kept in the process.

    Raises:
        NotFound: It is not in the repository.
        Damaged: The file is something else.
        SmokeFailed: It does not answer as it did in training.
    """
    found = OnnxSource(Store(root), model).staged(version, sha256)
    found.self_test(SELF_TEST_S)
    return found


def _answered(model: OnnxModel, piece: Piece) -> Answered:
    signature = model.manifest.signature
    rows = piece.tensors(signature)
    with stopping_after(PIECE_S) as options:
        try:
            parts = [model.compute(rows[n : n + AT_ONCE], options) for n in range(0, max(len(rows), 1), AT_ONCE)]
            answers = Answers.joined(parts)
        except Exception as error:  # onnxruntime raises eleven classes without a common base
            msg = f"{model.name} v{model.version} cannot answer the {len(rows)} rows from row {piece.first}: {error}"
            raise Broken(msg) from error
    if not answers.are_sane(signature):
        msg = f"{model.name} v{model.version} answers nonsense to row {piece.first + answers.first_strange(signature)}"
        raise Broken(msg)
    return Answered(piece.first, piece.customers(), answers)


def _query(learner: str) -> str:
    found = find(learner, LEARNERS)
    if not isinstance(found, TableLearner):
        msg = f"{learner} reads no table: name a Parquet file, or a query"
        raise Refused(msg)
    return found.query
