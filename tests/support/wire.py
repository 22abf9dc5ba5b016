"""A server on a real socket that answers as it is told: the wire is faked, not the client."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, object]


@dataclass
class Wire:
    """Answers `method path` by the function of that key, else 404; keeps what was asked."""

    url: str = ""
    answers: dict[str, Callable[[object], Answer]] = field(default_factory=dict)
    asked: list[tuple[str, object]] = field(default_factory=list)

    def count(self, key: str) -> int:
        return sum(asked == key for asked, _ in self.asked)


@contextmanager
def wire() -> Iterator[Wire]:
    told = Wire()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            body = json.loads(content) if "json" in self.headers.get("content-type", "") else content or None
            key = f"{self.command} {self.path.split('?')[0]}"
            told.asked.append((key, body))
            status, answer = told.answers.get(key, lambda _: (404, {"message": "not here"}))(body)
            if status == 0:  # the answer is lost
                self.connection.close()
                return
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    yield told
    server.shutdown()
    server.server_close()
    thread.join()
