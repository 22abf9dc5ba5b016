"""Who holds a port, so that nobody has to guess."""

import socket

import psutil

from blocks.settings import Settings
from stack.errors import StackError
from stack.parts import Part


def check_free(settings: Settings, parts: list[Part]) -> None:
    """
    Refuse to start on taken ports.

    Raises:
        StackError: One is taken; the message says by what, and which variable chooses another.
    """
    for part in parts:
        for listener in part.ports:
            port = settings.port(listener)
            if not _is_free(settings.host, port):
                msg = (
                    f"port {port} of {part.name} is taken by {_holder(port)}; stop that, or choose another by "
                    f"INTERLOCK_{listener.upper()}_PORT"
                )
                raise StackError(msg)


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return "another user's process"
    for connection in connections:
        if (
            connection.laddr
            and connection.laddr[1] == port
            and connection.status == psutil.CONN_LISTEN
            and connection.pid
        ):
            return f"process {connection.pid} ({' '.join(psutil.Process(connection.pid).cmdline())[:120]})"
    return "a process that cannot be seen from here"
