"""
Versions computed by Triton: this app is its client, not its peer.

A live version is asked for by the folder that follows its alias and pinned to its number; a candidate under the
candidate's name. The app flips only when Triton answers the golden rows by the new version. When Triton does not have a
version any more, the decision is read again and the request repeated once (serving/routes/predict.py).
"""

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
import httpx
import numpy as np
from tritonclient.http import InferInput
from tritonclient.http.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from delivery.clock import utc_stamp
from delivery.errors import SmokeFailed, Unreachable
from delivery.inference import infer_json
from delivery.manifest import MAX_BATCH, Manifest, Rows
from delivery.records import Current, Variant
from delivery.smoke import compare
from delivery.store import Store
from delivery.store.folders import candidate_folder, folder_of
from serving.in_process import checked_manifest
from serving.model import Answers, Model, ModelFailed, TooSlow, VersionGone

GONE = ("400", "404", "503")
CONNECTIONS = 64


class TritonClient:
    """One connection pool to the Triton at *url*."""

    def __init__(self, url: str) -> None:
        """Nothing is opened before the first request."""
        self.url = url
        self._client: InferenceServerClient | None = None

    async def infer(self, folder: str, version: int, manifest: Manifest, rows: Rows) -> Answers:
        """Infer *rows*, at most MAX_BATCH at a time, by a version of a folder."""
        if self._client is None:
            self._client = InferenceServerClient(urlsplit(self.url).netloc, conn_limit=CONNECTIONS)
        parts = [rows[start : start + MAX_BATCH] for start in range(0, len(rows), MAX_BATCH)]
        answers = [await self._infer(self._client, folder, version, manifest, part) for part in parts]
        labels = np.concatenate([answer.labels for answer in answers])
        return Answers(labels, np.concatenate([answer.probabilities for answer in answers]))

    async def close(self) -> None:
        """Close the pool."""
        if self._client:
            await self._client.close()

    @staticmethod
    async def _infer(
        client: InferenceServerClient, folder: str, version: int, manifest: Manifest, rows: Rows
    ) -> Answers:
        tensor = InferInput(manifest.input_name, list(rows.shape), "FP32")
        tensor.set_data_from_numpy(np.ascontiguousarray(rows))
        result = await client.infer(folder, [tensor], model_version=str(version))
        label, probabilities = (result.as_numpy(name) for name in manifest.outputs)
        return Answers(label.reshape(len(rows)), probabilities)


@dataclass(frozen=True)
class TritonModel(Model):
    """A version that Triton has loaded in *folder*."""

    folder: str
    client: TritonClient = field(repr=False)

    async def answer(self, rows: Rows, timeout_s: float) -> Answers:
        """Ask Triton for exactly this version."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self.client.infer(self.folder, self.version, self.manifest, rows)
        except TimeoutError as error:
            raise TooSlow from error
        except InferenceServerException as error:
            gone = any(code in str(error.status()) for code in GONE)
            raise (VersionGone if gone else ModelFailed) from error
        except aiohttp.ClientError as error:
            raise VersionGone from error

    def self_test(self, timeout_s: float) -> None:
        """Let Triton answer the golden rows by this version."""
        golden = self.manifest.golden
        body = infer_json(self.manifest.input_name, golden.rows)
        url = f"{self.client.url}/v2/models/{self.folder}/versions/{self.version}"
        try:
            if not httpx.get(f"{url}/ready", timeout=timeout_s).is_success:
                msg = f"Triton does not have {self.folder} v{self.version} ready"
                raise Unreachable(msg)
            answer = httpx.post(f"{url}/infer", content=body, timeout=timeout_s)
        except httpx.HTTPError as error:
            msg = f"Triton at {self.client.url} does not answer: {type(error).__name__}"
            raise Unreachable(msg) from error
        if not answer.is_success:
            msg = f"Triton cannot infer the golden rows by {self.folder} v{self.version}: {answer.status_code}"
            raise SmokeFailed(msg)
        outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
        label, probabilities = (np.asarray(outputs[name]) for name in self.manifest.outputs)
        compare(golden, label, probabilities.reshape(len(golden.rows), -1))


class TritonSource:
    """Finds versions of *model* in the Triton that is enrolled as *engine*."""

    def __init__(self, store: Store, model: str, client: TritonClient, engine: str) -> None:
        """Nothing is asked before it is needed."""
        self._store = store
        self._model = model
        self._client = client
        self._engine = engine

    def staged(self, version: int, sha256: str | None) -> Model:
        """Ask under the candidate's name, which Triton was told to load before this app."""
        return self._model_in(candidate_folder(self._model), version, sha256)

    def live(self, alias: str, variant: Variant, current: Current, found: Model | None) -> Model:
        """Ask in the folder that follows the alias, whatever was proved under the candidate's name."""
        folder = folder_of(current, alias, self._engine)
        if isinstance(found, TritonModel) and found.folder == folder:
            return found
        return self._model_in(folder, variant.active_version, variant.sha256)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _model_in(self, folder: str, version: int, sha256: str | None) -> Model:
        manifest = checked_manifest(self._store, self._model, version, sha256)
        return TritonModel(self._model, version, manifest, utc_stamp(), folder, self._client)
