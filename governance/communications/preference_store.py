"""Table of the links to preference pages: whose, and until when. The token itself is not stored."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, metadata

preference_link = sa.Table(
    "preference_link",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("link_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("preference_link_subject", "tenant_id", "subject_ref"),
)


@dataclass(frozen=True, slots=True)
class StoredLink:
    """One link to a preference page."""

    link_id: str
    subject_ref: str
    created_at: datetime
    expires_at: datetime
    event_id: str


def add(connection: Connection, tenant_id: str, new: StoredLink) -> None:
    """Insert a link."""
    values = {name: getattr(new, name) for name in StoredLink.__slots__}
    connection.execute(sa.insert(preference_link), {"tenant_id": tenant_id, **values})


def find(connection: Connection, tenant_id: str, link_id: str) -> StoredLink | None:
    """The link of this id."""
    columns = [preference_link.c[name] for name in StoredLink.__slots__]
    query = sa.select(*columns).where(
        preference_link.c.tenant_id == tenant_id, preference_link.c.link_id == link_id
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else StoredLink(*row)
