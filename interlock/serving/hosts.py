"""
Whose pages may ask: none of somebody else's.

    a page whose name was bound anew to this machine (DNS rebinding)     asks another name: 400
    a page of another origin that posts text, which needs no preflight   says so in `Origin`: 403

An address as host cannot be bound anew: probes and scrapes by IP, as in Kubernetes, need no setting.
"""

from ipaddress import ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from interlock.serving.problem import answer

ANY = "*"
SAFE = ("GET", "HEAD", "OPTIONS")
NAMES = "INTERLOCK_SERVING_ALLOWED_HOSTS"
OTHER_NAME = answer(400, "host", f"the app does not answer under this name: {NAMES} names those under which it does")
FOREIGN_PAGE = answer(403, "foreign_page", f"a page of another origin may not ask this: {NAMES} names those that may")


class KnownHosts:
    """ASGI middleware: 400 for requests that ask another name, 403 for what foreign pages post."""

    def __init__(self, app: ASGIApp, names: tuple[str, ...]) -> None:
        """Wrap *app*, which answers under *names*, loopback's and addresses; `*` lets every name pass."""
        self._app = app
        self._names = {"localhost", *map(str.lower, names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what asks a known name and comes from no foreign page."""
        app = self._app if scope["type"] != "http" or ANY in self._names else self._judged(scope)
        await app(scope, receive, send)

    def _judged(self, scope: Scope) -> ASGIApp:
        hosts, origins = _all(scope, b"host"), _all(scope, b"origin")
        if not all(_name(host) in self._names or _is_address(_name(host)) for host in hosts):
            return OTHER_NAME
        ours = scope["method"] in SAFE or all(self._is_ours(origin, hosts) for origin in origins)
        return self._app if ours else FOREIGN_PAGE

    def _is_ours(self, origin: str, hosts: list[str]) -> bool:
        """Whether a page is the app's own, or of a name that somebody allowed; loopback has many people's pages."""
        netloc = origin.partition("://")[2]
        return netloc in hosts or (_name(netloc) in self._names - {"localhost"} and not _is_address(_name(netloc)))


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


def _all(scope: Scope, header: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == header]
