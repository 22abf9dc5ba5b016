"""
A batch: the rows of a table, answered by one version, in parts that are written once each.

    Question    what somebody asks for
    Batch       the question, and the version that answers it to the end, whatever is decided meanwhile
    Part        rows that are read and written together: what a run that was killed goes on after
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from interlock.clock import utc_stamp
from interlock.errors import DigestRefused, NotFound, Refused
from interlock.names import Alias, ModelName, Sha256, Version
from interlock.records import Record
from interlock.store import Store

CUSTOMER = "customer_id"
"""The column that is copied to the answers, if there is one. It is no key: a customer may be there twice."""


class Question(Record):
    """
    What somebody asks for; a batch goes on only for the same question.

    Args:
        version: A version, instead of the one that is live for the alias.
        parquet: Path of a file with the rows, and *parquet_sha256* of its bytes; or else
        query: SQL that reads them from *feature_store*, a block; without it, the learner's.
        table: Where the answers go, beside Parquet, in *feature_store*.
        chunk_rows: Most rows in memory at once, per thread; a part has as many, or a row group more.
    """

    model: ModelName
    alias: Alias
    version: Version | None = None
    parquet: str | None = None
    parquet_sha256: Sha256 | None = None
    query: str | None = None
    feature_store: str | None = None
    table: str | None = None
    chunk_rows: int = Field(ge=1)


class Batch(Record):
    """`_batch.json`: the question, and who answers it. *run_id* is the training's, *sha256* the model's."""

    name: str
    question: Question
    version: Version
    run_id: str
    sha256: Sha256
    started_at_utc: str

    def check_asked(self, question: Question) -> None:
        """
        Look whether *question* is this batch's.

        Raises:
            Refused: It asks for something else.
        """
        asked, theirs = question.model_dump(), self.question.model_dump()
        other = [name for name, value in theirs.items() if asked[name] != value]
        if other:
            msg = f"batch {self.name} was begun with another {', '.join(other)}; name another batch"
            raise Refused(msg)


@dataclass(frozen=True)
class Part:
    """Row groups *groups* of a file: *rows* rows, of which the first has the position *first*."""

    number: int
    first: int
    rows: int
    groups: tuple[int, ...]


def pinned(store: Store, name: str, question: Question) -> Batch:
    """
    Read the decision, once, and return the batch that is answered by it.

    Raises:
        NotFound: Nothing is live for the alias, or there is no such version in the repository.
        DigestRefused: These bytes failed.
    """
    version, sha256 = question.version, None
    if version is None:
        variant = store.current(question.model).variants.get(question.alias)
        if variant is None:
            msg = f"{question.model} {question.alias}: nothing serves; release a version, or name one"
            raise NotFound(msg)
        version, sha256 = variant.active_version, variant.sha256
    manifest = store.manifest(question.model, version)
    batch = Batch(
        name=name,
        question=question,
        version=version,
        run_id=manifest.run_id,
        sha256=sha256 or manifest.sha256,
        started_at_utc=utc_stamp(),
    )
    check_not_refused(store, batch)
    return batch


def check_not_refused(store: Store, batch: Batch) -> None:
    """
    Look whether the version that answers may still do so.

    Raises:
        DigestRefused: It failed, or was rolled back, since.
    """
    if refusal := store.refusal(batch.question.model, batch.sha256):
        msg = f"{batch.question.model} v{batch.version} is refused: {refusal.reason}; begin a batch under another name"
        raise DigestRefused(msg)


def parts_of(groups: Sequence[int], chunk_rows: int) -> list[Part]:
    """Return parts of *chunk_rows* rows or a little more, from the number of rows of each row group; one at least."""
    parts: list[Part] = []
    first, taken = 0, []
    for number, rows in enumerate(groups):
        taken.append((number, rows))
        if sum(n for _, n in taken) >= chunk_rows:
            parts.append(_part(parts, first, taken))
            first, taken = first + parts[-1].rows, []
    return [*parts, _part(parts, first, taken)] if taken or not parts else parts


def _part(before: Sequence[Part], first: int, taken: Sequence[tuple[int, int]]) -> Part:
    return Part(len(before), first, sum(rows for _, rows in taken), tuple(number for number, _ in taken))
