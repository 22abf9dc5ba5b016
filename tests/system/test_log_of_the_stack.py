"""The prediction log of the real stack, and how long it is kept."""

import time

import httpx
import pytest
from sqlalchemy import create_engine, text

from blocks.prediction_log import PredictionLog
from flows.retention import retention
from flows.train_register_reload import train_register_reload
from interlock.errors import NotFound, Unreachable


@pytest.fixture
def table(stack):
    engine = create_engine(stack.settings.prediction_log.get_secret_value())
    with engine.connect() as connection:
        yield lambda query: connection.execute(text(query)).all()
    engine.dispose()


def test_an_answer_of_the_stacks_app_is_in_its_log_and_retention_deletes_it_when_it_is_old(api, table):
    if api.version() is None:
        train_register_reload()
    answer = httpx.post(f"{api.url}/predict", json={"rows": [[5.1, 3.5, 1.4, 0.2]], "ids": ["C-1"]}).json()
    mine = f"SELECT prediction, version FROM prediction_log WHERE request_id = '{answer['request_id']}'"
    deadline = time.monotonic() + 5
    while not (rows := table(mine)):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    state = retention(days=1, return_state=True)

    assert rows == [("setosa", answer["version"])]
    assert state.is_completed()
    assert state.message.startswith("0 rows older than 1 days (before 20")
    assert table(mine) == rows


def test_retention_says_what_is_wrong(api, tmp_path):
    for url, error in (
        (f"sqlite:///{tmp_path}/none.db", NotFound),
        ("postgresql+psycopg://u@127.0.0.1:1/d", Unreachable),
    ):
        PredictionLog(url=url).save("elsewhere", overwrite=True)
        with pytest.raises(error):
            retention(prediction_log="elsewhere")
    with pytest.raises(Exception, match="greater than or equal to 1"):
        retention(days=0)
