"""
Stand-in for Triton's C++ `onnxruntime` backend on CPU; runs inside the wheel's tritonserver as a python backend.

A config.pbtxt that works here works on the C++ backend of the NGC image: the checks at load mirror its sources.

Tensors cross by DLPack: the 2.51 stub misreads numpy 2 arrays (`Tensor.as_numpy()` repeats the first element,
`Tensor(name, array)` sends zero bytes). DLPack has no strings: those of inputs are read from where the stub's array
points to, and string outputs are refused at load.
"""

import ctypes
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import triton_python_backend_utils as pb

DTYPES = {
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(int64)": "TYPE_INT64",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int8)": "TYPE_INT8",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(bool)": "TYPE_BOOL",
    "tensor(string)": "TYPE_STRING",
}
"""onnxruntime's type -> the configuration's."""
STRING = "TYPE_STRING"

Entry = dict[str, Any]
Tensors = dict[str, np.ndarray[Any, Any]]


def lend(array: np.ndarray[Any, Any]) -> Any:
    """
    Return a DLPack capsule of *array* that Triton may keep.

    Triton renames a capsule that it took to "used_dlpack", not "used_dltensor", so numpy's destructor would print a
    traceback for every tensor. Triton calls the tensor's own deleter, so no destructor is needed.
    """
    capsule = array.__dlpack__()
    ctypes.pythonapi.PyCapsule_SetDestructor(ctypes.py_object(capsule), None)
    return capsule


class Unread:
    """What the stub's own conversion of strings gives: nothing, in any shape; `Strings` reads them instead."""

    def reshape(self, _dims: Any) -> "Unread":
        """Stay as it is."""
        return self


pb.deserialize_bytes_tensor = lambda _encoded: Unread()


class Strings:
    """
    Reads strings where the stub keeps them: each is its length, 4 bytes little-endian, and its bytes.

    The stub's object does not give their address, so its place in the object is looked for once, in a tensor whose
    address and size are known. Holds for the one wheel that this stand-in is written for.
    """

    WORDS = 64
    SIZE = 12_347
    """Bytes of the known tensor: a number that stands nowhere else in the object."""

    def __init__(self) -> None:
        """Find where address and size are."""
        known = np.zeros(self.SIZE, dtype=np.uint8)
        tensor = pb.Tensor.from_dlpack("known", lend(known))
        words = self._words(tensor)
        self._address, self._size = words.index(known.ctypes.data), words.index(self.SIZE)

    def of(self, tensor: Any) -> np.ndarray[Any, Any]:
        """Return the strings of a tensor, in its shape."""
        words = self._words(tensor)
        content, found, place = ctypes.string_at(words[self._address], words[self._size]), [], 0
        while place < len(content):
            length = int.from_bytes(content[place : place + 4], "little")
            found.append(content[place + 4 : place + 4 + length].decode())
            place += 4 + length
        array = np.empty(len(found), dtype=object)
        array[:] = found
        return array.reshape(tensor.shape())

    def _words(self, tensor: Any) -> list[int]:
        """Return the beginning of the C++ object behind *tensor*: pybind11 keeps its address after Python's header."""
        address = ctypes.c_uint64.from_address(id(tensor) + object.__basicsize__).value
        return list((ctypes.c_uint64 * self.WORDS).from_address(address))


def open_session(config: Entry, folder: str) -> ort.InferenceSession:
    """Open the model file as the configuration says."""
    parameters = config.get("parameters") or {}
    options = ort.SessionOptions()
    threads = parameters.get("intra_op_thread_count", {}).get("string_value", 0)
    options.intra_op_num_threads = int(threads or 0)
    path = Path(folder) / (config.get("default_model_filename") or "model.onnx")
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def dims_of(node: Any) -> list[int]:
    """Return the tensor's ONNX shape; -1 where a dimension is symbolic or unknown."""
    return [dim if isinstance(dim, int) else -1 for dim in node.shape]


class Check:
    """Whether the configuration's tensors are the graph's, as the C++ backend checks."""

    def __init__(self, model: str, *, batched: bool) -> None:
        """Take what the messages and the shapes need."""
        self.model = model
        self.batched = batched

    def tensor(self, entry: Entry, nodes: dict[str, Any], *, exact: bool) -> None:
        """Refuse an entry that the graph does not have, or has otherwise; outputs are compared exactly."""
        node = nodes.get(entry["name"])
        if node is None:
            self.refuse(f"unexpected tensor '{entry['name']}', the ONNX graph has {sorted(nodes)}")
        elif DTYPES.get(node.type) != entry["data_type"]:
            self.refuse(f"'{node.name}' is configured as {entry['data_type']}, the model provides {node.type}")
        else:
            self.shape(entry, node, exact=exact)

    def shape(self, entry: Entry, node: Any, *, exact: bool) -> None:
        """Refuse another shape than the graph's; `reshape` counts instead of `dims`."""
        dims = entry["reshape"].get("shape") or [] if "reshape" in entry else entry["dims"]
        want, shape = [int(dim) for dim in dims], dims_of(node)
        if self.batched and shape[:1] != [-1]:
            self.refuse(f"'{node.name}': to batch, the first ONNX dimension must be variable; it is {shape}")
        want = [-1, *want] if self.batched else want
        fits = len(want) == len(shape) and all(
            s == w or (s == -1 and not exact) for s, w in zip(shape, want, strict=True)
        )
        if not fits:
            self.refuse(f"'{node.name}': the model has {shape}, the configuration {want}")

    def refuse(self, why: str) -> None:
        """Refuse the load."""
        msg = f"unable to load model '{self.model}': {why}"
        raise pb.TritonModelException(msg)


class TritonPythonModel:
    """One loaded version, as Triton's python backend drives it."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the session and check the configuration against the graph."""
        config = json.loads(args["model_config"])
        self.batched = config["max_batch_size"] > 0
        self.session = open_session(config, f"{args['model_repository']}/{args['model_version']}")
        inputs = {node.name: node for node in self.session.get_inputs()}
        outputs = {node.name: node for node in self.session.get_outputs()}
        check = Check(config["name"], batched=self.batched)
        if len(inputs) != len(config["input"]):
            check.refuse(f"{len(config['input'])} inputs are configured, the model has {len(inputs)}")
        for entry in config["input"]:
            check.tensor(entry, inputs, exact=False)
        for entry in config["output"]:
            if entry["data_type"] == STRING:
                check.refuse(f"'{entry['name']}' is a string, which this stand-in cannot give")
            check.tensor(entry, outputs, exact=True)
        self.inputs = {entry["name"]: entry["data_type"] for entry in config["input"]}
        self.strings = Strings() if STRING in self.inputs.values() else None
        self.outputs = [entry["name"] for entry in config["output"]]

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer a batch; one bad request does not fail its neighbours."""
        if len(requests) > 1 and self.batched:
            try:
                return self._together(requests)
            except Exception:  # noqa: BLE001, S110 - onnxruntime raises many classes; each request is then run alone
                pass
        responses = [self._alone(request) for request in requests]
        if all(response.has_error() for response in responses):  # only a raised error counts in Triton's metrics
            raise pb.TritonModelException(responses[0].error().message())
        return responses

    def _feeds(self, request: Any) -> Tensors:
        tensors = {name: pb.get_input_tensor_by_name(request, name) for name in self.inputs}
        return {
            name: self.strings.of(tensor) if self.strings and self.inputs[name] == STRING else np.from_dlpack(tensor)
            for name, tensor in tensors.items()
        }

    def _run(self, names: list[str], feeds: Tensors) -> Tensors:
        return dict(zip(names, self.session.run(names, feeds), strict=True))

    def _respond(self, results: Tensors) -> Any:
        return pb.InferenceResponse([pb.Tensor.from_dlpack(name, lend(value)) for name, value in results.items()])

    def _alone(self, request: Any) -> Any:
        try:
            return self._respond(self._run(list(request.requested_output_names()), self._feeds(request)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is told
            return pb.InferenceResponse([], pb.TritonError(str(error)))

    def _together(self, requests: list[Any]) -> list[Any]:
        parts = [self._feeds(request) for request in requests]
        sizes = [len(next(iter(part.values()))) for part in parts]
        names = [name for name in self.outputs if any(name in r.requested_output_names() for r in requests)]
        merged = self._run(names, {key: np.concatenate([part[key] for part in parts]) for key in parts[0]})
        edges = np.cumsum([0, *sizes])
        if any(len(value) != edges[-1] for value in merged.values()):
            msg = "an output does not keep the batch dimension"
            raise ValueError(msg)
        return [
            self._respond({key: value[a:b] for key, value in merged.items() if key in r.requested_output_names()})
            for r, a, b in zip(requests, edges, edges[1:], strict=False)
        ]
