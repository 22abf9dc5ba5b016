"""
Triton's model configuration, rendered from the decision: the same for the C++ `onnxruntime` backend and our stand-in.

`version_policy specific` names the versions that serve: without it Triton answers by the highest one on disk at once.
Source: Triton's model_configuration.md, and the checks of onnxruntime_backend (see docs/adr/0005).
"""

from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2 as pb

from interlock.model.manifest import MAX_BATCH, Manifest
from interlock.model.signature import Dtype, Output

TYPES = {
    Dtype.FLOAT32: pb.TYPE_FP32,
    Dtype.FLOAT64: pb.TYPE_FP64,
    Dtype.INT64: pb.TYPE_INT64,
    Dtype.BOOL: pb.TYPE_BOOL,
    Dtype.STRING: pb.TYPE_STRING,
}


def model_config(name: str, manifest: Manifest, versions: list[int]) -> pb.ModelConfig:
    """Return the whole configuration of a model folder that serves exactly *versions*."""
    signature = manifest.signature
    config = pb.ModelConfig(
        name=name,
        backend="onnxruntime",
        max_batch_size=MAX_BATCH,
        input=[
            pb.ModelInput(name=tensor.name, data_type=TYPES[tensor.dtype], dims=[len(tensor.columns)])
            for tensor in signature.inputs
        ],
        output=[_output(output) for output in signature.outputs],
        instance_group=[pb.ModelInstanceGroup(kind=pb.ModelInstanceGroup.KIND_CPU, count=1)],
        dynamic_batching=pb.ModelDynamicBatching(),
        version_policy=pb.ModelVersionPolicy(specific=pb.ModelVersionPolicy.Specific(versions=sorted(versions))),
    )
    config.parameters["intra_op_thread_count"].string_value = "1"
    return config


def as_text(config: pb.ModelConfig) -> str:
    """Return the content of config.pbtxt."""
    return str(text_format.MessageToString(config))


def as_json(config: pb.ModelConfig) -> str:
    """Return what a load request overrides the configuration with."""
    return str(json_format.MessageToJson(config, preserving_proto_field_name=True, indent=0))


def _output(output: Output) -> pb.ModelOutput:
    """Return an output; one of shape (n,) is given to clients as (n, 1)."""
    flat = pb.ModelTensorReshape(shape=[]) if output.width is None else None
    return pb.ModelOutput(name=output.name, data_type=TYPES[output.dtype], dims=[output.width or 1], reshape=flat)
