"""
What each process tells its libraries before they are imported: tell nobody outside, and ask this machine directly.

A company's proxy is for what is elsewhere: the stack is never asked through it. onnxruntime, MLflow and
Prefect phone home unless the environment says no, and onnxruntime reads that when it is imported: so importing any of
our packages applies this, and the local stack hands it to its children.
"""

import os
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

SILENT = {
    "ORT_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}
LOOPBACK = ("localhost", "127.0.0.1", "::1")
DIRECT = ("no_proxy", "NO_PROXY")
"""Python reads the first if both are there, gRPC knows no other; other programs read the second."""


def environment(given: Mapping[str, str], urls: Iterable[str] = ()) -> dict[str, str]:
    """
    Return the variables that keep a process silent and direct, in addition to the *given* ones.

    Args:
        given: The environment as it is; hosts that a person chose to ask directly stay chosen.
        urls: Addresses of the stack; their hosts are asked directly too.
    """
    chosen = [host.strip() for name in DIRECT for host in given.get(name, "").split(",")]
    hosts = [urlsplit(url).hostname or "" for url in urls]
    everything = ["*"] if "*" in chosen else []  # with others beside it, some libraries take it for a name
    direct = ",".join(dict.fromkeys(everything or filter(None, [*chosen, *LOOPBACK, *hosts])))
    return SILENT | dict.fromkeys(DIRECT, direct)


def apply(urls: Iterable[str] = ()) -> None:
    """Keep this process, and what it starts, silent and direct."""
    os.environ.update(environment(os.environ, urls))
