"""
From a learner to a proven ONNX, without I/O. The learners themselves are in `learners/`.

    columns        what a column of a table holds: number, flag or text
    target         the task that a target asks for, and its values
    dataset        labelled rows, from tables as people have them
    metrics        what is measured for each task, and the gate's defaults
    learner        the protocol of a learner, with its defaults
    table          the protocol of a learner whose rows come from a feature store
    convert        a fitted model -> ONNX
    converters     those beyond scikit-learn's own
    graph          changes at the ends of an ONNX graph
    refusals       why a model cannot be converted, and what can be done instead
    parity         whether the ONNX says what the fitted model says
    edges          rows at the edges of the data, on which both must say the same
    catboost_onnx  CatBoost -> one node of that ONNX
    proof          a fitted model -> an ONNX that is proven, and its golden rows
    train          split, fit, prove, measure
    original       what a model that somebody else logged says of itself
    adopting       ONNX, signature and golden rows of it, by a child process
    foreign        that child
    foreign_onnx   an ONNX that somebody else made
    catalogue      find a learner by the name of its file, in the package that it is told
"""
