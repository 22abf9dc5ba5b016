"""A secret in a file is whole at every instant, made once, and its owner's."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from interlock import secret_file
from interlock.secret_file import secret_in, write_secret
from interlock.settings import Settings


@pytest.mark.parametrize("left", ["", "\n", " \n\n"])
def test_a_file_that_a_killed_writer_left_empty_is_made_anew(tmp_path, left):
    (tmp_path / "serving-token").write_text(left)
    settings = Settings(home_folder=tmp_path)

    made = settings.serving_token().get_secret_value()

    assert len(made) >= 32
    assert settings.serving_token().get_secret_value() == made
    assert settings.token_file.stat().st_mode & 0o777 == 0o600


def test_whoever_is_killed_between_making_and_writing_leaves_no_file(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(secret_file.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        secret_in(tmp_path / "key")

    assert not (tmp_path / "key").exists()
    monkeypatch.undo()
    assert len(secret_in(tmp_path / "key").get_secret_value()) >= 32


def test_all_who_ask_at_once_are_told_the_same(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        told = {secret.get_secret_value() for secret in pool.map(lambda _: secret_in(tmp_path / "key"), range(64))}

    assert len(told) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_only_its_owner_ever_reads_it(tmp_path):
    old = os.umask(0)
    try:
        secret_in(tmp_path / "made")
        write_secret(tmp_path / "written", "user:pass word")
    finally:
        os.umask(old)

    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert secret_in(tmp_path / "written").get_secret_value() == "user:pass word"


def test_the_first_of_two_tokens_is_sent_while_they_rotate(tmp_path):
    (tmp_path / "serving-token").write_text("new\nold\n")
    assert Settings(home_folder=tmp_path).serving_token().get_secret_value() == "new"
