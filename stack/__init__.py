"""
Everything on one machine, and the operator's verbs that need no Prefect.

    cli          the `interlock` command
    parts        what runs: Prefect server, MLflow server, serving app, worker, reconcile loop
    access       which part may know what
    processes    supervisor keeps them alive
    triton_server      becomes the wheel's tritonserver; triton_onnxruntime is its backend
    ports        who holds a port
    prefect_api  what the stack's Prefect server asks for, and a small client that has it
    provision    blocks and deployments, on that server and no other
    up           bring it up, ready to use
    shell        the lines that `interlock up` prints
    status       what runs and what is live
    place        store, registry and engines of an environment, without Prefect
    loop         reconcile, once or for ever
    story        what every demo does: run deployments, check how they ended
    demo_triton  releases to a real Triton, good ones and bad ones
    demo         the main job, told to a new user
    demo_credit  continuous deployment of a credit score
    load         a steady stream of requests, every answer checked
"""

import delivery  # noqa: F401 - it silences the libraries before they are imported
