"""UTC stamps as records write them. Stamps are information; nothing is ordered by them but training times."""

from datetime import UTC, datetime

FORMAT = "%Y%m%dT%H%M%SZ"


def utc_stamp(moment: datetime | None = None) -> str:
    """Return *moment* (aware; default: now) as a stamp such as `20251231T025902Z`."""
    return (moment or datetime.now(UTC)).astimezone(UTC).strftime(FORMAT)


def utc_moment(stamp: str) -> datetime:
    """Return the moment, in UTC, that *stamp* names. Raises ValueError when it is not a valid stamp."""
    return datetime.strptime(stamp, FORMAT).replace(tzinfo=UTC)
