"""Tables in real databases."""

import numpy as np
import pytest
from ports import free_ports
from postgres import DATABASES

from adapters.feature_store import FeatureStore
from delivery.errors import NotFound, Refused, Unreachable
from learners.credit_score import LEARNER
from stack.credit_table import TABLE, credit_table

both = pytest.mark.parametrize("database", DATABASES, indirect=True)


@both
def test_a_table_comes_back_as_it_was_written_and_trains(database):
    made = credit_table(200)
    store = FeatureStore(database)
    store.replace(TABLE, credit_table(10))
    store.replace(TABLE, made)

    back = store.read(LEARNER.query)

    assert list(back) == list(made)
    np.testing.assert_array_equal(LEARNER.dataset(back).rows, LEARNER.dataset(made).rows)


@both
@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("SELECT * FROM nowhere", NotFound),
        ("SELECT absent FROM t", NotFound),
        ("SELEC 1", Refused),
    ],
)
def test_what_is_not_there_is_told_by_its_kind(database, query, error):
    store = FeatureStore(database)
    store.replace("t", {"x": np.array([1.0])})

    with pytest.raises(error):
        store.read(query)


@both
def test_a_table_without_rows_has_its_columns(database):
    store = FeatureStore(database)
    store.replace("t", {"x": np.array([1.0])})

    assert [len(cells) for cells in store.read("SELECT * FROM t WHERE x > 2").values()] == [0]


def test_a_sqlite_file_that_is_not_there_is_not_made_by_reading(tmp_path):
    with pytest.raises(NotFound, match="there is no database"):
        FeatureStore(f"sqlite:///{tmp_path}/none.db").read("SELECT 1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["nonsense", "sqlit:///x", "oracle://u:hunter2@h/d", ""])
def test_what_is_no_url_of_a_database_is_refused(url):
    with pytest.raises(Refused) as refused:
        FeatureStore(url).read("SELECT 1")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("driver", ["postgresql+psycopg", "mysql+pymysql"])
def test_a_database_that_is_away_is_unreachable_soon_and_its_password_stays_secret(driver):
    url = f"{driver}://user:hunter2@127.0.0.1:{free_ports(1)[0]}/d?password=hunter2"

    with pytest.raises(Unreachable) as away:
        FeatureStore(url, timeout_s=2).read("SELECT 1")
    assert "hunter2" not in str(away.value)
    assert "127.0.0.1" in str(away.value)


@pytest.mark.system
def test_a_statement_that_takes_too_long_is_given_up(pg):
    with pytest.raises(Unreachable, match="timeout"):
        FeatureStore(pg.database(), timeout_s=1).read("SELECT pg_sleep(30)")
