"""The purpose that a message serves, as one snapshot sees it: read on the path of every check."""

import json
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from governance.database import Prepared
from governance.purposes.model import AS_THE_LAW, Purpose, read_purpose
from governance.purposes.store import purpose
from governance.work import Snapshot

_PURPOSE = Prepared(
    sa.select(purpose.c.version, sa.type_coerce(purpose.c.body, sa.Text)).where(
        purpose.c.tenant_id == sa.bindparam("tenant"), purpose.c.purpose_id == sa.bindparam("purpose")
    )
)


def find_purpose(snap: Snapshot, purpose_id: str) -> Purpose | None:
    """The purpose of this id, if there is one."""
    rows = _PURPOSE.rows(snap.connection, tenant=snap.tenant_id, purpose=purpose_id)
    return _purpose(purpose_id, *rows[0]) if rows else None


def purpose_facts(served: Purpose, message_class: str) -> dict[str, Any]:
    """What rules may know of the purpose that a message of this class serves."""
    return {
        "purpose.id": served.purpose_id,
        "purpose.state": served.state,
        "purpose.allows_class": message_class in served.message_classes,
        "purpose.permission": served.permission or AS_THE_LAW,
        "purpose.special_categories": served.special_categories,
        "purpose.solely_automated": bool(served.body.get("solely_automated")),
        "purpose.impact_assessed": bool(served.body.get("impact_assessment")),
    }


@lru_cache(maxsize=1024)
def _purpose(purpose_id: str, version: int, body: str) -> Purpose:
    """Read a purpose's text as it was just found: remembered by the text itself, so never out of date."""
    return read_purpose(purpose_id, version, json.loads(body))
