"""
One client's connection: uvicorn's, with a total deadline for everything that the client is waited for.

    IDLE --first byte--> HEADER --> BODY --> ANSWER --answered--> IDLE
                                    REST     of a body that was answered before all of it was here
                                             SENDING: the client does not read what it asked for

uvicorn ends a connection only when nothing arrives between two requests, so a client that sends a byte a second holds
one for ever. Errors below HTTP have the same shape as all others.
"""

import asyncio
import logging
from collections import deque
from enum import Enum, auto
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from interlock.serving.door import Door
from interlock.serving.problem import answer
from interlock.serving.seldom import Seldom

LONGEST_HEADER = 64 * 1024
"""Most bytes of a header, and of all that is in or after a body and no body: chunk extensions, trailers."""
LINGER_S = 2.0
"""How long a client may take to read why it is cut off, or, when the app stops, to finish what it sends."""
log = logging.getLogger(__name__)
refused = Seldom(log.warning, "%d connections were refused so far, the last one with %d: %s")


class Phase(Enum):
    """What is waited for."""

    IDLE = auto()
    HEADER = auto()
    BODY = auto()
    ANSWER = auto()
    REST = auto()
    SENDING = auto()


SECONDS: dict[Phase, float] = {
    Phase.IDLE: 30.0,
    Phase.HEADER: 10.0,
    Phase.BODY: 30.0,
    Phase.REST: 5.0,
    Phase.SENDING: 30.0,
}
"""The app has its own deadlines for an answer."""
BUSY = answer(503, "busy", "every connection is being answered", {"Retry-After": "1", "Connection": "close"})


class Connection(HttpToolsProtocol):
    """A connection to one of *doors*, which are found by their ports."""

    doors: ClassVar[dict[int, Door]]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Enter; who cannot be let in is told so when its request is there."""
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self._overhead = 0
        self._cycles: deque[RequestResponseCycle] = deque()
        self._phase, self._timed = Phase.HEADER, Phase.ANSWER
        self._door = self.doors[transport.get_extra_info("sockname")[1]]
        if not self._door.enter(self):
            self.app = BUSY
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave; uvicorn tells only the newest request that nobody is there, not the ones before it."""
        self._door.leave(self)
        self._stop_timer()
        self.pipeline.clear()
        for cycle in self._cycles:
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and look what is waited for then: a request that arrives whole costs no timer."""
        self._overhead += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._overhead > LONGEST_HEADER and self._phase in (Phase.HEADER, Phase.BODY, Phase.REST):
            self._refuse(431, "header_too_large", f"a header holds {LONGEST_HEADER} bytes at most")
            return
        self._look()

    def on_message_begin(self) -> None:
        """Wait for the header."""
        super().on_message_begin()
        self._phase, self._overhead = Phase.HEADER, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, and no trailer: no route wants one, and a body may be followed by any number."""
        if self._phase is Phase.HEADER:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Wait for the body."""
        super().on_headers_complete()
        self._cycles.append(self.cycle)
        self._phase = Phase.BODY

    def on_body(self, body: bytes) -> None:
        """Begin to count anew: what is no body is bounded here, the body by the app."""
        super().on_body(body)
        self._overhead = 0

    def on_message_complete(self) -> None:
        """Wait for the app, unless it has answered without reading the body."""
        super().on_message_complete()
        self._phase = Phase.IDLE if self.cycle.response_complete else Phase.ANSWER

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it is here already."""
        more = bool(self.pipeline)
        self._cycles.popleft()
        super().on_response_complete()
        if not more:
            self._phase = {Phase.ANSWER: Phase.IDLE, Phase.BODY: Phase.REST}.get(self._phase, self._phase)
        self._look()

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        self._look()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._look()

    def shutdown(self) -> None:
        """Answer what was asked; a client that is in the middle of asking has little time left."""
        super().shutdown()
        if self._timed is not Phase.ANSWER:
            self.loop.call_later(LINGER_S, self.cut)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP as every other error."""
        self._refuse(400, "not_http", msg)

    def timeout_keep_alive_handler(self) -> None:
        """Close at once: uvicorn would wait for a client that does not read its last answer."""
        self.cut()

    def cut(self) -> None:
        """Close at once, whatever is under way."""
        self.transport.abort()

    def _look(self) -> None:
        """Tell the door who has the next move, and give the client its time for it."""
        unread = self.flow.write_paused or self.transport.is_closing()
        awaited = Phase.SENDING if unread else self._phase
        if awaited is self._timed:
            return
        self._stop_timer()
        self._timed = awaited
        if awaited is Phase.ANSWER:
            self._door.answers(self)
        else:
            self._door.awaits(self)
            self._deadline = self.loop.call_later(SECONDS[awaited], self._too_late)

    def _stop_timer(self) -> None:
        if self._deadline:
            self._deadline.cancel()

    def _too_late(self) -> None:
        if self._timed in (Phase.HEADER, Phase.BODY) and self.headers is not None and not self._is_answering():
            self._refuse(408, "too_slow", f"the request did not arrive within {SECONDS[self._timed]:g} s")
        else:
            self.cut()

    def _is_answering(self) -> bool:
        return self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete

    def _refuse(self, status: int, error: str, message: str) -> None:
        told = answer(status, error, message, {"Connection": "close"})
        header = b"".join(name + b": " + value + b"\r\n" for name, value in told.raw_headers)
        self.transport.write(STATUS_LINE[status] + header + b"\r\n" + bytes(told.body))
        self.transport.close()
        self.loop.call_later(LINGER_S, self.cut)
        refused.happened(status, message)
