"""Grants that have reached an age, or that end, by an instant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.consent.kinds import ACT_KINDS
from governance.consent.reconfirmation_store import settled
from governance.consent.tables import consent_state
from governance.subjects.store import subject

Place = tuple[datetime, str, str, str, str, str]
"""When a grant was given, who gave it (reference), purpose, controller, channel, topic."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody granted; '' is all. `expires_at`: its own end, if it has one."""

    external_id: str
    given_at: datetime
    subject_ref: str
    purpose: str
    controller: str
    channel: str
    topic: str
    expires_at: datetime | None

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        return (self.given_at, self.subject_ref, self.purpose, self.controller, self.channel, self.topic)


_PLACE: Sequence[sa.ColumnElement[Any]] = (
    consent_state.c.pos_at,
    consent_state.c.subject_ref,
    consent_state.c.purpose,
    consent_state.c.controller,
    consent_state.c.channel,
    consent_state.c.topic,
)


def ripe(
    connection: Connection,
    tenant_id: str,
    *,
    given_until: datetime | None,
    ends_until: datetime,
    after: Place | None,
    limit: int,
    unsettled_at: datetime | None = None,
) -> list[Grant]:
    """Grants of living people given until one instant or ending until another, the oldest first.

    A grant for several contact points is one line. `unsettled_at`: only those of which something may have to
    be announced at that instant.
    """
    old = consent_state.c.pos_expires_at <= ends_until
    if given_until is not None:
        old = sa.or_(old, consent_state.c.pos_at <= given_until)
    query = (
        sa.select(subject.c.external_id, *_PLACE, consent_state.c.pos_expires_at)
        .distinct()
        .join(
            subject,
            sa.and_(
                subject.c.tenant_id == consent_state.c.tenant_id,
                subject.c.subject_ref == consent_state.c.subject_ref,
            ),
        )
        .where(
            consent_state.c.tenant_id == tenant_id,
            consent_state.c.kind.in_(sorted(ACT_KINDS)),
            consent_state.c.pos_status == "granted",
            subject.c.merged_into.is_(None),
            subject.c.erased.is_(False),
            subject.c.erasure_pending.is_(False),
            old,
        )
    )
    if after is not None:
        query = query.where(_follows(after))
    if unsettled_at is not None:
        query = query.where(~settled(unsettled_at))
    rows = connection.execute(query.order_by(*_PLACE).limit(limit))
    return [Grant(*list[Any](row)) for row in rows]


def _follows(after: Place) -> sa.ColumnElement[bool]:
    """Whether a row comes after this place, column by column: neither database compares rows of all types."""
    later: sa.ColumnElement[bool] = sa.false()
    for column, value in reversed(list(zip(_PLACE, after, strict=True))):
        later = sa.or_(column > value, sa.and_(column == value, later))
    return later
