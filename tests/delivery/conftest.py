"""What all tests of the core have in common."""

from collections.abc import Iterator

import pytest
from fakes import without_trial


@pytest.fixture(autouse=True)
def no_trial() -> Iterator[None]:
    """Fake bytes are no ONNX; `test_trial` has the real thing."""
    with without_trial():
        yield
