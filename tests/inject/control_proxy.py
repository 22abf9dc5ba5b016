"""A proxy of gRPC calls, whatever they are about: it numbers them and injects the faults of `proxy`."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import grpc
from inject.proxy import LONGEST_S, Calls

GARBAGE = b"\xff\xff\xff"
"""No protobuf message."""
NOTHING_DONE = {"refused": grpc.StatusCode.UNAVAILABLE, "error": grpc.StatusCode.INTERNAL}


class ControlProxy(Calls, grpc.GenericRpcHandler):
    """Passes on every unary call to *upstream*, `host:port`, as bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.upstream = ""
        self.address = ""

    def heal(self) -> None:
        self.forget()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(partial(self._answer, handler_call_details.method))

    def _answer(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        _, fault = self.number(method)
        if fault in NOTHING_DONE:
            context.abort(NOTHING_DONE[fault], fault)
        if fault == "garbage":
            return GARBAGE
        if fault == "late":
            _until_given_up(context)
        answer = self._passed(method, request, context)
        if fault == "slow":
            _until_given_up(context)
        if fault == "lost":
            context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")
        return answer

    def _passed(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        with grpc.insecure_channel(self.upstream) as channel:
            try:
                return channel.unary_unary(method)(request, metadata=context.invocation_metadata(), timeout=LONGEST_S)
            except grpc.RpcError as error:
                return context.abort(error.code(), error.details())


def _until_given_up(context: grpc.ServicerContext) -> None:
    gone = threading.Event()
    if context.add_callback(gone.set):
        gone.wait(LONGEST_S)


@contextmanager
def control_proxy() -> Iterator[ControlProxy]:
    made = ControlProxy()
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", 2**30)])
    server.add_generic_rpc_handlers((made,))
    made.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield made
    server.stop(None).wait()
