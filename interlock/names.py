"""Names that are safe in a path, a URL and an MLflow query; checked before any of these is built."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from interlock.errors import InvalidName

MODEL = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
BATCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
RESERVED_ALIAS = re.compile(r"latest|candidate|v\d+", re.IGNORECASE)
LAST_VERSION = 2**31 - 1


def model_name(value: str) -> str:
    """
    Return *value* if it may name a model.

    Raises:
        InvalidName: Not a letter followed by up to 63 letters, digits, `_` or `-`, or it holds `--`.
    """
    if not MODEL.fullmatch(value) or "--" in value:
        msg = f"model {value!r} must match ^{MODEL.pattern}$ and hold no '--' (that separates Triton's folders)"
        raise InvalidName(msg)
    return value


def alias_name(value: str) -> str:
    """
    Return *value* if it may name an alias.

    Raises:
        InvalidName: Not a letter followed by up to 31 letters, digits, `_` or `-`, or reserved.
    """
    if not ALIAS.fullmatch(value) or RESERVED_ALIAS.fullmatch(value):
        msg = f"alias {value!r} must match ^{ALIAS.pattern}$ and not be 'latest', 'candidate' or 'v<digits>'"
        raise InvalidName(msg)
    return value


def batch_name(value: str) -> str:
    """
    Return *value* if it may name a batch.

    Raises:
        InvalidName: Not up to 64 letters, digits, `_` or `-`, the first one a letter or digit.
    """
    if not BATCH.fullmatch(value):
        msg = f"batch {value!r} must match ^{BATCH.pattern}$"
        raise InvalidName(msg)
    return value


def table_name(value: str) -> str:
    """
    Return *value* if it may name a table.

    Raises:
        InvalidName: Not up to 63 letters, digits or `_`, the first one no digit.
    """
    if not TABLE.fullmatch(value):
        msg = f"table {value!r} must match ^{TABLE.pattern}$"
        raise InvalidName(msg)
    return value


def is_number(text: str) -> bool:
    """Whether *text* is written as versions and epochs are: in ASCII digits (`isdigit` takes `²` too), 18 at most."""
    return re.fullmatch(r"[0-9]{1,18}", text) is not None


def version_number(value: object) -> int:
    """
    Return *value* as a version, 1 to 2**31 - 1.

    Raises:
        InvalidName: Not such a whole number.
    """
    huge = isinstance(value, int) and abs(value) > 10**18  # Python refuses to print a number of many thousand digits
    text = "of more than 18 digits" if huge else str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[1-9][0-9]{0,9}", text) or int(text) > LAST_VERSION:
        msg = f"version {text[:40]!r} must be a whole number from 1 to {LAST_VERSION}"
        raise InvalidName(msg)
    return int(text)


def _as_value_error(check: object) -> AfterValidator:
    def validate(value: str) -> str:
        try:
            return check(value)  # type: ignore[operator, no-any-return]
        except InvalidName as error:
            raise ValueError(str(error)) from error

    return AfterValidator(validate)


ModelName = Annotated[str, _as_value_error(model_name)]
Alias = Annotated[str, _as_value_error(alias_name)]
Version = Annotated[int, Field(ge=1, le=LAST_VERSION)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
