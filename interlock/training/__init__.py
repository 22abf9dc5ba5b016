"""
From a learner to a proven ONNX: scikit-learn and CatBoost, no I/O. The learners themselves are in `learners/`.

    learner        the protocol of a learner, with its defaults
    table          the protocol of a learner whose rows come from a feature store
    convert        scikit-learn -> ONNX, and whether both say the same (parity)
    edges          rows at the edges of the data, on which both must say the same
    catboost_onnx  CatBoost -> one node of that ONNX
    train          split, fit, measure
    catalogue      find a learner by the name of its file, in the package that it is told
"""
