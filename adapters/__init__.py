"""
Plain clients without Prefect that implement delivery's protocols, and what flows read and write.

    deadline           a total deadline for any call
    http               one way to call, one way to tell Unreachable from Refused from Garbled
    serving_api        replicas of the serving app
    serving_start      whether somebody answers there, and the command that starts it
    triton             replicas of Triton
    triton_control     Triton's load and unload, by gRPC
    triton_config      config.pbtxt, rendered from the decision
    mlflow_registry    versions, aliases and artifacts, by MLflow's REST API
    mlflow_experiment  whether trainings can be logged, asked before one is made
    mlflow_api         what both have in common
    mlflow_tracking    training runs, by the same API
    mlflow_flavour     the scikit-learn model of a run, by MLflow's own client in a process of its own
    confusion          the confusion matrix as a picture
    chat               messages to people

    database           connections by SQLAlchemy URL
    feature_store      tables to train from and to predict
    prediction_log     what is too old in it is deleted
    rows_file          rows to predict, in Parquet
    batch_folder       a batch in the making
    answers_file       a batch's answers in Parquet
    answer_table       a batch's answers in a table
"""

import delivery  # noqa: F401 - it silences the libraries before they are imported
