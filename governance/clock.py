"""The one reader of the wall clock."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present instant, aware, in UTC, with microseconds."""


def system_clock() -> datetime:
    """Give the present instant of this machine."""
    return datetime.now(UTC)


def wire(instant: datetime) -> str:
    """Write an aware instant as RFC 3339 in UTC with microseconds: `2026-11-21T10:00:00.000000Z`.

    Always the same width, so that written instants sort as the instants do; what is hashed uses this form.
    """
    if instant.tzinfo is None:
        raise ValueError("a naive instant cannot be written: it names no moment")
    return instant.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
