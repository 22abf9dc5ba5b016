"""Block: where the tables are that models are trained on, and asked about."""

from typing import ClassVar

from pydantic import Field, HttpUrl, SecretStr

from blocks.named import NamedBlock
from interlock.adapters import feature_store
from interlock.batch import answer_table
from interlock.model.signature import Signature


class FeatureStore(NamedBlock):
    """
    A database with tables to train on, and to predict: SQLite, PostgreSQL or MariaDB.

    Example:
        ```python
        from blocks.feature_store import FeatureStore

        store = FeatureStore.load("BLOCK_NAME").connect()
        table = store.read("SELECT * FROM credit_features")
        ```
    """

    _block_type_name: ClassVar[str | None] = "Feature Store"
    _block_type_slug: ClassVar[str | None] = "feature-store"
    _documentation_url = HttpUrl("https://docs.sqlalchemy.org/en/21/core/engines.html#database-urls")

    url: SecretStr = Field(description="SQLAlchemy URL: sqlite:///, postgresql+psycopg:// or mysql+pymysql://.")
    query: str | None = Field(
        default=None, description="SQL that reads the rows, in an order that is always the same; none: the learner's."
    )
    timeout_s: float = Field(default=30.0, gt=0, description="Seconds that connecting, and a statement, may take.")

    def connect(self) -> feature_store.FeatureStore:
        """Return the database. Nothing is opened before the first question."""
        return feature_store.FeatureStore(self.url.get_secret_value(), self.timeout_s)

    def answers(self, table: str, signature: Signature) -> answer_table.AnswerTable:
        """Return a table for a model's answers in the database. Nothing is opened before its first call."""
        return answer_table.AnswerTable(self.url.get_secret_value(), table, signature, self.timeout_s)
