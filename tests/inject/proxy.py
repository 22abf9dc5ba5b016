"""
An HTTP proxy on a real socket, in front of a real server: it numbers the calls and injects a fault into some.

    refused   nobody listens (from a call on), or the connection is reset (one call)
    error     503, and nothing was done
    lost      the work is done, the answer is not: the connection breaks
    slow      the work is done, the answer never comes: the client gives up
    late      nothing comes, the client gives up, and then the work is done
    garbage   200 with what is no answer, and nothing was done
    held      the work is done, the answer comes when the proxy is healed
"""

import http.client
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

FAULTS = ("refused", "error", "lost", "slow", "late", "garbage")
LONGEST_S = 180
RESET = struct.pack("ii", 1, 0)
Answer = tuple[int, bytes]


def no_fault(_number: int, _call: str) -> str:
    return ""


class Calls:
    """Numbers the calls, and says which of them a fault hits."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fault: Callable[[int, str], str] = no_fault
        self._lock = threading.Lock()

    def inject(self, fault: str, at: int, *, for_good: bool = False) -> None:
        """Inject one kind of fault at call *at*, or from there on."""
        self.calls.clear()
        self.fault = lambda number, _: fault if number == at or (for_good and number > at) else ""

    def forget(self) -> None:
        """Inject nothing more."""
        self.fault = no_fault

    def number(self, call: str) -> tuple[int, str]:
        with self._lock:
            self.calls.append(call)
            number = len(self.calls) - 1
            return number, self.fault(number, call)


class Proxy(Calls):
    """In front of the server at *upstream*."""

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self.upstream = upstream
        self.port = 0
        self.held = threading.Event()
        self._healed = threading.Event()
        self.late = threading.Lock()
        self._listener: socket.socket | None = None
        self._closes_before: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def listen(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
            self.port = self._listener.getsockname()[1]
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self) -> None:
        """Nobody listens any more."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def inject(self, fault: str, at: int, *, for_good: bool = False) -> None:
        super().inject(fault, at, for_good=for_good)
        self._closes_before = at if for_good and fault == "refused" else None
        if self._closes_before == 0:
            self.refuse()

    def hold(self, call: str) -> None:
        """Hold every `METHOD path` that is *call*; `held` is set when the first one comes."""
        self.held.clear()
        self._healed.clear()
        self.fault = lambda _, asked: "held" if asked == call else ""

    def heal(self) -> None:
        """Let every call pass; what is done late is done by then: later than the next call nobody could know of it."""
        self.forget()
        with self.late:
            pass
        self._closes_before = None
        self._healed.set()
        self.listen()

    def answered(self, number: int) -> None:
        """Close the door before a client can come for the next call."""
        if self._closes_before is not None and number + 1 >= self._closes_before:
            self.refuse()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(connection, address), daemon=True).start()

    def _handle(self, connection: socket.socket, address: object) -> None:
        with suppress(OSError), connection:
            _Handler(connection, address, self)


class _Handler(BaseHTTPRequestHandler):
    """One call of one connection."""

    def answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        number, fault = self.server.number(f"{self.command} {self.path.split('?')[0]}")
        answer = getattr(self, f"_{fault or 'passed'}")(content)
        self.server.answered(number)
        if answer is None:
            return
        self.send_response(answer[0])
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer[1])))
        self.end_headers()
        self.wfile.write(answer[1])

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass

    def _passed(self, content: bytes) -> Answer:
        there = urlsplit(self.server.upstream)
        client = http.client.HTTPConnection(there.hostname or "", there.port, timeout=LONGEST_S)
        with closing(client):
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "host")}
            client.request(self.command, self.path, content, headers)
            response = client.getresponse()
            return response.status, response.read()

    def _refused(self, _content: bytes) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def _error(self, _content: bytes) -> Answer:
        return 503, b'{"message": "come back later"}'

    def _garbage(self, _content: bytes) -> Answer:
        return 200, b"<html>welcome to the hotel's network</html>"

    def _lost(self, content: bytes) -> None:
        self._passed(content)

    def _slow(self, content: bytes) -> None:
        self._passed(content)
        self._until_given_up()

    def _late(self, content: bytes) -> None:
        with self.server.late:
            self._until_given_up()
            self._passed(content)

    def _held(self, content: bytes) -> Answer:
        answer = self._passed(content)
        self.server.held.set()
        self.server._healed.wait(LONGEST_S)
        return answer

    def _until_given_up(self) -> None:
        """Wait until the client hangs up."""
        select.select([self.connection], [], [], LONGEST_S)


@contextmanager
def proxy(upstream: str) -> Iterator[Proxy]:
    made = Proxy(upstream)
    made.listen()
    yield made
    made.refuse()
