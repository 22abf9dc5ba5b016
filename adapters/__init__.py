"""
Plain clients without Prefect that implement delivery's protocols.

    http              one way to call, one way to tell Unreachable from Refused from Broken
    serving_api       replicas of the serving app
    serving_start     whether somebody answers there, and the command that starts it
    mlflow_registry   versions, aliases and artifacts, by MLflow's REST API
    mlflow_tracking   training runs, by MLflow's client (its import costs seconds: only training pays)
    chat              messages to people
"""
