"""What all settings have in common: a variable with our prefix that nobody knows is a typo, and an error."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import model_validator
from pydantic_settings import BaseSettings

from interlock.errors import UnknownSetting

PREFIX = "INTERLOCK_"


class Known(BaseSettings):
    """
    Settings that refuse to be read while an `INTERLOCK_*` variable is set that no settings know.

    Raises:
        UnknownSetting: One is; the message names the nearest known one.
    """

    @model_validator(mode="before")
    @classmethod
    def _check_variables(cls, given: Any) -> Any:
        known = set(Known.variables())
        for name in sorted(name for name in os.environ if name.upper().startswith(PREFIX)):
            if name.upper() not in known:
                (nearest, *_) = get_close_matches(name.upper(), known, n=1, cutoff=0) or [""]
                msg = f"{name} is no setting; the nearest one is {nearest}, and docs/settings.md has all"
                raise UnknownSetting(msg)
        return given

    @staticmethod
    def variables() -> Iterator[str]:
        """Yield the environment variable of every field of every settings."""
        for settings in Known.__subclasses__():
            prefix = settings.model_config.get("env_prefix", "")
            for name, field in settings.model_fields.items():
                yield str(field.validation_alias or f"{prefix}{name}").upper()
