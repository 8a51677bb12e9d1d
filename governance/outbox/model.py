"""Webhooks, what they want to hear, what an answer means, and when to try again. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from governance.clock import wire
from governance.egress.model import Attempt
from governance.errors import InvalidError
from governance.events import DIGESTS
from governance.ledger.model import Entry

TYPE_PREFIX = "governance."
MEDIA_TYPE = "application/cloudevents+json"

ACTIVE = "active"
DISABLED = "disabled"
STATES = (ACTIVE, DISABLED)

PENDING = "pending"
DELIVERED = "delivered"
DEAD = "dead"
DELIVERY_STATES = (PENDING, DELIVERED, DEAD)

UNDELIVERED = "webhook.undelivered"
"""Recorded when an event was given up. Never pushed: pushing alarms about pushing would feed itself."""

GIVE_UP_AFTER = timedelta(hours=72)
LONGEST_OVERLAP = timedelta(days=7)
MOST_TYPES = 50

_FIRST_DELAY = 5.0
_GROWTH = 4.0
_LONGEST_DELAY = 12 * 3600.0
_LONGEST_BREAK = 300.0
_WEBHOOK_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_TYPE = re.compile(r"governance(\.[a-z][a-z0-9]*([_-][a-z0-9]+)*)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where events go. `types` are whole words of an event's type from its beginning (`governance.consent`).

    `country` (ISO 3166-1) is where the receiver is, if that was stated.
    `because` says why it is disabled: `asked` or `gone` (the receiver answered 410). `secret_version` counts
    the rotations; until `previous_until` the secret before signs too.
    """

    webhook_id: str
    ref: str
    url: str
    types: tuple[str, ...]
    state: str
    because: str | None
    secret_version: int
    previous_until: datetime | None
    created_at: datetime
    updated_at: datetime
    country: str | None = None

    def wants(self, kind: str) -> bool:
        """Whether a ledger event of this kind is to be sent to this webhook."""
        if kind == UNDELIVERED:
            return False
        return any(f"{TYPE_PREFIX}{kind}.".startswith(f"{prefix}.") for prefix in self.types)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook. `lag` is from the event to the receiver's acknowledgement."""

    position: int
    event_id: str
    kind: str
    recorded_at: datetime
    state: str
    attempts: int
    first_tried_at: datetime
    last_tried_at: datetime
    next_at: datetime | None
    problem: str | None
    lag: timedelta | None


@dataclass(frozen=True, slots=True)
class Spread:
    """Half, 95 of a hundred, and all of some times were no longer than this; None if there were none."""

    p50: timedelta | None
    p95: timedelta | None
    longest: timedelta | None


@dataclass(frozen=True, slots=True)
class Summary:
    """How a webhook is doing.

    `behind`: entries of the ledger that it was not yet asked about. `lag`: from the event to this receiver's
    acknowledgement. `lag_of_all`: from the event to the acknowledgement of the last of all active webhooks
    that wanted it. Both over what is kept (a week).
    """

    counts: Mapping[str, int]
    behind: int
    resumes_at: datetime | None
    lag: Spread
    lag_of_all: Spread


def check_webhook_id(webhook_id: str) -> str:
    """Return the id if it may name a webhook; raises InvalidError."""
    if not _WEBHOOK_ID.fullmatch(webhook_id):
        raise InvalidError("A webhook's id is 1 to 64 characters of a-z, 0-9, `-` and `_`, e.g. `crm-main`.")
    return webhook_id


def check_types(types: Sequence[str]) -> tuple[str, ...]:
    """Return the wanted types, sorted and each once; InvalidError if one is no beginning of a type."""
    wanted = {each.removesuffix(".") for each in types}
    if not wanted or len(wanted) > MOST_TYPES or not all(_TYPE.fullmatch(each) for each in wanted):
        raise InvalidError(
            "Name the events that this webhook wants.",
            fields={
                "types": [
                    f"1 to {MOST_TYPES} beginnings of types such as `governance.consent`; see /v1/events."
                ]
            },
        )
    return tuple(sorted(wanted))


def cloud_event(entry: Entry, *, tenant_ref: str, external_id: str | None) -> dict[str, Any]:
    """Write a ledger entry as a CloudEvent (1.0, JSON format).

    `external_id` is the CRM's own opaque id of the person, looked up when it is read: the ledger has none.
    """
    facts = {name: fact for name, fact in entry.facts.items() if name not in DIGESTS}
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": entry.event_id,
        "source": f"urn:governance:{tenant_ref}",
        "type": TYPE_PREFIX + entry.kind,
        "time": wire(entry.at),
        "datacontenttype": "application/json",
        "data": {"position": entry.position, "facts": facts, "external_id": external_id},
    }
    if entry.subject_ref is not None:
        event["subject"] = entry.subject_ref
    return event


def delay(attempts: int, share: float) -> timedelta:
    """How long to wait after so many failed attempts: 5 s, 20 s, 80 s, … up to 12 h, give or take a fifth.

    `share` (0 to 1, random) spreads those who wait, so that a receiver that comes back is not run over.
    """
    return _spread(min(_FIRST_DELAY * _GROWTH ** min(attempts - 1, 12), _LONGEST_DELAY), share)


def pause(failures: int, share: float) -> timedelta:
    """How long to leave a receiver alone that failed several times in a row, the `failures`-th time."""
    return _spread(min(_FIRST_DELAY * _GROWTH ** min(failures - 1, 12), _LONGEST_BREAK), share)


def next_try(first_tried_at: datetime, attempts: int, attempt: Attempt, share: float) -> datetime | None:
    """When to try an event again after a failed attempt; None if it is to be given up (72 hours)."""
    due = attempt.at + delay(attempts, share)
    if attempt.retry_after is not None:
        due = max(due, attempt.retry_after)
    return due if due < first_tried_at + GIVE_UP_AFTER else None


def _spread(seconds: float, share: float) -> timedelta:
    return timedelta(seconds=seconds * (0.8 + 0.4 * share))
