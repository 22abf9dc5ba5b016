"""Engines by their addresses, as a release enrols them."""

from collections.abc import Iterable

from interlock.adapters.serving import engine as serving
from interlock.adapters.triton import engine as triton
from interlock.adapters.triton.addresses import addresses
from interlock.records import SERVING_API, TRITON, EngineRef
from interlock.release.engine import Engine
from interlock.store import Store


def serving_engine(name: str, urls: Iterable[str], token: str, **enrolled: float) -> Engine:
    return serving.serving_engine(EngineRef(kind=SERVING_API, name=name, urls=tuple(urls), **enrolled), token)


def triton_engine(name: str, servers: Iterable[tuple[str, str]], key: str, store: Store, **enrolled: float) -> Engine:
    ref = EngineRef(kind=TRITON, name=name, urls=addresses(servers), **enrolled)
    return triton.triton_engine(ref, key, store)
