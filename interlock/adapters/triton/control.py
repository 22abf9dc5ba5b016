"""
Loading and unloading on one tritonserver, over gRPC: over HTTP they stall the clients of the same thread.

Every call has a deadline, which gRPC counts for the whole of it.

A call that answers is no proof: a load of versions that are not there says yes. What is loaded is asked elsewhere.
"""

import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import grpc
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from interlock.adapters.http import LARGEST, trusted
from interlock.adapters.triton.addresses import GRPC_KEY_HEADER, TLS
from interlock.errors import DeliveryError, Garbled, NotFollowed, Refused, Unreachable

READY = "READY"
NOT_LOADED = f"{grpc.StatusCode.INVALID_ARGUMENT}"
"""What Triton answers when the backend cannot load a model."""
NO = {f"{code}" for code in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)}
STRANGE = {f"{code}" for code in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.RESOURCE_EXHAUSTED)}
"""Another program listens there, or what it says is larger than an answer may be."""
OPTIONS = [("grpc.max_receive_message_length", LARGEST), ("grpc.max_send_message_length", -1)]


@dataclass(frozen=True)
class TritonControl:
    """
    The restricted control APIs. Every method raises Unreachable, or Refused for a wrong key.

    Args:
        address: `host:port` of its gRPC, or `grpcs://host:port` where it speaks TLS.
        key: Of the restricted APIs.
        timeout_s: Longest an unload or a question may take.
        load_timeout_s: Longest a load may take.
    """

    address: str
    key: str = field(repr=False)
    timeout_s: float
    load_timeout_s: float

    def load(self, name: str, config: str | None = None, files: dict[str, bytes] | None = None) -> None:
        """
        Load the folder *name*; with *config* and *files*, those instead of the repository's.

        Raises:
            Refused: Triton cannot load these *files*: whose fault that is, nobody can say.
            NotFollowed: It cannot load what the repository has.
        """
        given = {"headers": self._headers(), "client_timeout": self.load_timeout_s}
        verdict = Refused if files else NotFollowed
        self._ask(lambda client: client.load_model(name, config=config, files=files, **given), verdict)

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
            if model.state == READY and model.version.isdecimal():
                ready[model.name] = max(int(model.version), ready.get(model.name, 0))
        return ready

    def _ask(self, act: Callable[[InferenceServerClient], Any], not_loaded: type[DeliveryError] = Refused) -> Any:
        client = self._client()
        try:
            return act(client)
        except InferenceServerException as error:
            raise self._failure(error, not_loaded) from error
        finally:
            with suppress(Exception):
                client.close()

    def _client(self) -> InferenceServerClient:
        bare = self.address.removeprefix(TLS)
        secure = grpc.ssl_channel_credentials(_roots()) if bare != self.address else None
        return InferenceServerClient(bare, creds=secure, channel_args=OPTIONS)

    def _headers(self) -> dict[str, str]:
        return {GRPC_KEY_HEADER: self.key}

    def _failure(self, error: InferenceServerException, not_loaded: type[DeliveryError]) -> DeliveryError:
        status, what = str(error.status()), f"{self.address}: {(str(error.message()).splitlines() or [''])[0]}"
        if "expecting header" in what:  # Triton says UNAVAILABLE to a wrong key, too
            return Refused(f"{self.address} refuses the control key")
        kinds = dict.fromkeys(NO, Refused) | dict.fromkeys(STRANGE, Garbled) | {NOT_LOADED: not_loaded}
        return kinds.get(status, Unreachable)(what)


@cache
def _roots() -> bytes | None:
    """Return the machine's certificates, as for HTTP; None, where they are not in one file, for those of gRPC."""
    found = trusted().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, found)).encode() or None
