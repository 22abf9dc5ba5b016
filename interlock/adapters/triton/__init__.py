"""
Triton as a release sees it.

    config   config.pbtxt, rendered from the decision
    control  load and unload, by gRPC
    infer    rows -> answers, by HTTP
    engine   its replicas
"""
