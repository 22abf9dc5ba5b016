"""
Steps of the flows, each a retried Prefect task; one file per outside system.

    step        how every task here retries: only Unreachable, never cached
    inputs      what a flow refuses before its first side effect
    training    learners
    tracking    MLflow's training runs
    registry    MLflow's registry
    release     the model repository and its engines
    news        people: chat messages and the release's page in the Prefect UI
"""
