"""
Loading and unloading on one tritonserver, over gRPC: over HTTP they stall the clients of the same thread.

A call that answers is no proof: a load of versions that are not there says yes. What is loaded is asked elsewhere.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from delivery.errors import Broken, DeliveryError, Refused, Unreachable

KEY_HEADER = "x-admin-key"
GRPC_KEY_HEADER = "triton-grpc-protocol-admin-key"
AWAY = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")
READY = "READY"


@dataclass(frozen=True)
class TritonControl:
    """
    The restricted control APIs. Every method raises Unreachable, Refused for a wrong key, or Broken.

    Args:
        address: `host:port` of its gRPC.
        key: Of the restricted APIs.
        timeout_s: Longest an unload or a question may take.
        load_timeout_s: Longest a load may take.
    """

    address: str
    key: str = field(repr=False)
    timeout_s: float
    load_timeout_s: float

    def load(self, name: str, config: str | None = None, files: dict[str, bytes] | None = None) -> None:
        """Load the folder *name*; with *config* and *files*, those instead of the repository's."""
        given = {"headers": self._headers(), "client_timeout": self.load_timeout_s}
        self._ask(lambda client: client.load_model(name, config=config, files=files, **given))

    def unload(self, name: str) -> None:
        """Unload the folder *name*; one that is not loaded is fine."""
        given = {"headers": self._headers(), "client_timeout": self.timeout_s}
        self._ask(lambda client: client.unload_model(name, **given))

    def ready_versions(self) -> dict[str, int]:
        """Return the highest ready version of each folder; what was loaded from files has none and is not listed."""
        given = {"headers": self._headers(), "client_timeout": self.timeout_s}
        index = self._ask(lambda client: client.get_model_repository_index(**given))
        ready: dict[str, int] = {}
        for model in index.models:
            if model.state == READY:
                ready[model.name] = max(int(model.version), ready.get(model.name, 0))
        return ready

    def _ask(self, act: Callable[[InferenceServerClient], Any]) -> Any:
        client = InferenceServerClient(self.address)
        try:
            return act(client)
        except InferenceServerException as error:
            raise self._failure(error) from error
        finally:
            with suppress(Exception):
                client.close()

    def _headers(self) -> dict[str, str]:
        return {GRPC_KEY_HEADER: self.key}

    def _failure(self, error: InferenceServerException) -> DeliveryError:
        status, what = str(error.status()), f"{self.address}: {str(error.message()).splitlines()[0]}"
        if "expecting header" in what:  # Triton says UNAVAILABLE to a wrong key, too
            return Refused(f"{self.address} refuses the control key")
        return Unreachable(what) if any(away in status for away in AWAY) else Broken(what)
