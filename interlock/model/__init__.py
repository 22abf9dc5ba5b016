"""
What a model is.

    manifest  its passport: what it takes, what it gives, the answers that prove that it still does
    rows      rows as clients and tables have them -> the tensor that a model takes
    answers   labels and probabilities, without the rounding of float32
    golden    real inferences compared with the golden answers
    session   the one place that opens an ONNX
    memory    how much memory this machine has left
    confined  what runs inside the child process of a trial
    trial     a candidate alone in that child process, before any engine sees its bytes
"""
