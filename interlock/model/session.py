"""The one place that opens an ONNX file: one thread that does not spin, on the processor, without files beside it."""

import onnxruntime

NO_FOLDER = "/dev/null"
"""Where external data would be looked for: nothing can be below it, so that a model is its bytes and nothing else."""


class NotOpened(Exception):
    """onnxruntime does not open these bytes; the message is its own."""


def opened(onnx: bytes, *, shared_memory: bool = False) -> onnxruntime.InferenceSession:
    """
    Load the bytes.

    Args:
        onnx: A whole ONNX file.
        shared_memory: Take memory from the allocator of the process, which bounds what all sessions keep.

    Raises:
        NotOpened: They cannot be loaded.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.use_env_allocators", "1" if shared_memory else "0")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", NO_FOLDER)
    try:
        return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises eleven classes without a common base
        raise NotOpened(str(error)) from error
