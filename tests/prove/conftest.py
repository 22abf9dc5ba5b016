"""Everything here is marked `faults`; a share of its cases runs, or all of them: FAULTS=all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from inject import strace
from world.processes import Crew, crew

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="session")
def hands() -> Iterator[Crew]:
    """Processes that run cases under strace."""
    if not strace.is_there():
        pytest.skip("STRACE IS NOT INSTALLED: no system call was made to fail. `apt-get install strace`")
    with crew() as made:
        yield made
