"""A serving app in this process, over a repository with real models."""

import pytest
from starlette.testclient import TestClient
from world.models import decide, iris, put, settings_of

from interlock.serving.app import create_app
from interlock.store import Store


@pytest.fixture
def anyio_backend():
    """Tests that are coroutines run in asyncio, as the app does."""
    return "asyncio"


@pytest.fixture
def store(tmp_path):
    """Versions 1 and 2 are on disk; nothing is decided."""
    store = Store(tmp_path / "repository")
    put(store, 1, iris(1.0))
    put(store, 2, iris(10.0))
    return store


@pytest.fixture
def client(store):
    """The app serves v1 under A."""
    decide(store, "A", 1)
    with TestClient(create_app(settings_of(store)), raise_server_exceptions=False) as client:
        yield client
