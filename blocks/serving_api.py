"""Block: where the serving app is, and the token that lets a release stage and reload."""

from typing import Annotated, ClassVar

from pydantic import Field, HttpUrl, SecretStr

from blocks.named import NamedBlock
from interlock.adapters.serving.engine import serving_engine
from interlock.adapters.serving.start import ServingStart
from interlock.records import DEFAULT_BUDGET_MS, DEFAULT_TIMEOUT_S, SERVING_API, EngineRef
from interlock.release.engine import Engine

Url = Annotated[str, Field(pattern=r"^https?://")]


class ServingApi(NamedBlock):
    """
    The serving app, one or several replicas.

    Example:
        ```python
        from blocks.serving_api import ServingApi

        engine = ServingApi.load("BLOCK_NAME").connect()
        ```
    """

    _block_type_name: ClassVar[str | None] = "Serving API"
    _block_type_slug: ClassVar[str | None] = SERVING_API
    _documentation_url = HttpUrl("https://fastapi.tiangolo.com")

    name: str = Field(default="dev", description="Name under which the app is enrolled: its INTERLOCK_SERVING_NAME.")
    urls: list[Url] = Field(
        min_length=1, description="Base URL of every replica: of its control listener, if it has one."
    )
    token: SecretStr = Field(description="The x-token of the control routes.")
    timeout_s: float = Field(default=DEFAULT_TIMEOUT_S, gt=0, description="Seconds that a call may take.")
    latency_budget_ms: float = Field(
        default=DEFAULT_BUDGET_MS,
        gt=0,
        description="Milliseconds that the median single-row prediction of a candidate may take.",
    )

    start_command: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Program and arguments, without a shell, that start the app where flows run, such as "
        '["docker", "compose", "up", "-d", "serving"]; it must return, and be harmless when the app runs. No secrets.',
    )
    start_timeout_s: float = Field(
        default=60.0,
        gt=0,
        le=300,
        description="Seconds that the command, and then the app until it is alive, may take.",
    )

    def connect(self) -> Engine:
        """Return the engine as a release to it will enrol it. Nothing is opened before its first call."""
        ref = EngineRef(
            kind=SERVING_API,
            name=self.name,
            urls=tuple(self.urls),
            latency_budget_ms=self.latency_budget_ms,
            timeout_s=self.timeout_s,
        )
        return serving_engine(ref, self.token.get_secret_value())

    def starting(self) -> ServingStart:
        """Return whether the app answers, and what starts it."""
        return ServingStart(self.urls, self.start_command, timeout_s=self.timeout_s, longest_s=self.start_timeout_s)
