"""
Settings of one environment, `dev` or `prod`, from the environment variables `INTERLOCK_<NAME>`.

Two environments run side by side: each has its own folder, ports, token, work pool and block names.
"""

import os
import re
import shlex
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode, SettingsConfigDict

from interlock.names import Alias, ModelName
from interlock.secret_file import secret_in
from interlock.settings.base import Known

Listener = Literal["prefect", "mlflow", "serving", "serving_control", "triton", "triton_grpc", "triton_metrics"]
PORTS: dict[Listener, int] = {
    "prefect": 4200,
    "mlflow": 5000,
    "serving": 8080,
    "serving_control": 8081,
    "triton": 8000,
    "triton_grpc": 8001,
    "triton_metrics": 8002,
}
OFFSET = {"dev": 0, "prod": 100}
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
HOMES = {"dev": ".interlock", "prod": ".interlock-prod"}


def _split(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _words(value: object) -> object:
    return shlex.split(value) if isinstance(value, str) else value


def _unbracketed(value: object) -> object:
    return value.removeprefix("[").removesuffix("]") if isinstance(value, str) else value


def _host(value: str) -> str:
    if not NAME.fullmatch(value):
        try:
            ip_address(value)
        except ValueError as error:
            msg = "a name or an address, without scheme and port"
            raise ValueError(msg) from error
    return value


def _url(value: str) -> str:
    msg = "an address such as http://host:port"  # without the value, which may hold a password
    try:
        parts = urlsplit(value)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError as error:
        raise ValueError(msg) from error
    if not is_one:
        raise ValueError(msg)
    return value


Url = Annotated[str, AfterValidator(_url)]


class Settings(Known):
    """Where the parts of one environment are."""

    model_config = SettingsConfigDict(env_prefix="INTERLOCK_", frozen=True, env_ignore_empty=True)

    environment: Literal["dev", "prod"] = Field(
        default="dev", description="which environment: names blocks, pool, deployments"
    )
    home_folder: Path | None = Field(
        default=None, description="the local stack's folder; .interlock or .interlock-prod"
    )
    host: Annotated[str, BeforeValidator(_unbracketed), AfterValidator(_host)] = Field(
        default="127.0.0.1", description="address that the local stack listens on"
    )
    prefect_port: int | None = Field(default=None, ge=1, le=65535, description="Prefect server; 4200, prod 4300")
    mlflow_port: int | None = Field(default=None, ge=1, le=65535, description="MLflow server; 5000, prod 5100")
    serving_port: int | None = Field(default=None, ge=1, le=65535, description="serving app; 8080, prod 8180")
    serving_control_port: int | None = Field(
        default=None, ge=1, le=65535, description="serving app, for releases and probes; 8081, prod 8181"
    )
    triton_port: int | None = Field(default=None, ge=1, le=65535, description="Triton's HTTP; 8000, prod 8100")
    triton_grpc_port: int | None = Field(default=None, ge=1, le=65535, description="Triton's gRPC; 8001, prod 8101")
    triton_metrics_port: int | None = Field(
        default=None, ge=1, le=65535, description="Triton's metrics; 8002, prod 8102"
    )
    serving_engine: Literal["onnxruntime", "triton"] = Field(
        default="onnxruntime", description="what computes the serving app's answers"
    )
    serving_model: ModelName = Field(default="best_model", description="the model that the serving app follows")
    serving_alias: Alias = Field(default="A", description="the alias behind the serving app's routes that name none")
    mlflow_url: Url | None = Field(default=None, description="an MLflow server elsewhere")
    mlflow_username: str | None = Field(
        default=None, description="username for an MLflow server with basic authentication"
    )
    mlflow_password: SecretStr | None = Field(
        default=None, description="password for an MLflow server with basic authentication"
    )
    serving_urls: Annotated[tuple[Url, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(), description="replicas of the serving app elsewhere, comma separated"
    )
    serving_start_command: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
        default=(),
        description="program and arguments, quoted as for a shell but run without one, by which continuous_deployment "
        "starts a serving app that is down; the local stack's own",
    )
    serving_token_file: Path | None = Field(default=None, description="file with the x-token; <home>/serving-token")
    repository: Path | None = Field(default=None, description="root of the model repository; <home>/repository")
    chat_url: SecretStr | None = Field(
        default=None, description='webhook that takes {"text": ...}; none: messages are logged'
    )
    serving_log_url: SecretStr | None = Field(
        default=None, description="SQLAlchemy URL of the prediction log; <home>/prediction-log/predictions.db"
    )
    feature_store_url: SecretStr | None = Field(
        default=None, description="SQLAlchemy URL of the tables to train on and to predict; <home>/features.db"
    )
    prefect_auth_string: SecretStr | None = Field(
        default=None,
        validation_alias="PREFECT_SERVER_API_AUTH_STRING",
        description="Prefect's own: user:password of the local stack's Prefect server; <home>/prefect-auth",
    )
    batch_folder: Path | None = Field(default=None, description="folder of batches; <home>/batches")
    batch_runner: str = Field(
        default="threads", description="what computes batches: threads, dask, or the address of a Dask scheduler"
    )

    @property
    def home(self) -> Path:
        """The folder of the local stack."""
        return (self.home_folder or Path(HOMES[self.environment])).absolute()

    def port(self, part: Listener) -> int:
        """Return the port of a part of the local stack."""
        chosen: int | None = getattr(self, f"{part}_port")
        return chosen or PORTS[part] + OFFSET[self.environment]

    def local_address(self, part: Listener) -> str:
        """Return host and port on which a part of the local stack listens."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port(part)}"

    def local_url(self, part: Listener) -> str:
        """Return where a part of the local stack listens."""
        return f"http://{self.local_address(part)}"

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address of the stack, and of what stands in for its parts; none is asked through a proxy."""
        return (self.prefect_api, self.mlflow, *self.serving, *(http for http, _ in self.triton))

    @property
    def prefect_api(self) -> str:
        """The API of the local stack's Prefect server."""
        return f"{self.local_url('prefect')}/api"

    @property
    def _was_up(self) -> bool:
        """Whether the local stack was ever brought up in this folder."""
        return self.supervisor_config.exists()

    @property
    def prefect_reached(self) -> str:
        """The API of the Prefect server that releases are seen in: the local stack's, if one was ever brought up."""
        return self.prefect_api if self._was_up else os.environ.get("PREFECT_API_URL", self.prefect_api)

    @property
    def prefect_ui(self) -> str:
        """Where that server's runs are seen."""
        return os.environ.get("PREFECT_UI_URL", self.prefect_reached.removesuffix("/api")).rstrip("/")

    @property
    def prefect_auth(self) -> SecretStr | None:
        """What that server asks for, `user:password`, if it does."""
        if self._was_up:
            return self.prefect_login()
        given = os.environ.get("PREFECT_API_AUTH_STRING", "")
        return SecretStr(given) if given else None

    @property
    def mlflow(self) -> str:
        """The MLflow server."""
        return self.mlflow_url or self.local_url("mlflow")

    @property
    def mlflow_auth(self) -> tuple[str, str] | None:
        """User and password of the MLflow server, if it asks for them."""
        if self.mlflow_username and self.mlflow_password:
            return self.mlflow_username, self.mlflow_password.get_secret_value()
        return None

    @property
    def serving(self) -> tuple[str, ...]:
        """Where users ask the replicas of the serving app."""
        return self.serving_urls or (self.local_url("serving"),)

    @property
    def serving_control(self) -> tuple[str, ...]:
        """Where releases ask the replicas of the serving app: users cannot take the connections there."""
        return self.serving_urls or (self.local_url("serving_control"),)

    @property
    def start_command(self) -> list[str] | None:
        """What starts the serving app; of the local stack, its supervisor."""
        if self.serving_start_command:
            return list(self.serving_start_command)
        if self.serving_urls:
            return None
        return [f"{Path(sys.executable).parent}/supervisorctl", "-c", str(self.supervisor_config), "start", "serving"]

    @property
    def supervisor_config(self) -> Path:
        """The configuration of what keeps the local stack's parts alive."""
        return self.home / "supervisord.conf"

    @property
    def repository_root(self) -> Path:
        """The model repository."""
        return (self.repository or self.home / "repository").absolute()

    @property
    def token_file(self) -> Path:
        """The file that holds the serving app's x-token."""
        return (self.serving_token_file or self.home / "serving-token").absolute()

    @property
    def triton(self) -> tuple[tuple[str, str], ...]:
        """HTTP base URL and gRPC address of each Triton."""
        return ((self.local_url("triton"), self.local_address("triton_grpc")),)

    @property
    def prediction_log_folder(self) -> Path:
        """The folder of the local serving app's prediction log."""
        return self.home / "prediction-log"

    @property
    def prediction_log(self) -> SecretStr:
        """The SQLAlchemy URL of the prediction log."""
        return self.serving_log_url or SecretStr(f"sqlite:///{self.prediction_log_folder}/predictions.db")

    @property
    def feature_store(self) -> SecretStr:
        """The SQLAlchemy URL of the tables to train on."""
        return self.feature_store_url or SecretStr(f"sqlite:///{self.home}/features.db")

    @property
    def batches(self) -> Path:
        """The folder of batches."""
        return (self.batch_folder or self.home / "batches").absolute()

    def serving_token(self) -> SecretStr:
        """Return the x-token, the first line of its file; made at first use, readable by its owner only."""
        return secret_in(self.token_file)

    @property
    def triton_key_file(self) -> Path:
        """The file that holds the key of Triton's control APIs."""
        return self.home / "triton-key"

    def triton_key(self) -> SecretStr:
        """Return the key of Triton's control APIs; made at first use, readable by its owner only."""
        return secret_in(self.triton_key_file)

    @property
    def prefect_login_file(self) -> Path:
        """The file that holds what the local stack's Prefect server asks for, `user:password`."""
        return self.home / "prefect-auth"

    def prefect_login(self) -> SecretStr:
        """Return what the local stack's Prefect server asks for; made at first use, readable by its owner only."""
        return secret_in(self.prefect_login_file, user="interlock:")
