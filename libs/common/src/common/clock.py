"""The one place that reads the wall clock; everything else takes time as an argument."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present, aware and in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place
