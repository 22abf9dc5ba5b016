"""
What is trained: pure scikit-learn and CatBoost, no I/O. One file adds a model: see `iris.py` and `learner.py`.

    learner        the protocol, with its defaults
    table          the protocol of a learner whose rows come from a feature store
    training       split, fit, measure
    conversion     scikit-learn -> ONNX, and whether both say the same
    catboost_onnx  CatBoost -> one node of that ONNX
    catalogue      find a learner by the name of its file
"""

import delivery  # noqa: F401 - it silences the libraries before they are imported
