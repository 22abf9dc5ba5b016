"""Load a block by its name, or say how it is made."""

from typing import Self

import httpx
from prefect.blocks.core import Block
from prefect.exceptions import PrefectHTTPStatusError
from prefect.filesystems import LocalFileSystem
from pydantic import HttpUrl

from interlock.errors import NotFound, Unreachable


class NamedBlock(Block):
    """A block that says how it is made when it is missing."""

    _logo_url = HttpUrl(str(LocalFileSystem._logo_url))  # noqa: SLF001 - a logo that Prefect keeps online

    @classmethod
    def named(cls, name: str) -> Self:
        """
        Return the block *name*.

        Raises:
            NotFound: There is none; the message names the command that makes it.
            Unreachable: Prefect's API does not answer.
        """
        try:
            return cls.load(name)  # type: ignore[return-value]
        except ValueError as error:
            slug = f"{cls.get_block_type_slug()}/{name}"
            msg = (
                f"no block {slug}; `INTERLOCK_ENVIRONMENT={name} python -m blocks --server $PREFECT_API_URL` "
                "makes it, and `make up` on the local stack"
            )
            raise NotFound(msg) from error
        except (httpx.TransportError, PrefectHTTPStatusError) as error:
            msg = f"Prefect's API does not answer for the block {name}: {type(error).__name__}"
            raise Unreachable(msg) from error
