"""Which grants are known to have run out, and which have run out unnoticed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.consent.kinds import ACT_KINDS, NIGHT
from governance.consent.tables import consent_state
from governance.database import Instant, metadata

consent_expiry = sa.Table(
    "consent_expiry",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, primary_key=True),
    sa.Column("grant_event_id", sa.Text, primary_key=True),
    sa.Column("expired_at", Instant, nullable=False),
    sa.Column("noted_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text),
    sqlite_with_rowid=False,
)
"""The grants whose end was noted. `event_id`: the ledger event that says so; None where nothing ended by it,
because the person had withdrawn before, another grant stands, or the record was merged away or erased."""

KINDS = (*sorted(ACT_KINDS), NIGHT)
"""The kinds of cells whose yes can run out: grants, not sign-ups that wait and not claims."""


def people(connection: Connection, tenant_id: str, now: datetime, limit: int) -> Sequence[str]:
    """The people with grants that have run out and are not noted, some of them."""
    noted = sa.exists().where(
        consent_expiry.c.tenant_id == consent_state.c.tenant_id,
        consent_expiry.c.subject_ref == consent_state.c.subject_ref,
        consent_expiry.c.grant_event_id == consent_state.c.pos_event_id,
    )
    found: Sequence[str] = (
        connection.execute(
            sa.select(consent_state.c.subject_ref)
            .distinct()
            .where(
                consent_state.c.tenant_id == tenant_id,
                consent_state.c.pos_expires_at <= now,
                consent_state.c.pos_expires_at.is_not(None),
                consent_state.c.pos_status == "granted",
                consent_state.c.kind.in_(KINDS),
                ~noted,
            )
            .limit(limit)
        )
        .scalars()
        .all()
    )
    return found


def noted(connection: Connection, tenant_id: str, subject_ref: str) -> set[str]:
    """The grants (event ids) of a person whose end was noted."""
    query = sa.select(consent_expiry.c.grant_event_id).where(
        consent_expiry.c.tenant_id == tenant_id, consent_expiry.c.subject_ref == subject_ref
    )
    return set(connection.scalars(query))


def add(connection: Connection, tenant_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note the end of grants."""
    if rows:
        connection.execute(sa.insert(consent_expiry), [{"tenant_id": tenant_id, **row} for row in rows])
