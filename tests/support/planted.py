"""Secrets that are in the shell which starts the stack of the system tests, and which parts need them."""

PLANTED = {
    "INTERLOCK_MLFLOW_PASSWORD": ("planted-of-the-loop", {"reconcile"}),
    "INTERLOCK_SERVING_LOG_HASH_KEY": ("planted-of-the-app-0123456789abcdef", {"serving"}),
    "MLFLOW_FLASK_SERVER_SECRET_KEY": ("planted-of-mlflow", {"mlflow"}),
    "AWS_SECRET_ACCESS_KEY": ("planted-of-artifacts", {"mlflow", "worker"}),
    "SOMEBODYS_TOKEN": ("planted-of-somebody", {"worker"}),
}
