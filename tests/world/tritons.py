"""Both Tritons behind one name, for the suites that hold them to one contract."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.ports import free_ports
from world.fake_triton import FakeTriton, fake_triton
from world.real_triton import RealTriton, reason_for_none, settings_at

KINDS = ["fake", pytest.param("real", marks=pytest.mark.system)]
REAL = KINDS[1:]


@contextmanager
def running(kind: str, home: Path) -> Iterator[FakeTriton | RealTriton]:
    """Run the fake or the real Triton over `home/repository`."""
    (home / "repository" / "models").mkdir(parents=True, exist_ok=True)
    if kind == "fake":
        with fake_triton(home / "repository" / "models", "key") as fake:
            yield fake
        return
    if reason := reason_for_none(home):
        pytest.skip(reason)
    real = RealTriton(settings_at(home, free_ports(3)))
    real.start()
    try:
        yield real
    finally:
        real.stop()
