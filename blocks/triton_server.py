"""Block: where Triton is, and the key that lets a release load and unload."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, HttpUrl, SecretStr

from blocks.named import NamedBlock
from interlock.adapters.engines import engines
from interlock.adapters.triton.addresses import addresses
from interlock.records import DEFAULT_BUDGET_MS, DEFAULT_LOAD_TIMEOUT_S, DEFAULT_TIMEOUT_S, TRITON, EngineRef
from interlock.release.engine import Engine
from interlock.store import Store

Url = Annotated[str, Field(pattern=r"^https?://")]
Grpc = Annotated[str, Field(pattern=r"^(grpcs://)?[^/\s]+:\d+$")]


class TritonServer(NamedBlock):
    """
    Triton, one or several replicas over the same model repository.

    Example:
        ```python
        from blocks.triton_server import TritonServer

        engine = TritonServer.load("BLOCK_NAME").connect()
        ```
    """

    _block_type_name: ClassVar[str | None] = "Triton Server"
    _block_type_slug: ClassVar[str | None] = TRITON
    _documentation_url = HttpUrl("https://docs.nvidia.com/deeplearning/triton-inference-server/")

    name: str = Field(default="dev", description="Name under which the server is enrolled.")
    http: list[Url] = Field(min_length=1, description="HTTP base URL of every replica, for inference and health.")
    grpc: list[Grpc] = Field(
        min_length=1,
        description="host:port of gRPC of every replica, in the same order; grpcs://host:port where it speaks TLS.",
    )
    key: SecretStr = Field(description="Key of the restricted control APIs.")
    repository: Path = Field(description="Root of the model repository whose models/ every replica mounts.")
    timeout_s: float = Field(
        default=DEFAULT_TIMEOUT_S, gt=0, description="Seconds that an inference or a question may take."
    )
    load_timeout_s: float = Field(default=DEFAULT_LOAD_TIMEOUT_S, gt=0, description="Seconds that a load may take.")
    latency_budget_ms: float = Field(
        default=DEFAULT_BUDGET_MS,
        gt=0,
        description="Milliseconds that the median single-row inference of a candidate may take.",
    )

    def connect(self) -> Engine:
        """Return the engine as a release to it will enrol it. Nothing is opened before its first call."""
        ref = EngineRef(
            kind=TRITON,
            name=self.name,
            urls=addresses(zip(self.http, self.grpc, strict=True)),
            latency_budget_ms=self.latency_budget_ms,
            timeout_s=self.timeout_s,
            load_timeout_s=self.load_timeout_s,
        )
        return engines(Store(self.repository), lambda _: self.key.get_secret_value())(ref)
