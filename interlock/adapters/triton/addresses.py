"""What is known of a Triton without its client: how an enrolment writes its addresses, and the headers of its key."""

from collections.abc import Iterable, Sequence

PLAIN = "grpc://"
TLS = "grpcs://"
KEY_HEADER = "x-admin-key"
GRPC_KEY_HEADER = "triton-grpc-protocol-admin-key"


def addresses(servers: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """
    Return how an enrolment writes *servers*, pairs of HTTP base URL and gRPC address.

    A gRPC address is `host:port`, or `grpcs://host:port` where it speaks TLS.
    """
    return tuple(url for http, grpc in servers for url in (http, grpc if grpc.startswith(TLS) else f"{PLAIN}{grpc}"))


def servers(urls: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs that an enrolment's *urls* name."""
    return [(http, grpc.removeprefix(PLAIN)) for http, grpc in zip(urls[::2], urls[1::2], strict=True)]
