"""
Steps of the flows, each a retried Prefect task; one file per outside system.

    step            how every task here retries: only Unreachable, never cached
    preflight       what would stop a release after a training, asked before it
    feature_store   tables to train on
    training        learners
    adoption        models that somebody else trained
    tracking        MLflow's training runs
    registry        MLflow's registry
    serving         the serving app before a release
    release         the model repository and its engines
    reconcile       one pass over the models
    batch           rows of a table, answered part by part
    run             who asks: the flow run that is running
    runner          threads of this process, or a Dask cluster
    prediction_log  the table of answers
    announce        people: a message and a page in one call
    pages           artifacts in the Prefect UI
"""

import interlock  # noqa: F401 - it silences the libraries before they are imported
