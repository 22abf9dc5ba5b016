"""
Versions computed by Triton: this app is its client, not its peer.

A live version is asked for by the folder that follows its alias and pinned to its number; a candidate under the
candidate's name. The app flips only when Triton answers the golden rows by the new version. When Triton does not have a
version any more, the decision is read again and the request repeated once (interlock/serving/routes/predict.py).
"""

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
import numpy as np
from tritonclient.http import InferInput
from tritonclient.http.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from interlock.adapters.http import HttpClient, trusted
from interlock.adapters.triton.infer import DATATYPES, infer
from interlock.clock import utc_stamp
from interlock.errors import Damaged, NotFound, Refused, Unreachable
from interlock.model.answers import Answers
from interlock.model.golden import compare
from interlock.model.manifest import MAX_BATCH, Manifest
from interlock.model.rows import Tensors
from interlock.records import Current, Variant
from interlock.serving.model import Model, ModelFailed, NotInTime, VersionGone
from interlock.serving.version_files import checked_manifest
from interlock.store import Store
from interlock.store.folders import candidate_folder, folder_of

GONE = ("400", "404", "503")
CONNECTIONS = 64


class TritonClient:
    """
    One connection pool to the Triton at *url*, for requests and self-tests; no proxy comes between.

    Raises:
        ValueError: The URL is not an HTTP URL, or has a user, a query or a fragment.
    """

    def __init__(self, url: str) -> None:
        """Nothing is opened before the first request."""
        self.url = _base(url)
        self.trusted = trusted() if self.url.startswith("https://") else None
        self._client: InferenceServerClient | None = None

    async def infer(self, folder: str, version: int, manifest: Manifest, rows: Tensors) -> Answers:
        """Infer *rows*, at most MAX_BATCH at a time, by a version of a folder."""
        if self._client is None:
            address = self.url.partition("://")[2]
            self._client = InferenceServerClient(
                address, conn_limit=CONNECTIONS, ssl=bool(self.trusted), ssl_context=self.trusted
            )
        parts = [rows[start : start + MAX_BATCH] for start in range(0, len(rows), MAX_BATCH)]
        return Answers.joined([await self._infer(self._client, folder, version, manifest, part) for part in parts])

    async def close(self) -> None:
        """Close the pool."""
        if self._client:
            await self._client.close()

    @staticmethod
    async def _infer(
        client: InferenceServerClient, folder: str, version: int, manifest: Manifest, rows: Tensors
    ) -> Answers:
        tensors = []
        for given in manifest.signature.inputs:
            array = rows.arrays[given.name]
            tensors.append(InferInput(given.name, list(array.shape), DATATYPES[given.dtype]))
            tensors[-1].set_data_from_numpy(np.ascontiguousarray(array))
        result = await client.infer(folder, tensors, model_version=str(version))
        return Answers.of(manifest.signature, [result.as_numpy(name) for name in manifest.signature.output_names])


def _base(url: str) -> str:
    """Return *url* without a slash at its end. Raises ValueError, which does not show what may be a password."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        msg = "INTERLOCK_SERVING_TRITON_URL must be http://host:port or https://host:port, with a path if need be"
        raise ValueError(msg)
    if "@" in parts.netloc or parts.query or parts.fragment:
        msg = "INTERLOCK_SERVING_TRITON_URL must hold no user, no query and no fragment"
        raise ValueError(msg)
    return url.rstrip("/")


@dataclass(frozen=True)
class TritonModel(Model):
    """A version that Triton has loaded in *folder*."""

    folder: str
    client: TritonClient = field(repr=False)

    async def answer(self, rows: Tensors, timeout_s: float) -> Answers:
        """Ask Triton for exactly this version."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self.client.infer(self.folder, self.version, self.manifest, rows)
        except TimeoutError as error:
            raise NotInTime from error
        except InferenceServerException as error:
            gone = any(code in str(error.status()) for code in GONE)
            raise (VersionGone if gone else ModelFailed) from error
        except aiohttp.ClientError as error:
            raise VersionGone from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # an answer that is none of Triton's
            raise ModelFailed from error

    def self_test(self, timeout_s: float) -> None:
        """Let Triton answer the golden rows by this version."""
        http, path = (
            HttpClient(self.client.url, timeout_s, direct=True),
            f"/v2/models/{self.folder}/versions/{self.version}",
        )
        try:
            http.call("GET", f"{path}/ready")
        except (NotFound, Refused) as error:
            msg = f"Triton does not have {self.folder} v{self.version} ready"
            raise Unreachable(msg) from error
        compare(self.manifest.golden, infer(http, path, self.manifest, self.manifest.golden.rows).answers)


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
        if not self._store.is_intact(self._model, version, manifest.sha256):
            msg = f"{self._model} v{version}: model.onnx in the repository is not {manifest.sha256[:12]}, as decided"
            raise Damaged(msg)
        return TritonModel(self._model, version, manifest, utc_stamp(), folder, self._client)
