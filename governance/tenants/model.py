"""A tenant: one controller, its data fenced from every other's."""

import re
from dataclasses import dataclass
from datetime import datetime

from governance.errors import InvalidError

_TENANT_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class Tenant:
    """One controller. `ref` is the random name that ledger leaves and checkpoints carry.

    `country` is where it is established (ISO 3166-1 alpha-2), if that is known.
    """

    tenant_id: str
    ref: str
    name: str
    country: str | None
    postal_address: str | None
    created_at: datetime


def check_tenant_id(tenant_id: str) -> str:
    """Return the id if it may name a tenant; raises InvalidError."""
    if not _TENANT_ID.fullmatch(tenant_id):
        raise InvalidError("A tenant id is 1 to 63 characters of a-z, 0-9 and hyphen, e.g. `acme`.")
    return tenant_id
