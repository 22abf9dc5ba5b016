"""Settings of the serving app, from the environment."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from interlock.model.manifest import LARGEST_REQUEST
from interlock.names import Alias, ModelName
from interlock.settings.base import Known
from interlock.settings.prediction_log import LogSettings

SHORTEST_TOKEN = 32
MOST_TOKENS = 2


def _split(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


Tokens = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]


class ServingSettings(Known):
    """
    Each is an environment variable `INTERLOCK_SERVING_<NAME>`.

    Raises:
        ValidationError: There is no token and none was waived, or a token is short.
    """

    model_config = SettingsConfigDict(env_prefix="INTERLOCK_SERVING_", frozen=True, env_ignore_empty=True)

    name: str = Field(default="dev", description="name under which the app is enrolled as an engine")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(), description="names under which clients ask, beside localhost and addresses; * for any"
    )
    port: int = Field(default=8080, ge=0, le=65535, description="port to listen on")
    control_port: int = Field(
        default=0, ge=0, le=65535, description="port of a second listener, for releases and probes; none if 0"
    )
    repository: Path = Field(default=Path(".interlock/repository"), description="root of the model repository")
    engine: Literal["onnxruntime", "triton"] = Field(default="onnxruntime", description="what computes the answers")
    triton_url: str = Field(default="http://127.0.0.1:8000", description="HTTP base URL of Triton, for engine=triton")
    triton_name: str = Field(default="dev", description="name under which that Triton is enrolled")
    model: ModelName = Field(default="best_model", description="the model whose decision is followed")
    alias: Alias = Field(default="A", description="the alias behind the routes that name none")
    tokens: Tokens = Field(default=(), description="one or two valid x-tokens, comma separated; two while rotating")
    token_file: Path | None = Field(default=None, description="file with the tokens, one a line, instead of `tokens`")
    without_token: bool = Field(default=False, description="start without a token: anybody may stage and reload")
    predict_needs_token: bool = Field(default=False, description="ask for the x-token on predictions too")
    max_body_bytes: int = Field(default=256 * 1024, ge=1024, description="largest request body; 413 above")
    max_rows: int = Field(
        default=LARGEST_REQUEST, ge=1, le=LARGEST_REQUEST, description="most rows of one request; 413 above"
    )
    predict_timeout_s: float = Field(default=5.0, gt=0, description="longest a prediction may compute")
    self_test_timeout_s: float = Field(default=10.0, gt=0, description="longest the golden rows may compute")
    load_timeout_s: float = Field(default=30.0, gt=0, description="longest a version may take to load and answer them")
    log: LogSettings = Field(default_factory=LogSettings, description="the prediction log")
    limit_concurrency: int = Field(
        default=512, ge=1, description="connections at once; whoever sends no request makes room"
    )

    @model_validator(mode="after")
    def _tokens_are_safe(self) -> Self:
        tokens = self.valid_tokens()
        if not tokens and not self.without_token:
            msg = "no token: set INTERLOCK_SERVING_TOKEN_FILE, or waive it by INTERLOCK_SERVING_WITHOUT_TOKEN=true"
            raise ValueError(msg)
        if len(tokens) > MOST_TOKENS or any(len(token) < SHORTEST_TOKEN for token in tokens):
            msg = f"one or two tokens of at least {SHORTEST_TOKEN} bytes each are taken"
            raise ValueError(msg)
        return self

    def valid_tokens(self) -> list[bytes]:
        """Return the tokens that open the control routes; none means that they stand open."""
        if self.token_file:
            return self.token_file.read_bytes().split()
        return [token.get_secret_value().encode() for token in self.tokens]
