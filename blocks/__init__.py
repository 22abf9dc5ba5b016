"""
Where things are and how to prove who we are: configuration, and `.connect()`, which returns an adapter.

    settings           where everything is, from the environment; imports no Prefect
    secret_file        a secret in a file of its owner's
    mlflow_registry    MLflow
    model_repository   the folder that engines read
    serving_api        the serving app, one or several replicas
    triton_server      Triton, one or several replicas
    feature_store      tables to train on and to predict
    prediction_log     the table of answers
    batch_folder       batches, and what computes them
    chat_webhook       where people are told
    engines            finds the block of an engine that a record names

`python -m blocks --server URL` creates the blocks of an environment on a Prefect server elsewhere.
"""

import delivery  # noqa: F401 - it silences the libraries before they are imported
