"""Statements about the bars on contact points."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.consent.model import PointBar
from governance.consent.tables import suppression


@dataclass(frozen=True, slots=True)
class StoredBar:
    """A bar as it is kept; `released_at` is None while it stands."""

    suppression_hash: str
    suppression_id: str
    scope: str
    purpose: str
    controller: str
    channel: str
    topic: str
    origin_subject_ref: str | None
    reason: str
    occurred_at: datetime
    recorded_at: datetime
    released_at: datetime | None
    event_id: str

    def bar(self) -> PointBar:
        """The part that answers questions."""
        return PointBar(
            self.scope,
            self.purpose,
            self.controller,
            self.channel,
            self.topic,
            self.origin_subject_ref,
            self.recorded_at,
            self.event_id,
        )


_COLUMNS = [suppression.c[name] for name in StoredBar.__slots__]
_CHUNK = 400


def add(connection: Connection, tenant_id: str, bars: Sequence[StoredBar]) -> None:
    """Insert bars."""
    if bars:
        rows = [
            {"tenant_id": tenant_id, **{name: getattr(bar, name) for name in StoredBar.__slots__}}
            for bar in bars
        ]
        connection.execute(sa.insert(suppression), rows)


def standing(connection: Connection, tenant_id: str, hashes: Iterable[str]) -> dict[str, list[StoredBar]]:
    """The bars that stand on these contact points, by hash, oldest first."""
    wanted = list(dict.fromkeys(hashes))
    found: dict[str, list[StoredBar]] = {}
    for start in range(0, len(wanted), _CHUNK):
        statement = (
            sa.select(*_COLUMNS)
            .where(
                suppression.c.tenant_id == tenant_id,
                suppression.c.suppression_hash.in_(wanted[start : start + _CHUNK]),
                suppression.c.released_at.is_(None),
            )
            .order_by(suppression.c.suppression_hash, suppression.c.suppression_id)
        )
        for row in connection.execute(statement):
            found.setdefault(row.suppression_hash, []).append(StoredBar(*row))
    return found


def find(connection: Connection, tenant_id: str, suppression_id: str) -> StoredBar | None:
    """The bar of this id, released or not."""
    row = connection.execute(
        sa.select(*_COLUMNS).where(
            suppression.c.tenant_id == tenant_id, suppression.c.suppression_id == suppression_id
        )
    ).one_or_none()
    return None if row is None else StoredBar(*row)


def release(connection: Connection, tenant_id: str, suppression_id: str, at: datetime) -> None:
    """Let a bar end."""
    connection.execute(
        sa.update(suppression)
        .where(suppression.c.tenant_id == tenant_id, suppression.c.suppression_id == suppression_id)
        .values(released_at=at)
    )


def hand_over(connection: Connection, tenant_id: str, from_ref: str, into_ref: str) -> None:
    """Let the bars that one person's withdrawals left be those of the person it is merged into."""
    connection.execute(
        sa.update(suppression)
        .where(suppression.c.tenant_id == tenant_id, suppression.c.origin_subject_ref == from_ref)
        .values(origin_subject_ref=into_ref)
    )
