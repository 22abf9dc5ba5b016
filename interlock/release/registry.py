"""What knows versions and aliases, as this package sees it."""

from pathlib import Path
from typing import Protocol

from interlock.records import Candidate


class Registry(Protocol):
    """Every method raises Unreachable when nobody answers, and Refused when the registry says no."""

    def fetch(self, candidate: Candidate, artifact: str, target: Path) -> None:
        """Copy an artifact of the candidate (`model.onnx`, `manifest.json`) to the file *target*."""

    def alias(self, model: str, alias: str) -> int | None:
        """Return the version that the alias names, or None if there is no such alias or model."""

    def candidate(self, model: str, alias: str, version: int) -> Candidate:
        """Return the version as a candidate for the alias. Raises NotFound when there is no such version."""

    def set_alias(self, model: str, alias: str, version: int) -> None:
        """Point the alias at the version, over whatever it named."""

    def delete_alias(self, model: str, alias: str) -> None:
        """Remove the alias; fine if it is not there."""
