"""
What a model is.

    signature  what it takes and gives: columns, tensors, classes or targets; and what changed since another one
    manifest   its passport: the signature, and the answers that prove that it still gives them
    cells      the cells of one column, checked against what it takes
    rows       rows as clients and tables have them -> the tensors that a model takes
    named      answers in the words of the people who ask
    answers    labels, and probabilities, scores or values, without the rounding of float32
    golden     real inferences compared with the golden answers
    session    the one place that opens an ONNX
    memory     how much memory this machine has left
    confined   what runs inside the child process of a trial
    trial      a candidate alone in that child process, before any engine sees its bytes
"""
