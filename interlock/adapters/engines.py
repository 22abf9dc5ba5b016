"""The engine that an enrolment names: its adapter, made with everything but the secret from the record."""

from collections.abc import Callable

from interlock.adapters.serving.engine import serving_engine
from interlock.errors import NotFound
from interlock.extras import extra
from interlock.records import SERVING_API, TRITON, EngineRef
from interlock.release.engine import Engine, EngineFor
from interlock.store import Store


def engines(store: Store, secret_of: Callable[[EngineRef], str]) -> EngineFor:
    """
    Return what finds engines.

    Args:
        store: The model repository that a Triton reads.
        secret_of: Finds the token or the key of an engine of a known kind; raises NotFound when there is none.

    What is returned raises NotInstalled for a Triton where the extra `triton` is missing.
    """

    def engine_for(ref: EngineRef) -> Engine:
        if ref.kind == SERVING_API:
            return serving_engine(ref, secret_of(ref))
        if ref.kind == TRITON:
            with extra("triton"):
                from interlock.adapters.triton.engine import triton_engine  # its client is an extra
            return triton_engine(ref, secret_of(ref), store)
        msg = f"engine {ref.name} is a {ref.kind}; known are {SERVING_API} and {TRITON}"
        raise NotFound(msg)

    return engine_for
