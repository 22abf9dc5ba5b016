"""What a flow refuses before its first side effect."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from interlock.batch.parts import Question
from interlock.batch.rows_file import RowsFile
from interlock.errors import Refused
from interlock.names import alias_name, model_name, table_name, version_number
from interlock.release.gate import check_threshold
from interlock.store.contents import sha256_of
from interlock.training.catalogue import find, parameters
from interlock.training.learner import Learner
from interlock.training.table import TableLearner

LEARNERS = "learners"
"""The package of learners."""


@dataclass(frozen=True)
class Plan:
    """A training that can be tried: the learner exists and takes the parameters."""

    name: str
    learner: Learner
    params: BaseModel

    @property
    def table(self) -> TableLearner | None:
        """The learner, if its rows come from a feature store."""
        return self.learner if isinstance(self.learner, TableLearner) else None


def plan(learner: str, params: Mapping[str, Any], metric: str, threshold: float, model: str, alias: str) -> Plan:
    """
    Return what is to be trained.

    Raises:
        Refused: The learner, a parameter, the threshold, the model's name or the alias is none.
    """
    model_name(model)
    alias_name(alias)
    check_threshold(metric, threshold)
    found = find(learner, LEARNERS)
    return Plan(learner, found, parameters(found, params))


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
        Refused: A name is none, there is no such file, it is no Parquet file, or there is a query besides.
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
