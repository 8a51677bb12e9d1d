"""What reports count, as numbers by code: nothing here names a person."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.consent.kinds import ACT_KINDS, CONSENT, CONSENT_KINDS, OBJECTION
from governance.consent.tables import consent_state
from governance.erasure.tables import erasure
from governance.lifecycle.store import transition
from governance.outbox.store import webhook
from governance.retention.run_store import disposition
from governance.retention.store import governed_record, legal_hold
from governance.rights.tables import rights_reopening, rights_request
from governance.subjects.store import subject, subject_stage

LIVING = (subject.c.merged_into.is_(None), subject.c.erased.is_(False))
"""People who are there: neither merged into others nor erased."""


def people(connection: Connection, tenant_id: str) -> dict[tuple[str | None, str | None], int]:
    """How many people there are, by country and stage of the relationship."""
    query = (
        sa.select(subject.c.country, subject.c.stage_relationship, sa.func.count())
        .where(subject.c.tenant_id == tenant_id, *LIVING)
        .group_by(subject.c.country, subject.c.stage_relationship)
    )
    return {(country, stage): count for country, stage, count in connection.execute(query)}


def consents(connection: Connection, tenant_id: str, now: datetime) -> Sequence[sa.RowMapping]:
    """People by purpose, channel, country, what their consent comes to there, and kind: consent or objection.

    A yes counts unless a later no covers it; a yes whose own end has come is `expired`, a
    claim without proof `unproven`. A no counts under its own word unless a later yes lifted it at its place.
    Purpose and channel '' are all. Somebody counts once in each line.
    """
    query = sa.union_all(_yes(tenant_id, now), _no(tenant_id)).subquery()
    found = (
        sa.select(
            query.c.purpose,
            query.c.channel,
            subject.c.country,
            query.c.status,
            query.c.kind,
            sa.func.count(sa.distinct(query.c.subject_ref)).label("people"),
        )
        .join(subject, subject.c.subject_ref == query.c.subject_ref)
        .where(subject.c.tenant_id == tenant_id, *LIVING)
        .group_by(query.c.purpose, query.c.channel, subject.c.country, query.c.status, query.c.kind)
        .order_by(query.c.purpose, query.c.channel, subject.c.country, query.c.status, query.c.kind)
    )
    return connection.execute(found).mappings().all()


def _yes(tenant_id: str, now: datetime) -> sa.Select[Any]:
    of, no = consent_state, consent_state.alias("no")
    ended = (
        sa.select(no.c.neg_seq)
        .where(
            no.c.tenant_id == of.c.tenant_id,
            no.c.subject_ref == of.c.subject_ref,
            no.c.kind.in_([*CONSENT_KINDS, OBJECTION]),
            no.c.purpose.in_(["", of.c.purpose]),
            no.c.channel.in_(["", of.c.channel]),
            no.c.topic.in_(["", of.c.topic]),
            no.c.neg_seq > of.c.pos_seq,
        )
        .exists()
    )
    over = sa.and_(of.c.pos_expires_at.is_not(None), of.c.pos_expires_at <= now)
    status = sa.case((over, sa.literal("expired")), else_=of.c.pos_status).label("status")
    kind = sa.literal(CONSENT).label("kind")
    return sa.select(of.c.purpose, of.c.channel, of.c.subject_ref, status, kind).where(
        of.c.tenant_id == tenant_id,
        of.c.kind.in_(CONSENT_KINDS),
        of.c.pos_seq.is_not(None),
        sa.not_(ended),
    )


def _no(tenant_id: str) -> sa.Select[Any]:
    of, yes = consent_state, consent_state.alias("yes")
    lifted = (
        sa.select(yes.c.pos_seq)
        .where(
            yes.c.tenant_id == of.c.tenant_id,
            yes.c.subject_ref == of.c.subject_ref,
            yes.c.kind.in_(ACT_KINDS),
            yes.c.purpose == of.c.purpose,
            yes.c.channel == of.c.channel,
            yes.c.topic == of.c.topic,
            yes.c.pos_seq > of.c.neg_seq,
        )
        .exists()
    )
    kind = sa.case((of.c.kind == OBJECTION, OBJECTION), else_=CONSENT).label("kind")
    status = of.c.neg_status.label("status")
    return sa.select(of.c.purpose, of.c.channel, of.c.subject_ref, status, kind).where(
        of.c.tenant_id == tenant_id,
        of.c.kind.in_([*CONSENT_KINDS, OBJECTION]),
        of.c.neg_seq.is_not(None),
        sa.not_(lifted),
    )


def requests(connection: Connection, tenant_id: str, since: datetime) -> Sequence[sa.RowMapping]:
    """Requests that are open, or were closed since: what their clocks need, and no more."""
    of = rights_request
    columns = (
        of.c.request_id,
        of.c.type,
        of.c.state,
        of.c.regime,
        of.c.channel,
        of.c.received_at,
        of.c.due_at,
        of.c.closed_at,
        of.c.acknowledge_by,
        of.c.acknowledged_at,
        of.c.waits_for,
        of.c.outcome,
    )
    query = (
        sa.select(*columns)
        .where(of.c.tenant_id == tenant_id, sa.or_(of.c.closed_at.is_(None), of.c.closed_at >= since))
        .order_by(of.c.due_at, of.c.request_id)
    )
    return connection.execute(query).mappings().all()


def reopened(connection: Connection, tenant_id: str, since: datetime) -> Sequence[sa.RowMapping]:
    """Answers given since that an appeal or complaint took back: when each was given and was due."""
    of = rights_reopening
    query = sa.select(of.c.closed_at, of.c.due_at).where(of.c.tenant_id == tenant_id, of.c.closed_at >= since)
    return connection.execute(query).mappings().all()


def dispositions(connection: Connection, tenant_id: str) -> Sequence[sa.RowMapping]:
    """What is to become of data, or became: counts by state, class, rule and system, with the oldest."""
    of = disposition
    query = (
        sa.select(
            of.c.state,
            of.c.data_class,
            of.c.rule,
            of.c.system,
            sa.func.count().label("count"),
            sa.func.min(of.c.proposed_at).label("oldest"),
        )
        .where(of.c.tenant_id == tenant_id)
        .group_by(of.c.state, of.c.data_class, of.c.rule, of.c.system)
        .order_by(of.c.state, of.c.data_class, of.c.rule, of.c.system)
    )
    return connection.execute(query).mappings().all()


def records(connection: Connection, tenant_id: str) -> dict[str, int]:
    """Registered records by data class."""
    of = governed_record
    query = sa.select(of.c.data_class, sa.func.count()).where(of.c.tenant_id == tenant_id)
    return _pairs(connection, query.group_by(of.c.data_class))


def holds(connection: Connection, tenant_id: str) -> Sequence[sa.RowMapping]:
    """Holds in force: when they were placed and when they end."""
    of = legal_hold
    query = sa.select(of.c.hold_id, of.c.scope_kind, of.c.placed_at, of.c.expires_at).where(
        of.c.tenant_id == tenant_id, of.c.closed_at.is_(None)
    )
    return connection.execute(query.order_by(of.c.hold_id)).mappings().all()


def erasures(connection: Connection, tenant_id: str) -> dict[str, int]:
    """Erasures by status."""
    query = sa.select(erasure.c.status, sa.func.count()).where(erasure.c.tenant_id == tenant_id)
    return _pairs(connection, query.group_by(erasure.c.status))


def undated_erasures(connection: Connection, tenant_id: str) -> int:
    """Erasures of which something is kept and nobody can say until when."""
    query = sa.select(sa.func.count()).select_from(erasure)
    mine = sa.and_(erasure.c.tenant_id == tenant_id, erasure.c.undated_since.is_not(None))
    return int(connection.scalar(query.where(mine)) or 0)


def moves(
    connection: Connection, tenant_id: str, model: str, since: datetime, until: datetime
) -> dict[tuple[str | None, str], int]:
    """Moves between the stages of a model in a period; from None: the asserted opening stage."""
    of = transition
    query = (
        sa.select(of.c.from_stage, of.c.to_stage, sa.func.count())
        .where(
            of.c.tenant_id == tenant_id,
            of.c.model == model,
            of.c.occurred_at >= since,
            of.c.occurred_at < until,
        )
        .group_by(of.c.from_stage, of.c.to_stage)
    )
    return {(old, new): count for old, new, count in connection.execute(query)}


def stages(connection: Connection, tenant_id: str) -> dict[tuple[str, str], int]:
    """People by model and stage, now."""
    of = subject_stage
    query = (
        sa.select(of.c.model, of.c.stage, sa.func.count())
        .join(
            subject,
            sa.and_(subject.c.tenant_id == of.c.tenant_id, subject.c.subject_ref == of.c.subject_ref),
        )
        .where(of.c.tenant_id == tenant_id, *LIVING)
        .group_by(of.c.model, of.c.stage)
    )
    return {(model, stage): count for model, stage, count in connection.execute(query)}


def webhooks(connection: Connection, tenant_id: str) -> dict[str, str]:
    """Webhooks and how each is."""
    query = sa.select(webhook.c.webhook_id, webhook.c.state).where(webhook.c.tenant_id == tenant_id)
    return _pairs(connection, query)


def _pairs(connection: Connection, query: sa.Select[Any]) -> dict[str, Any]:
    return dict(tuple(row) for row in connection.execute(query))
