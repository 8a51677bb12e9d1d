"""A tenant: one controller, its data fenced from every other's."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from governance.errors import InvalidError

SECTORS = ("education", "finance", "health")
"""Sectors for which rules are shipped (`policies/communications/sector-*.yaml`)."""

_TENANT_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class Tenant:
    """One controller. `ref` is the random name that ledger leaves and checkpoints carry.

    `country` is where it is established (ISO 3166-1 alpha-2), if that is known. `sectors` are those of
    SECTORS that it works in: packs of rules apply by them.
    """

    tenant_id: str
    ref: str
    name: str
    country: str | None
    postal_address: str | None
    created_at: datetime
    sectors: tuple[str, ...] = ()


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
