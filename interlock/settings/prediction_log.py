"""Settings of the prediction log, from the environment."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from interlock.settings.base import Known

SHORTEST_KEY = 32


def _split(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


Names = Annotated[frozenset[str], NoDecode, BeforeValidator(_split)]


class LogSettings(Known):
    """
    Each is an environment variable `INTERLOCK_SERVING_LOG_<NAME>`.

    Raises:
        ValidationError: Columns are to be hashed and there is no key, or it is short.
    """

    model_config = SettingsConfigDict(env_prefix="INTERLOCK_SERVING_LOG_", frozen=True)

    enabled: bool = Field(default=True, description="write every answer to the prediction log")
    url: SecretStr | None = Field(default=None, description="SQLAlchemy URL; <folder>/predictions.db")
    folder: Path = Field(default=Path(".interlock/prediction-log"), description="holds the spool, and the SQLite file")
    exclude: Names = Field(default=frozenset(), description="columns that are not written, comma separated")
    hash: Names = Field(default=frozenset(), description="columns that are written as a keyed hash")
    hash_key: SecretStr = Field(default=SecretStr(""), description="the key of that hash, 32 bytes or more")
    queue_rows: int = Field(default=100_000, ge=1000, description="most rows in memory while the disk is full")
    timeout_s: float = Field(default=5.0, gt=0, description="longest that the database may take for a batch")

    @model_validator(mode="after")
    def _hashes_have_a_key(self) -> Self:
        if self.hash and len(self.key) < SHORTEST_KEY:
            msg = f"INTERLOCK_SERVING_LOG_HASH needs INTERLOCK_SERVING_LOG_HASH_KEY of {SHORTEST_KEY} bytes at least"
            raise ValueError(msg)
        return self

    @property
    def key(self) -> bytes:
        """The key of the hash."""
        return self.hash_key.get_secret_value().encode()

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL, a secret."""
        return self.url.get_secret_value() if self.url else f"sqlite:///{self.folder.absolute()}/predictions.db"
