"""Engines by their addresses, as a release enrols them; and everything that a release needs, put together."""

from collections.abc import Iterable

from world.fakes import RUN, FakeRegistry

from interlock.adapters.serving import engine as serving
from interlock.adapters.triton import engine as triton
from interlock.adapters.triton.addresses import addresses
from interlock.records import SERVING_API, TRITON, EngineRef
from interlock.release.engine import Engine
from interlock.release.environment import Environment
from interlock.release.registry import Registry
from interlock.store import Store


def serving_engine(name: str, urls: Iterable[str], token: str, **enrolled: float) -> Engine:
    return serving.serving_engine(EngineRef(kind=SERVING_API, name=name, urls=tuple(urls), **enrolled), token)


def triton_engine(name: str, servers: Iterable[tuple[str, str]], key: str, store: Store, **enrolled: float) -> Engine:
    ref = EngineRef(kind=TRITON, name=name, urls=addresses(servers), **enrolled)
    return triton.triton_engine(ref, key, store)


def environment(store: Store, *engines: Engine, registry: Registry | None = None) -> Environment:
    """The one way to put a repository, engines of any kind and a registry together: a fake one, unless it is said."""
    by_key = {engine.ref.key: engine for engine in engines}
    return Environment(store, registry or FakeRegistry(), lambda ref: by_key[ref.key], RUN)
