"""Messages of a period counted by what they were sent as, and what people did about them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.communications.model import ACTION
from governance.communications.store import message, message_outcome
from governance.decisions.store import decision

NOT_SENT = ("cancelled", "denied")
MOST_REFUSALS = 10_000
"""So many refusals are read at most; the newest."""


@dataclass(frozen=True, slots=True)
class Sent:
    """So many messages that were sent as the same: `commercial` says whether each was treated as that."""

    purpose: str
    channel: str
    message_class: str
    commercial: bool
    campaign: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that was asked for and that nothing permits."""

    decision_id: str
    purpose: str
    channel: str
    message_class: str


def _of_period(tenant_id: str, since: datetime, until: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        message.c.tenant_id == tenant_id,
        message.c.authorised_at >= since,
        message.c.authorised_at < until,
        message.c.status.not_in(NOT_SENT),
    )


def sent(connection: Connection, tenant_id: str, since: datetime, until: datetime) -> list[Sent]:
    """Every kind of message of the period with its number."""
    kinds = [message.c[name] for name in ("purpose", "channel", "message_class", "commercial", "campaign")]
    query: sa.Select[Any] = (
        sa.select(*kinds, sa.func.count()).where(_of_period(tenant_id, since, until)).group_by(*kinds)
    )
    return [Sent(*row) for row in connection.execute(query)]


def reacted(
    connection: Connection, tenant_id: str, since: datetime, until: datetime, outcomes: Sequence[str]
) -> Mapping[tuple[str, str, str], int]:
    """Messages that are not commercial and had one of the outcomes, by purpose, channel and class."""
    kinds = [message.c[name] for name in ("purpose", "channel", "message_class")]
    joined = message.join(
        message_outcome,
        sa.and_(
            message_outcome.c.tenant_id == tenant_id,
            message_outcome.c.message_ref == message.c.message_ref,
            message_outcome.c.outcome.in_(outcomes),
        ),
    )
    query = (
        sa.select(*kinds, sa.func.count(message.c.message_ref.distinct()))
        .select_from(joined)
        .where(_of_period(tenant_id, since, until), message.c.commercial.is_(False))
        .group_by(*kinds)
    )
    return {(row[0], row[1], row[2]): row[3] for row in connection.execute(query)}


def sample(
    connection: Connection,
    tenant_id: str,
    since: datetime,
    until: datetime,
    wanted: Mapping[str, Any],
    *,
    outcomes: Sequence[str] = (),
    limit: int,
) -> list[str]:
    """References of some messages, the newest first: columns as `wanted` says, a list meaning one of it."""
    where = [_of_period(tenant_id, since, until)]
    for name, value in wanted.items():
        column = message.c[name]
        where.append(column.in_(value) if isinstance(value, list) else column == value)
    if outcomes:
        had = sa.select(message_outcome.c.message_ref).where(
            message_outcome.c.tenant_id == tenant_id, message_outcome.c.outcome.in_(outcomes)
        )
        where.append(message.c.message_ref.in_(had))
    query = sa.select(message.c.message_ref).where(*where)
    return list(connection.scalars(query.order_by(message.c.message_ref.desc()).limit(limit)))


def refused(connection: Connection, tenant_id: str, since: datetime, until: datetime) -> Iterator[Refused]:
    """Messages of the period that nothing permits, the newest first, MOST_REFUSALS at most."""
    query = (
        sa.select(decision.c.decision_id, decision.c.codes, decision.c.body)
        .where(
            decision.c.tenant_id == tenant_id,
            decision.c.at >= since,
            decision.c.at < until,
            decision.c.action == ACTION,
            decision.c.allowed.is_(False),
            decision.c.codes.contains("no-permit", autoescape=True),
        )
        .order_by(decision.c.decision_id.desc())
        .limit(MOST_REFUSALS)
    )
    for row in connection.execute(query):
        question = (row.body or {}).get("question") or {}
        if "no-permit" in row.codes.split(",") and question.get("message_class"):
            yield Refused(
                row.decision_id, question["purpose"], question["channel"], question["message_class"]
            )
