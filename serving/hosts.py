"""
Under which names the app answers, so that a page whose name was bound anew to this machine (DNS rebinding) gets none.

An address as host cannot be bound anew: probes and scrapes by IP, as in Kubernetes, need no setting.
"""

from ipaddress import ip_address

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

ANY = "*"


class KnownHosts:
    """ASGI middleware: 400 for requests that ask another name."""

    def __init__(self, app: ASGIApp, names: tuple[str, ...]) -> None:
        """Wrap *app*, which answers under *names*, loopback's and addresses; `*` lets every name pass."""
        self._app = app
        self._names = {"localhost", *map(str.lower, names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what asks a known name."""
        app = self._app if scope["type"] != "http" or self._knows(scope) else _refuse
        await app(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        return ANY in self._names or all(_name(host) in self._names or _is_address(_name(host)) for host in hosts)


def _name(host: str) -> str:
    """Return the name without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    message = "the app does not answer under this name: INTERLOCK_SERVING_ALLOWED_HOSTS names those under which it does"
    answer = JSONResponse({"status": "error", "error": "host", "message": message}, 400)
    await answer(scope, receive, send)
