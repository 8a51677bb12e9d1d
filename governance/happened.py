"""When something happened, as somebody else's clock tells it: never later than now."""

from datetime import datetime, timedelta

from governance.clock import wire
from governance.errors import InvalidError

SKEW = timedelta(minutes=5)
"""How far another clock may run ahead of ours (RFC 4120 section 8.2: acceptable clock skew, 5 minutes)."""


def happened_at(told: datetime | None, now: datetime, field: str = "occurred_at") -> datetime:
    """When it happened; now where nothing was told, and where a clock runs ahead by no more than SKEW.

    Raises InvalidError, naming `field`, for what lies further ahead: it cannot have happened, and to take it
    for now would let a contract end, or a term begin, that does not.
    """
    if told is None:
        return now
    if told > now + SKEW:
        complaint = f"This cannot have happened yet: here it is {wire(now)}. Tell it once it has happened."
        raise InvalidError(complaint, fields={field: [complaint]})
    return min(told, now)
