"""
The prediction API. Follows the decision; runs without Prefect and without MLflow.

    auth            the tokens
    version_files   the files of a version, checked
    memory          whether there is room for a version and for a request
    job             a thread with a deadline
    loading         one version at a time is loaded beside those that answer
    model           one version that answers: its manifest, its golden self-test
    in_process      computed here, by onnxruntime
    in_triton       computed by Triton, pinned to the version
    variants        what is live, warm and staged for each alias; swapped as one immutable value
    follower        reads current.json every 200 ms and on reload
    body            what clients may send
    prediction      what they get
    answers         the answers as OpenAPI shows them
    problem         error responses: one JSON shape; the input is never echoed
    prediction_log  every answer, in a table of a database
    routes          predict, info, control
    app             puts these together
    listeners       where it listens: for everybody, and for control and probes
    door            how many are connected, and who makes room
    connection      one client's connection, and how long it may keep the server waiting
    hosts           whose pages may ask: none of somebody else's
    supervised      tasks that run for as long as the app does; none ends in silence
    metrics         what is counted
    descriptors     how many clients the limit of open files allows
    seldom          logs what clients can cause as often as they like
"""
