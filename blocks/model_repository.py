"""Block: where the model repository is."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, HttpUrl

from blocks.named import NamedBlock
from interlock.store import Store


class ModelRepository(NamedBlock):
    """
    The folder that engines read and that only releases write.

    Example:
        ```python
        from blocks.model_repository import ModelRepository

        store = ModelRepository.load("BLOCK_NAME").connect()
        ```
    """

    _block_type_name: ClassVar[str | None] = "Model Repository"
    _block_type_slug: ClassVar[str | None] = "model-repository"
    _documentation_url = HttpUrl(
        "https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_repository.md"
    )

    root: Path = Field(
        description="Absolute path of the repository: local disk, or a shared volume with working locks."
    )

    def connect(self) -> Store:
        """Return the repository. Nothing is read before the first question."""
        return Store(self.root)
