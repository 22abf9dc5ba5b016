"""
Where the app listens.

    public     everybody; predictions
    control    what releases, probes and metrics ask, on a port of its own: clients cannot take its connections

Both serve the same routes, so an engine that was enrolled with the public address goes on working.
"""

import socket

import uvicorn
from fastapi import FastAPI

from interlock.serving.connection import SECONDS, Connection, Phase
from interlock.serving.descriptors import connections
from interlock.serving.door import Door
from interlock.settings import ServingSettings

CONTROL_CONNECTIONS = 64
BACKLOG = 128
"""Connections of one listener that the kernel holds: a burst of them all takes descriptors before one is closed."""
STOP_S = 10


def listening(app: FastAPI, settings: ServingSettings) -> tuple[uvicorn.Server, list[socket.socket]]:
    """
    Return the server and its sockets: `server.run(sockets)` serves *app* until it is stopped.

    Raises:
        OSError: A port is taken.
        ValueError: The limit of open files leaves no room for clients.
    """
    limit = connections(settings.limit_concurrency, CONTROL_CONNECTIONS + 2 * BACKLOG)
    sockets = [_bound(settings.host, settings.port)]
    doors = {_port(sockets[0]): Door("public", limit)}
    if settings.control_port:
        sockets.append(_bound(settings.host, settings.control_port))
        doors[_port(sockets[1])] = Door("control", CONTROL_CONNECTIONS)
    config = uvicorn.Config(
        app,
        http=type("Connection", (Connection,), {"doors": doors}),
        ws="none",
        backlog=BACKLOG,
        timeout_keep_alive=int(SECONDS[Phase.IDLE]),
        timeout_graceful_shutdown=STOP_S,
        access_log=False,
        log_level="error",  # its warnings are what clients send; connection.py tells of them, seldom
    )
    return uvicorn.Server(config), sockets


def _bound(host: str, port: int) -> socket.socket:
    """Bind only: connections are refused until the app has followed the decision."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"{host}:{port}: {error.strerror}") from error
    return bound


def _port(bound: socket.socket) -> int:
    return int(bound.getsockname()[1])
