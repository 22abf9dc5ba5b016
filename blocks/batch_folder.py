"""Block: where batches are, and what computes them."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, HttpUrl

from blocks.named import NamedBlock
from interlock.batch import folder as batch_folder


class BatchFolder(NamedBlock):
    """
    The folder of answers to whole tables.

    Example:
        ```python
        from blocks.batch_folder import BatchFolder

        batches = BatchFolder.load("BLOCK_NAME").connect()
        ```
    """

    _block_type_name: ClassVar[str | None] = "Batch Folder"
    _block_type_slug: ClassVar[str | None] = "batch-folder"
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-dask/")

    root: Path = Field(description="Absolute path of the folder; shared with the workers of a Dask cluster.")
    runner: str = Field(
        default="threads",
        pattern=r"^(threads|dask|(tcp|tls|ws|wss)://\S+)$",
        description="What computes: `threads` of the flow's process, `dask` for processes of this machine that are "
        "started for each run, or the address of a Dask scheduler, such as tcp://scheduler:8786.",
    )
    workers: int | None = Field(
        default=None, ge=1, description="Threads, or processes of `dask`; without it, one for each processor."
    )

    def connect(self) -> batch_folder.BatchFolder:
        """Return the folder. Nothing is opened before the first batch."""
        return batch_folder.BatchFolder(self.root)
