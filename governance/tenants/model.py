"""A tenant: one controller, its data fenced from every other's."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.clock import wire
from governance.errors import InvalidError

SECTORS = ("education", "finance", "health")
"""Sectors for which rules are shipped (`policies/communications/sector-*.yaml`)."""

ACTIVE, SUSPENDED, LEAVING, CLOSING = "active", "suspended", "leaving", "closing"
STATES = (ACTIVE, SUSPENDED, LEAVING, CLOSING)
"""Suspended: nothing is permitted, people can still leave and ask. Leaving: as suspended, the deletion was
approved and its grace runs. Closing: the deletion goes on and nothing can be written any more."""

ASKED, APPROVED, DELETING = "asked", "approved", "deleting"
CANCELLED, DELETED = "cancelled", "deleted"

GRACE_DAYS = 30
SHORTEST_GRACE, LONGEST_GRACE = 1, 365

ANYBODY, REGISTERED = "anybody", "registered"
ASKERS = (ANYBODY, REGISTERED)
"""On whose behalf may be asked: whomever a component names, or registered staff and components only."""

_TENANT_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class Tenant:
    """One controller. `ref` is the random name that ledger leaves and checkpoints carry.

    `country` is where it is established (ISO 3166-1 alpha-2), if that is known. `sectors` are those of
    SECTORS that it works in: packs of rules apply by them. `askers` is one of ASKERS.
    """

    tenant_id: str
    ref: str
    name: str
    country: str | None
    postal_address: str | None
    created_at: datetime
    sectors: tuple[str, ...] = ()
    state: str = ACTIVE
    state_since: datetime | None = None
    askers: str = ANYBODY


@dataclass(frozen=True, slots=True)
class Deletion:
    """The deletion of a tenant. It stays when the tenant is gone; `certificate` is a compact JWS.

    `state` is asked, approved, deleting, cancelled or deleted. Persons are named by opaque refs.
    `due_at` is the end of the grace; `rows` counts what there was, by store and table, when it began.
    """

    tenant_id: str
    deletion_id: str
    ref: str
    state: str
    asked_by: str
    asked_at: datetime
    grace_days: int
    approved_by: str | None = None
    approved_at: datetime | None = None
    due_at: datetime | None = None
    deleted_at: datetime | None = None
    rows: Mapping[str, int] | None = None
    checkpoint: str | None = None
    certificate: str | None = None

    def document(self) -> dict[str, Any]:
        """What is shown of it."""
        return {
            "id": self.deletion_id,
            "tenant": self.tenant_id,
            "state": self.state,
            "asked_by": self.asked_by,
            "asked_at": wire(self.asked_at),
            "grace_days": self.grace_days,
            "approved_by": self.approved_by,
            "approved_at": self.approved_at and wire(self.approved_at),
            "due_at": self.due_at and wire(self.due_at),
            "deleted_at": self.deleted_at and wire(self.deleted_at),
            "certificate": self.certificate,
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """An approval that was refused and leaves a trace; `code` is stable and kebab-case."""

    code: str
    sentence: str


def check_grace(days: int) -> int:
    """Return the days of grace if they can be meant; raises InvalidError."""
    if not SHORTEST_GRACE <= days <= LONGEST_GRACE:
        sentence = f"A grace has {SHORTEST_GRACE} to {LONGEST_GRACE} days."
        raise InvalidError(sentence, fields={"grace_days": [sentence]})
    return days


def check_sectors(sectors: Iterable[str]) -> tuple[str, ...]:
    """Return sectors, each once and in order; InvalidError names the known ones."""
    chosen = tuple(sorted(set(sectors)))
    if not set(chosen) <= set(SECTORS):
        sentence = f"A sector is one of {', '.join(SECTORS)}."
        raise InvalidError(sentence, fields={"sectors": [sentence]})
    return chosen


def check_tenant_id(tenant_id: str) -> str:
    """Return the id if it may name a tenant; raises InvalidError."""
    if not _TENANT_ID.fullmatch(tenant_id):
        raise InvalidError("A tenant id is 1 to 63 characters of a-z, 0-9 and hyphen, e.g. `acme`.")
    return tenant_id
