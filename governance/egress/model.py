"""How one request went, and what the other side asked for. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST_PAUSE = timedelta(hours=24)

_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one POST went: the receiver's status, or why there was none. `retry_after` is what it asked for."""

    at: datetime
    status: int | None = None
    problem: str | None = None
    retry_after: datetime | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver acknowledged (2xx)."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver wants no more events, ever (410)."""
        return self.status == 410

    @property
    def overloaded(self) -> bool:
        """Whether the receiver asked to be left alone for a while."""
        return self.status in (429, 503) and self.retry_after is not None

    @property
    def code(self) -> str | None:
        """A short name for what went wrong; None if nothing did."""
        if self.delivered:
            return None
        if self.status is None:
            return self.problem or "unreachable"
        return "redirect" if 300 <= self.status < 400 else f"http-{self.status}"


def read_retry_after(header: str | None, now: datetime) -> datetime | None:
    """Read `Retry-After` (seconds or an HTTP date) as an instant, a day away at the most; else None."""
    if header is None:
        return None
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return now + min(timedelta(seconds=int(text)), LONGEST_PAUSE)
    try:
        asked = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    # An HTTP date is in GMT, also where its writer left the zone out.
    asked = asked.replace(tzinfo=UTC) if asked.tzinfo is None else asked.astimezone(UTC)
    return min(asked, now + LONGEST_PAUSE) if asked > now else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request brought: how it went, and the body if it was asked for and came in whole.

    `headers` by lower-case name.
    """

    attempt: Attempt
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
