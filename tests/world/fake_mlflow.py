"""
An MLflow in this process, as far as a release asks it by REST; tests/system holds it against the real one.

- every creating POST makes a version, whatever there is already
- an alias that is missing is 400, a model or version that is missing is 404
- setting an alias is set-over
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

API = "/api/2.0/mlflow/"
FILES = "/api/2.0/mlflow-artifacts/artifacts/"
Answer = tuple[int, object]


@dataclass
class FakeMlflow:
    """Models, versions, aliases and files."""

    url: str = ""
    models: set[str] = field(default_factory=set)
    versions: list[dict[str, object]] = field(default_factory=list)
    aliases: dict[tuple[str, str], str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def register(self, model: str, run_id: str, files: dict[str, bytes], sha256: str) -> None:
        """What a training left: its files, and a version made of it."""
        self.models.add(model)
        self.files |= {f"1/{run_id}/artifacts/{name}": content for name, content in files.items()}
        self.post_model_versions_create({"name": model, "run_id": run_id, "tags": [{"key": "sha256", "value": sha256}]})

    def get_registered_models_get(self, asked: dict) -> Answer:
        there = asked["name"] in self.models
        return (200, {"registered_model": {"name": asked["name"]}}) if there else _missing("Registered Model")

    def post_registered_models_create(self, asked: dict) -> Answer:
        if asked["name"] in self.models:
            message = f"Registered Model (name={asked['name']}) already exists."
            return 400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": message}
        self.models.add(asked["name"])
        return 200, {"registered_model": {"name": asked["name"]}}

    def post_model_versions_create(self, asked: dict) -> Answer:
        number = len([v for v in self.versions if v["name"] == asked["name"]]) + 1
        self.versions.append({"version": str(number), "status": "READY", **asked})
        return 200, {"model_version": self.versions[-1]}

    def get_model_versions_get(self, asked: dict) -> Answer:
        found = [v for v in self.versions if (v["name"], v["version"]) == (asked["name"], asked["version"])]
        return (200, {"model_version": found[0]}) if found else _missing("Model Version")

    def get_model_versions_search(self, asked: dict) -> Answer:
        found = [v for v in self.versions if asked["filter"] == f"name='{v['name']}' and run_id='{v['run_id']}'"]
        return 200, {"model_versions": found[: int(asked["max_results"])]}

    def get_registered_models_alias(self, asked: dict) -> Answer:
        if asked["name"] not in self.models:
            return _missing("Registered Model")
        version = self.aliases.get((asked["name"], asked["alias"]))
        if version is None:
            message = f"Registered model alias {asked['alias']} not found."
            return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": message}
        return self.get_model_versions_get({"name": asked["name"], "version": version})

    def post_registered_models_alias(self, asked: dict) -> Answer:
        status, answer = self.get_model_versions_get(asked)
        if status == 200:
            self.aliases[asked["name"], asked["alias"]] = asked["version"]
            return 200, {}
        return status, answer

    def delete_registered_models_alias(self, asked: dict) -> Answer:
        self.aliases.pop((asked["name"], asked["alias"]), None)
        return 200, {}

    def get_runs_get(self, asked: dict) -> Answer:
        return 200, {"run": {"info": {"artifact_uri": f"mlflow-artifacts:/1/{asked['run_id']}/artifacts"}}}


def _missing(what: str) -> Answer:
    return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"{what} not found"}


@contextmanager
def fake_mlflow() -> Iterator[FakeMlflow]:
    mlflow, lock = FakeMlflow(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            url = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            if url.path.startswith(FILES):
                file = mlflow.files.get(url.path.removeprefix(FILES))
                self._send(404 if file is None else 200, file or b"")
                return
            asked = {k: v[0] for k, v in parse_qs(url.query).items()} if self.command == "GET" else json.loads(content)
            verb = f"{self.command.lower()}_{url.path.removeprefix(API)}".replace("/", "_").replace("-", "_")
            with lock:
                status, answer = getattr(mlflow, verb)(asked)
            self._send(status, json.dumps(answer).encode())

        do_GET = do_POST = do_DELETE = answer  # noqa: N815

        def _send(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    mlflow.url = f"http://127.0.0.1:{server.server_port}"
    yield mlflow
    server.shutdown()
    server.server_close()
    thread.join()
