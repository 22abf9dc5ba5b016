"""
Triton as a release sees it.

    addresses  how an enrolment writes them; known without the client, which is the extra `triton`
    config     config.pbtxt, rendered from the decision
    control    load and unload, by gRPC
    infer      rows -> answers, by HTTP
    engine     its replicas
"""
