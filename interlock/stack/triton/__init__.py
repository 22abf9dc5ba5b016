"""
The tritonserver of the nvidia-pytriton wheel, for development on loopback.

    left                 what a tritonserver that was killed left in shared memory
    server               becomes the tritonserver
    onnxruntime_backend  the backend that the wheel lacks; a file that tritonserver loads
"""
