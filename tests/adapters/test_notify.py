"""Telling never fails a release, and never shows the webhook."""

import logging

from support.wire import wire

from interlock.adapters.notify import Webhook


def test_a_message_arrives_as_text():
    with wire() as told:
        told.answers["POST /hook/secret"] = lambda _: (200, b"ok")

        assert Webhook(f"{told.url}/hook/secret", 1).say("hello")
        assert told.asked == [("POST /hook/secret", {"text": "hello"})]


def test_a_failure_is_logged_without_the_url_and_not_raised(free_port, caplog):
    with caplog.at_level(logging.DEBUG, logger="interlock.adapters"):
        assert not Webhook(f"http://127.0.0.1:{free_port}/hook/secret", 1).say("hello")

    assert "the chat was not told (Unreachable): hello" in caplog.text
    assert "secret" not in caplog.text
