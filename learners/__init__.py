"""
What is trained: pure scikit-learn, no I/O. One file adds a model of your own: see `iris.py` and `learner.py`.

    learner      the protocol, with its defaults
    training     split, fit, measure
    conversion   scikit-learn -> ONNX, and whether both say the same
    catalogue    find a learner by the name of its file
"""
