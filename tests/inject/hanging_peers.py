"""Peers that hang: each takes a connection and never lets a call end by itself, or sends what no memory holds."""

import gzip
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

from sqlalchemy import make_url

PAUSE_S = 0.05
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
PIECE = b"x" * (1 << 20)
BOMB = gzip.compress(bytes(1 << 20)) * 1024
Act = Callable[[socket.socket, threading.Event], None]


def _drip(peer: socket.socket, over: threading.Event, *pieces: bytes) -> None:
    """Send the pieces, one after a pause, the last one for ever."""
    for piece in pieces[:-1]:
        peer.sendall(piece)
    while not over.wait(PAUSE_S):
        peer.sendall(pieces[-1])


def silence(_: socket.socket, over: threading.Event) -> None:
    over.wait()


def drips_the_status_line(peer: socket.socket, over: threading.Event) -> None:
    for place in range(len(HEAD)):
        peer.sendall(HEAD[place : place + 1])
        if over.wait(PAUSE_S):
            return
    over.wait()


def drips_header_lines(peer: socket.socket, over: threading.Event) -> None:
    _drip(peer, over, HEAD, b"x-more: 1\r\n")


def goes_on_for_ever(peer: socket.socket, over: threading.Event) -> None:
    """Interim answers, of which any number is allowed."""
    _drip(peer, over, b"HTTP/1.1 102 Processing\r\n\r\n")


def drips_a_body(peer: socket.socket, over: threading.Event) -> None:
    _drip(peer, over, HEAD + b"content-length: 100000\r\n\r\n", b" ")


def drips_chunks(peer: socket.socket, over: threading.Event) -> None:
    _drip(peer, over, HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n")


def drips_an_error(peer: socket.socket, over: threading.Event) -> None:
    _drip(peer, over, b"HTTP/1.1 500 Oh\r\ncontent-length: 100000\r\n\r\n", b" ")


def never_stops_sending(peer: socket.socket, over: threading.Event) -> None:
    peer.sendall(HEAD + b"\r\n")
    while not over.is_set():
        peer.sendall(PIECE)


def never_stops_sending_headers(peer: socket.socket, over: threading.Event) -> None:
    peer.sendall(HEAD)
    while not over.is_set():
        peer.sendall(b"x-more: " + PIECE + b"\r\n")


def hangs_up_in_the_body(peer: socket.socket, _: threading.Event) -> None:
    peer.sendall(HEAD + b"content-length: 100\r\n\r\n{")


def sends_a_bomb(peer: socket.socket, _: threading.Event) -> None:
    """A gigabyte of zeros."""
    peer.sendall(HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(BOMB) + BOMB)


HOSTILE: list[Act] = [
    silence,
    drips_the_status_line,
    drips_header_lines,
    goes_on_for_ever,
    drips_a_body,
    drips_chunks,
    drips_an_error,
    never_stops_sending,
    never_stops_sending_headers,
    hangs_up_in_the_body,
    sends_a_bomb,
]


def drips_a_handshake(peer: socket.socket, over: threading.Event) -> None:
    """The head of a TLS record of 16 KiB, and then a byte at a time."""
    _drip(peer, over, b"\x16\x03\x03\x40\x00", b"\x02")


def drips_a_greeting(peer: socket.socket, over: threading.Event) -> None:
    """What MariaDB says first, 74 bytes of it announced, and then a byte at a time; to PostgreSQL it is nonsense."""
    _drip(peer, over, b"\x4a\x00\x00\x00", b"\x0a")


@contextmanager
def through(url: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """Stand before the PostgreSQL of *url*; yield the URL of this place, and what stops answers and hangs up nobody."""
    behind, over, stopped = make_url(url), threading.Event(), threading.Event()

    def act(peer: socket.socket, first: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as upstream:
            upstream.connect(f"{behind.query['host']}/.s.PGSQL.5432")
            upstream.sendall(first)
            _pass_on(peer, upstream, over, stopped)

    with listening(act, over) as port:
        here = behind.set(host="127.0.0.1", port=port, query={})
        yield here.render_as_string(hide_password=False), stopped.set


def _pass_on(peer: socket.socket, upstream: socket.socket, over: threading.Event, stopped: threading.Event) -> None:
    other = {peer: upstream, upstream: peer}
    while not over.is_set():
        for ready in select.select(list(other), [], [], PAUSE_S)[0]:
            data = ready.recv(1 << 16)
            if not data:
                return
            if not stopped.is_set():
                other[ready].sendall(data)


@contextmanager
def hostile(act: Act) -> Iterator[int]:
    """Listen on the port that is yielded, and treat every connection as *act* does."""
    over = threading.Event()
    with listening(lambda peer, _: act(peer, over), over) as port:
        yield port


@contextmanager
def listening(act: Callable[[socket.socket, bytes], None], over: threading.Event) -> Iterator[int]:
    """Do *act* with every connection and its first byte; in the end *over* is set, and no thread is left."""
    listener, peers = socket.create_server(("127.0.0.1", 0)), []

    def serve(peer: socket.socket) -> None:
        with closing(peer), suppress(OSError):
            act(peer, peer.recv(1) if select.select([peer], [], [], PAUSE_S)[0] else b"")

    def accept() -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                peers.append(peer)
                threads.append(threading.Thread(target=serve, args=(peer,), daemon=True))
                threads[-1].start()

    threads = [threading.Thread(target=accept, daemon=True)]
    threads[0].start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for peer in peers:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


@contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """Look that a block took no longer than its deadline and a tenth, and a second for a busy machine."""
    started = time.monotonic()
    yield
    took = time.monotonic() - started
    assert took < seconds * 1.1 + 1, f"{took:.2f} s, with a deadline of {seconds} s"
