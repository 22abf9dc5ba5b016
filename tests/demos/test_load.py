"""The request stream tells the truth: an answer that names another version is found, and so is a lost one."""

import itertools
import time

from support.wire import wire

from demos.load import Load, Tally


def test_a_torn_answer_is_found():
    tally = Tally()
    tally.answers[1, 0, 0.97] = 10
    tally.answers[2, 0, 0.97] = 3
    tally.answers[2, 0, 0.99] = 10

    assert tally.mislabelled({1: 0.97, 2: 0.99}) == 3


def test_every_request_is_counted_whatever_comes_back():
    numbers = itertools.count()
    good = {"version": 1, "prediction": [0], "confidence": [0.5]}
    with wire() as told:
        told.answers["POST /predict"] = lambda _: (200, good) if next(numbers) % 2 else (503, {})
        with Load(told.url, rate=200, threads=2) as load:
            deadline = time.monotonic() + 20
            while len(told.asked) < 20:
                assert time.monotonic() < deadline
                time.sleep(0.01)

    assert load.tally.requests == len(told.asked)
    assert load.tally.failures["503"] > 0
    assert load.tally.versions.keys() == {1}
