"""Triton as everybody deploys to it first: load, ready, smoke; on an error rename, unload, load."""

import shutil

import httpx
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from benchmarks.models import iris
from demos.load import triton_question
from interlock.adapters.triton.addresses import GRPC_KEY_HEADER
from interlock.adapters.triton.config import as_text, model_config
from interlock.settings import Settings

NAIVE = "naive_model"


class NaiveModel:
    """The sequence that everybody writes first, against the same server."""

    def __init__(self, settings: Settings) -> None:
        """Put a good v12 there."""
        self.settings = settings
        self.folder = settings.repository_root / "models" / NAIVE
        self.client = InferenceServerClient(settings.triton[0][1])
        self.headers = {GRPC_KEY_HEADER: settings.triton_key().get_secret_value()}
        self.onnx, self.manifest = iris(1.0)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.put(12, self.onnx)
        text = as_text(model_config(NAIVE, self.manifest, [12]))
        head, _, rest = text.partition("version_policy")
        (self.folder / "config.pbtxt").write_text(head + rest[rest.index("max_batch_size") :])
        self.load()

    def put(self, version: int, content: bytes) -> None:
        """Write a version in place."""
        (self.folder / str(version)).mkdir(parents=True, exist_ok=True)
        (self.folder / str(version) / "model.onnx").write_bytes(content)

    def load(self) -> bool:
        """Load; return whether Triton said yes."""
        try:
            self.client.load_model(NAIVE, headers=self.headers)
        except InferenceServerException:
            return False
        return True

    def deploy(self, content: bytes) -> None:
        """Load -> ready -> smoke; on an error rename, unload, load."""
        self.put(13, content)
        if self.load() and self._smoke():
            return
        (self.folder / "13").rename(self.folder / "13.failed_20251231T025902Z")
        self.client.unload_model(NAIVE, headers=self.headers)
        self.load()

    def close(self) -> None:
        """Unload and forget."""
        self.client.unload_model(NAIVE, headers=self.headers)
        self.client.close()
        shutil.rmtree(self.folder)

    def _smoke(self) -> bool:
        question, golden = triton_question(NAIVE), self.manifest.golden
        body = {"inputs": [{**question.body["inputs"][0], "shape": [1, 4], "data": golden.rows[0]}]}
        answer = httpx.post(f"{self.settings.local_url('triton')}{question.path}", json=body, timeout=5)
        return answer.is_success and abs(question.read(answer.json())[2] - max(golden.probabilities[0])) < 1e-4  # noqa: PLR2004
