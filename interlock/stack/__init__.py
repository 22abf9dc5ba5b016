"""
Everything on one machine.

    errors       what keeps the stack from coming up
    processes    what runs: Prefect server, MLflow server, serving app, worker, reconcile loop, Triton
    access       which of them may know what
    supervisor   keeps them alive
    ports        who holds a port
    prefect_api  what the stack's Prefect server asks for, and a small client that has it
    provision    blocks and deployments, on that server and no other
    triton       the wheel's tritonserver
    up           bring it up, ready to use
"""
