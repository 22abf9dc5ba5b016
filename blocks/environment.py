"""Find the engine that a record names: the block of its kind with its name."""

from blocks.serving_api import ServingApi
from blocks.triton_server import TritonServer
from interlock.errors import NotFound
from interlock.records import SERVING_API, TRITON, EngineRef
from interlock.release.engine import Engine

BLOCKS: dict[str, type[ServingApi] | type[TritonServer]] = {
    SERVING_API: ServingApi,
    TRITON: TritonServer,
}


def engine_for(ref: EngineRef) -> Engine:
    """
    Return the engine *ref*.

    Raises:
        NotFound: No block of that kind has that name; the message names the command that makes it.
    """
    if ref.kind not in BLOCKS:
        msg = f"engine {ref.name} is a {ref.kind}; known are {', '.join(BLOCKS)}"
        raise NotFound(msg)
    return BLOCKS[ref.kind].named(ref.name).connect()
