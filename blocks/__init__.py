"""
Where things are and how to prove who we are: configuration, and `.connect()`, which returns an adapter.

    named              load a block by its name, or say how it is made
    mlflow_registry    MLflow
    model_repository   the folder that engines read
    serving_api        the serving app, one or several replicas
    triton_server      Triton, one or several replicas
    feature_store      tables to train on and to predict
    prediction_log     the table of answers
    batch_folder       batches, and what computes them
    chat_webhook       where people are told
    environment        the blocks of one environment as one object
    automations        what Prefect's server does by itself when a run falls silent

`python -m blocks --server URL` creates the blocks of an environment on a Prefect server elsewhere.
"""

import interlock  # noqa: F401 - it silences the libraries before they are imported
