"""
A Triton in this process that carries what was measured of the real one (docs/adr/0005), on real sockets.

- a folder `13.failed_x` is version 13; any name that begins with a digit is
- without a policy the highest version serves at once; `specific` serves what it names and skips what is absent
- a failed load changes nothing that serves, but makes the server's readiness 400
- un-versioned requests go to the highest ready version
- a restart serves nothing but what `--load-model` names
"""

import json
import re
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import numpy as np
from google.protobuf import json_format, text_format
from onnxruntime import InferenceSession
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc
from tritonclient.utils import deserialize_bytes_tensor

from interlock.model.session import opened

DTYPES = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_, "BYTES": object}
HEADER = "triton-grpc-protocol-admin-key"


class LoadFailed(Exception):
    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):
    """What is loaded, by name and version."""

    def __init__(self, models: Path, key: str) -> None:
        self.models = models
        self.key = key
        self.loaded: dict[str, dict[int, InferenceSession]] = {}
        self.failed = False
        self.http = ""
        self.grpc = ""

    def restart(self, load_models: tuple[str, ...] = ()) -> None:
        self.loaded, self.failed = {}, False
        for name in load_models:
            try:
                self.load(name)
            except LoadFailed:
                self.failed = True

    def load(self, name: str, config: str | None = None, files: dict[str, bytes] | None = None) -> None:
        try:
            self.loaded[name] = self._from_files(config, files) if files else self._from_folder(name)
        except LoadFailed:
            self.failed = True
            raise

    def infer(self, name: str, version: int | None, body: dict) -> tuple[int, dict]:
        versions = self.loaded.get(name, {})
        chosen = max(versions, default=None) if version is None else version
        if chosen not in versions:
            return 400, {"error": f"Request for unknown model: '{name}' has no available versions"}
        session = versions[chosen]
        names = [node.name for node in session.get_outputs()]
        try:
            given = session.run(names, {tensor["name"]: _array(tensor) for tensor in body["inputs"]})
        except Exception as error:  # noqa: BLE001
            return 500, {"error": str(error)}
        outputs = [_output(name, array) for name, array in zip(names, given, strict=True)]
        return 200, {"model_name": name, "model_version": str(chosen), "outputs": outputs}

    def get(self, path: str) -> tuple[int, dict]:
        if path == "/v2/health/ready":
            return (400 if self.failed else 200), {}
        name, _, rest = path.removeprefix("/v2/models/").partition("/")
        versions = self.loaded.get(name, {})
        if match := re.fullmatch(r"versions/(\d+)/ready", rest):
            return (200 if int(match[1]) in versions else 400), {}
        if rest == "" and versions:
            return 200, {"name": name, "versions": [str(version) for version in sorted(versions)]}
        return 400, {"error": f"Request for unknown model: '{name}' is not found"}

    def RepositoryModelLoad(self, request, context):  # noqa: N802
        self._admit(context)
        parameters = dict(request.parameters)
        config = parameters.pop("config", None)
        files = {key: value.bytes_param for key, value in parameters.items()}
        try:
            self.load(request.model_name, config.string_param if config else None, files)
        except LoadFailed as error:
            context.abort(error.code, str(error))
        return service_pb2.RepositoryModelLoadResponse()

    def RepositoryIndex(self, request, context):  # noqa: N802
        self._admit(context)
        index = service_pb2.RepositoryIndexResponse
        listed = [
            (name, version) for name, versions in self.loaded.items() for version in versions if self._has_folder(name)
        ]
        return index(models=[index.ModelIndex(name=n, version=str(v), state="READY") for n, v in listed])

    def _has_folder(self, name: str) -> bool:
        return (self.models / name).exists()

    def RepositoryModelUnload(self, request, context):  # noqa: N802
        self._admit(context)
        self.loaded.pop(request.model_name, None)
        return service_pb2.RepositoryModelUnloadResponse()

    def _admit(self, context) -> None:
        if dict(context.invocation_metadata()).get(HEADER) != self.key:
            context.abort(grpc.StatusCode.UNAVAILABLE, f"This protocol is restricted, expecting header '{HEADER}'")

    def _from_files(self, config: str | None, files: dict[str, bytes]) -> dict[int, InferenceSession]:
        try:
            json_format.Parse(config or "", model_config_pb2.ModelConfig())
        except json_format.ParseError as error:
            raise LoadFailed(grpc.StatusCode.INTERNAL, "failed to load, invalid config") from error
        return {int(name.split(":")[1].split("/")[0]): self._open(content) for name, content in files.items()}

    def _from_folder(self, name: str) -> dict[int, InferenceSession]:
        folder = self.models / name
        try:
            config = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
        except (FileNotFoundError, text_format.ParseError) as error:
            raise LoadFailed(
                grpc.StatusCode.INTERNAL, f"failed to load '{name}', failed to poll from model repository"
            ) from error
        there = {int(re.match(r"\d+", p.name)[0]) for p in folder.iterdir() if p.is_dir() and p.name[0].isdigit()}
        wanted = (
            set(config.version_policy.specific.versions) & there if config.HasField("version_policy") else {max(there)}
        )
        if not wanted:
            raise LoadFailed(grpc.StatusCode.INVALID_ARGUMENT, f"at least one version must be available for '{name}'")
        return {version: self._read(folder / str(version) / "model.onnx") for version in wanted}

    def _read(self, path: Path) -> InferenceSession:
        try:
            return self._open(path.read_bytes())
        except FileNotFoundError as error:
            raise LoadFailed(grpc.StatusCode.INVALID_ARGUMENT, f"UNAVAILABLE: NoSuchFile {path}") from error

    def _open(self, content: bytes) -> InferenceSession:
        try:
            return opened(content)
        except Exception as error:
            raise LoadFailed(grpc.StatusCode.INVALID_ARGUMENT, f"UNAVAILABLE: {error}") from error


def _array(tensor: dict) -> np.ndarray:
    array = np.asarray(tensor["data"], dtype=DTYPES[tensor["datatype"]])
    return array.reshape([int(size) for size in tensor["shape"]])


def _with_binary(body: dict, rest: bytes) -> dict:
    for tensor in body["inputs"]:
        if size := tensor.get("parameters", {}).get("binary_data_size"):
            tensor["data"], rest = _unpacked(rest[:size], tensor["datatype"]), rest[size:]
    return body


def _unpacked(content: bytes, datatype: str) -> list:
    if datatype != "BYTES":
        return np.frombuffer(content, dtype=DTYPES[datatype]).tolist()
    return [text.decode() for text in deserialize_bytes_tensor(content)]


def _output(name: str, array: np.ndarray) -> dict:
    datatype = next(known for known, dtype in DTYPES.items() if array.dtype == dtype)
    shape = [len(array), 1] if array.ndim == 1 else list(array.shape)
    return {"name": name, "datatype": datatype, "shape": shape, "data": array.ravel().tolist()}


def _web(handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None) -> ThreadingHTTPServer:
    web = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    web.daemon_threads = True
    if tls:
        web.socket = tls.wrap_socket(web.socket, server_side=True)
    return web


@contextmanager
def fake_triton(models: Path, key: str, *, base: str = "", tls: ssl.SSLContext | None = None) -> Iterator[FakeTriton]:
    """Run it; *base* is the path below which a proxy in front of it would show it, and *tls* how."""
    triton = FakeTriton(models, key)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            assert self.path.startswith(base)
            self._send(*triton.get(self.path.removeprefix(base)))

        def do_POST(self) -> None:
            assert self.path.startswith(base)
            content = self.rfile.read(int(self.headers["content-length"]))
            head = int(self.headers.get("inference-header-content-length", len(content)))
            body = _with_binary(json.loads(content[:head]), content[head:])
            match = re.fullmatch(r"/v2/models/([^/]+)(?:/versions/(\d+))?/infer", self.path.removeprefix(base))
            self._send(*triton.infer(match[1], int(match[2]) if match[2] else None, body))

        def _send(self, status: int, answer: dict) -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    web = _web(Handler, tls)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    control = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", 2**30)])
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(triton, control)
    triton.grpc = f"127.0.0.1:{control.add_insecure_port('127.0.0.1:0')}"
    triton.http = f"{'https' if tls else 'http'}://127.0.0.1:{web.server_port}{base}"
    control.start()
    yield triton
    control.stop(None).wait()
    web.shutdown()
    web.server_close()
