"""
The prediction API. Follows the decision; runs without Prefect and without MLflow.

    model           one version that answers: its manifest, its golden self-test
    in_process      computed here, by onnxruntime
    in_triton       computed by Triton, pinned to the version
    variants        what is live, warm and staged for each alias; swapped as one immutable value
    follower        reads current.json every 200 ms and on reload
    body            what clients may send
    prediction      what they get; answers describes it for OpenAPI
    problem         what they get when they send something else
    prediction_log  every answer, in a table of a database
    routes          predict, info, control
    app             puts these together
    listeners       where it listens: for everybody, and for control and probes
    door            how many are connected, and who makes room
    connection      one client's connection, and how long it may keep the server waiting
    descriptors     how many clients the limit of open files allows
    seldom          logs what clients can cause as often as they like
"""

import delivery  # noqa: F401 - it silences the libraries before they are imported
