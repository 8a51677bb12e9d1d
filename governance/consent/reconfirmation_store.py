"""Which old grants were looked at for re-confirmation, what was announced of them, and when to look again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from governance.consent.tables import consent_state
from governance.database import Instant, is_sqlite, metadata

consent_reconfirmation = sa.Table(
    "consent_reconfirmation",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, primary_key=True),
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("controller", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("given_at", Instant, primary_key=True),
    sa.Column("look_again_at", Instant),
    sa.Column("due_at", Instant),
    sa.Column("event_id", sa.Text),
    sqlite_with_rowid=False,
)
"""Grants that are old enough to ask whether they lapse. `event_id`: the ledger event that announced `due_at`;
None where nothing lapses soon. `look_again_at`: None once it was announced. A new grant is a new row."""

_KEY = ("subject_ref", "purpose", "controller", "channel", "topic", "given_at")


def settled(now: datetime) -> sa.ColumnElement[bool]:
    """Whether a row of `consent_state` was announced, or needs no other look yet."""
    row = consent_reconfirmation.c
    state = consent_state.c
    return sa.exists().where(
        row.tenant_id == state.tenant_id,
        row.subject_ref == state.subject_ref,
        row.purpose == state.purpose,
        row.controller == state.controller,
        row.channel == state.channel,
        row.topic == state.topic,
        row.given_at == state.pos_at,
        sa.or_(row.look_again_at.is_(None), row.look_again_at > now),
    )


def is_announced(connection: Connection, tenant_id: str, key: Mapping[str, Any]) -> bool:
    """Whether a grant's lapse was announced. `key`: person, purpose, controller, channel, topic, instant."""
    row = consent_reconfirmation.c
    query = sa.select(row.event_id).where(
        row.tenant_id == tenant_id, *(row[name] == key[name] for name in _KEY)
    )
    return connection.scalar(query) is not None


def put(connection: Connection, tenant_id: str, values: Mapping[str, Any]) -> None:
    """Keep what a look at a grant came to; `values` are all columns but the tenant."""
    dialect = sqlite if is_sqlite(connection) else postgresql
    insert = dialect.insert(consent_reconfirmation).values(tenant_id=tenant_id, **values)
    said = {name: insert.excluded[name] for name in ("look_again_at", "due_at", "event_id")}
    connection.execute(insert.on_conflict_do_update(index_elements=["tenant_id", *_KEY], set_=said))
