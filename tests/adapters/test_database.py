"""What a message may show of a database's URL, and how long its driver may take."""

import pytest

from interlock.adapters.database_url import connect_args, shown


@pytest.mark.parametrize("password", ["hunter2", "hunter2/x", "hunter2?x", "hunter2@x", "hunter2%40x", ":hunter2"])
def test_no_password_is_shown_however_it_is_written(password):
    assert "hunter2" not in shown(f"postgresql+psycopg://user:{password}@host/database?password=hunter2")


def test_the_host_and_the_database_are_shown():
    assert shown("postgresql+psycopg://user:p@host:5432/d?host=/x") == "postgresql+psycopg://host:5432/d"
    assert shown("sqlite:////srv/log.db") == "sqlite:////srv/log.db"


@pytest.mark.parametrize("url", ["postgresql://h/d", "mysql+pymysql://h/d", "mariadb+pymysql://h/d", "sqlite:///x"])
def test_every_driver_is_told_to_end_in_time(url):
    assert any("timeout" in name for name in connect_args(url, 2.5))
