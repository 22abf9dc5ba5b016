"""Memory for versions: what is loaded and computed at once has room, and nothing takes more than there is."""

import asyncio
import gc
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from inject import slow_models
from inject.hostile_models import as_large_as_asked, put

from interlock.errors import Refused
from interlock.model.rows import Tensors
from interlock.serving.in_process import OnnxModel, OnnxSource
from interlock.serving.memory import AT_ONCE, Need, Room, free_bytes
from interlock.serving.model import NotInTime
from interlock.store import Store

MIB = 2**20


class Loaded:
    """Something that is in memory as long as somebody holds it."""


def load(room, need, opened=Loaded):
    return room.load("m v1", need, opened)


def test_this_process_can_tell_what_is_free():
    assert free_bytes() > 50 * MIB


def test_versions_that_load_at_the_same_time_need_room_beside_each_other():
    """As at a restart with several aliases: none of them has taken its memory when the next one looks."""
    room, refused = Room(lambda: 700 * MIB), []

    def meanwhile():
        with pytest.raises(Refused, match=r"needs 500 MiB of memory, and 1 MiB for a request, and 199 MiB are free"):
            load(room, Need(500 * MIB, MIB))
        refused.append(True)
        return Loaded()

    load(room, Need(500 * MIB, MIB), meanwhile)
    load(room, Need(500 * MIB, MIB))
    assert refused


@pytest.mark.parametrize(
    ("free", "need", "turns"),
    [
        (24_000, Need(10, 1), AT_ONCE),
        (700, Need(50, 144), 1),
        (3 * 50 + 3 * 1440, Need(50, 144), 10),
        (24_000, Need(10, 0), AT_ONCE),
        (100, Need(90, 10), 1),
    ],
)
def test_as_many_requests_compute_at_once_as_a_third_of_the_room_is_good_for(free, need, turns):
    """At the end of a release three versions are in memory; one request always can be computed."""
    assert load(Room(lambda: free), need)[1] == turns


def test_what_requests_of_a_version_may_take_is_kept_for_them_until_it_is_gone():
    room = Room(lambda: 700 * MIB)
    kept, turns = load(room, Need(0, 100 * MIB))
    assert turns == 2
    with pytest.raises(Refused, match="500 MiB are free"):
        load(room, Need(501 * MIB, 0))

    del kept
    gc.collect()
    load(room, Need(501 * MIB, 0))


def test_a_load_that_fails_keeps_no_room():
    room = Room(lambda: 700 * MIB)

    def fails():
        raise MemoryError

    with pytest.raises(MemoryError):
        load(room, Need(600 * MIB, 100 * MIB), fails)
    load(room, Need(600 * MIB, 100 * MIB))


class Counting(OnnxModel):
    """A version that computes as long as it is let, and says how many requests do."""

    now, most, let_go = 0, 0, threading.Event()
    lock = threading.Lock()

    def compute(self, rows, options):
        with self.lock:
            Counting.now += 1
            Counting.most = max(self.most, self.now)
        self.let_go.wait(10)
        with self.lock:
            Counting.now -= 1
        return super().compute(rows, options)


@pytest.fixture
def counting(tmp_path):
    slow_models.put(Store(tmp_path), 1, slow_models.harmless())
    real = OnnxSource(Store(tmp_path), "best_model", Room(lambda: 90 * MIB)).staged(1, None)
    made = Counting(**vars(real))
    made.turns.total_tokens = 3
    Counting.now, Counting.most = 0, 0
    Counting.let_go.clear()
    yield made
    Counting.let_go.set()


ROW = Tensors({"x": np.ones((1, 1), dtype=np.float32)})


@pytest.mark.anyio
async def test_no_more_requests_compute_than_have_a_turn(counting):
    asked = [asyncio.ensure_future(counting.answer(ROW, 10)) for _ in range(12)]
    while counting.now < 3:  # noqa: ASYNC110 - it counts in threads
        await asyncio.sleep(0.01)
    counting.let_go.set()
    assert len(await asyncio.gather(*asked)) == 12
    assert counting.most == 3


@pytest.mark.anyio
async def test_a_request_that_nobody_waits_for_has_its_turn_until_it_ends(counting):
    """Else as many would compute at once as clients are impatient, each with its memory."""
    for _ in range(4):
        ended = await asyncio.gather(*(counting.answer(ROW, 0.1) for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in ended] == [NotInTime] * 3
    assert (counting.now, counting.most) == (3, 3)

    counting.let_go.set()
    await asyncio.wait_for(counting.answer(ROW, 10), 5)


BOUNDED = """
import asyncio, sys
from pathlib import Path
import numpy as np
import psutil
from interlock.model.rows import Tensors
from interlock.serving import memory
memory.free_bytes = lambda: 300 * 2**20
from interlock.store import Store
from interlock.serving.in_process import OnnxSource
from interlock.serving.model import ModelFailed

async def main():
    model = OnnxSource(Store(Path(sys.argv[1])), "best_model").staged(1, None)
    rows = np.asarray([[5, 3, 1, 0]], dtype=np.float32)
    await model.answer(Tensors({"input": rows}), 5)
    try:
        await model.answer(Tensors({"input": rows * 1e8}), 5)
    except ModelFailed:
        print("failed")
    await model.answer(Tensors({"input": rows * 1e6}), 5)
    print(psutil.Process().memory_info().rss < 600 * 2**20)
asyncio.run(main())
"""


def test_a_request_that_makes_a_model_ask_for_gigabytes_fails_alone(tmp_path):
    """The trial cannot see it: how much it takes is for the client to say."""
    folder = Store(tmp_path).paths("best_model").version(1)
    folder.mkdir(parents=True)
    put(folder, as_large_as_asked())
    asked = subprocess.run(
        [sys.executable, "-c", BOUNDED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert asked.stdout.split() == ["failed", "True"]
