"""Block: where MLflow is, and how to prove who we are."""

from typing import ClassVar

from pydantic import Field, HttpUrl, SecretStr

from blocks.named import NamedBlock
from interlock.adapters.mlflow import experiment as mlflow_experiment
from interlock.adapters.mlflow import originals as mlflow_originals
from interlock.adapters.mlflow import registry as mlflow_registry
from interlock.adapters.mlflow import tracking as mlflow_tracking


class MlflowRegistry(NamedBlock):
    """
    An MLflow tracking server with its model registry.

    Example:
        ```python
        from blocks.mlflow_registry import MlflowRegistry

        registry = MlflowRegistry.load("BLOCK_NAME").connect()
        ```
    """

    _block_type_name: ClassVar[str | None] = "MLflow Registry"
    _block_type_slug: ClassVar[str | None] = "mlflow-registry"
    _documentation_url = HttpUrl("https://mlflow.org/docs/latest/ml/model-registry/")

    url: str = Field(description="Base URL of the tracking server, without /api.", pattern=r"^https?://")
    experiment: str = Field(
        default=mlflow_experiment.DEFAULT, description="Experiment below which training runs are logged."
    )
    timeout_s: float = Field(
        default=5.0, gt=0, description="Seconds that a call may take; a transfer has more, by its size."
    )
    username: str | None = Field(default=None, description="User, if the server asks for one.")
    password: SecretStr | None = Field(default=None, description="That user's password.")

    def connect(self) -> mlflow_registry.MlflowRegistry:
        """Return a client of the registry. Nothing is opened before its first call."""
        return mlflow_registry.MlflowRegistry(self.url, timeout_s=self.timeout_s, auth=self._auth())

    def originals(self) -> mlflow_originals.MlflowOriginals:
        """Return a client that finds models which others logged. Nothing is opened before its first call."""
        return mlflow_originals.MlflowOriginals(self.url, timeout_s=self.timeout_s, auth=self._auth())

    def trainings(self) -> mlflow_experiment.MlflowExperiment:
        """Return the experiment that trainings are logged to. Nothing is opened before its first call."""
        return mlflow_experiment.MlflowExperiment(
            self.url, self.experiment, timeout_s=self.timeout_s, auth=self._auth()
        )

    def tracking(self) -> mlflow_tracking.MlflowTracking:
        """Return a client that logs training runs."""
        return mlflow_tracking.MlflowTracking(self.url, self.experiment, self._auth(), timeout_s=self.timeout_s)

    def _auth(self) -> tuple[str, str] | None:
        return (self.username, self.password.get_secret_value()) if self.username and self.password else None
