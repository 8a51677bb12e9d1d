"""Statements about the inactive: who did nothing for so long, and the reviews of those who were warned of."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.lifecycle.facts import ACTS
from governance.lifecycle.store import inactivity_review as review
from governance.subjects.model import RELATIONSHIP
from governance.subjects.store import subject, subject_stage

OPEN, KEPT, RESET, ENDED = "open", "kept", "reset", "ended"
STATES = (OPEN, KEPT, RESET, ENDED)
"""Waiting; kept by somebody; moved on; called off, because the person acted or the rules no longer let it."""


@dataclass(frozen=True, slots=True)
class Review:
    """Somebody inactive who was warned of. `last_act_at` is what the warning rested on.

    From `due_at` the grace runs, at `resets_at` the person is moved. `kept_until`: not asked again before.
    """

    review_id: str
    subject_ref: str
    model: str
    from_stage: str
    to_stage: str
    state: str
    last_act_at: datetime
    warned_at: datetime
    due_at: datetime
    resets_at: datetime
    closed_at: datetime | None
    closed_because: str | None
    kept_until: datetime | None
    event_id: str


_COLUMNS = [review.c[each.name] for each in fields(Review)]


def inactive(
    connection: Connection,
    tenant_id: str,
    *,
    model: str,
    stage: str,
    before: datetime,
    now: datetime,
    after: str,
    limit: int,
) -> list[str]:
    """People (references after `after`, in order) in a stage who did nothing since `before`.

    Without those who wait in a review or were kept until later than `now`.
    """
    waits = sa.exists().where(
        review.c.tenant_id == tenant_id,
        review.c.subject_ref == subject.c.subject_ref,
        review.c.model == model,
        sa.or_(review.c.state == OPEN, review.c.kept_until > now),
    )
    query = sa.select(subject.c.subject_ref)
    if model == RELATIONSHIP:
        query = query.where(
            subject.c.stage_relationship == stage,
            sa.or_(subject.c.stage_since.is_(None), subject.c.stage_since <= before),
        )
    else:
        query = query.join(
            subject_stage,
            sa.and_(
                subject_stage.c.tenant_id == subject.c.tenant_id,
                subject_stage.c.subject_ref == subject.c.subject_ref,
            ),
        ).where(
            subject_stage.c.tenant_id == tenant_id,
            subject_stage.c.model == model,
            subject_stage.c.stage == stage,
            subject_stage.c.since <= before,
        )
    query = query.where(
        subject.c.tenant_id == tenant_id,
        subject.c.subject_ref > after,
        subject.c.merged_into.is_(None),
        *(sa.or_(act.is_(None), act <= before) for act in ACTS),
        ~waits,
    )
    return list(connection.scalars(query.order_by(subject.c.subject_ref).limit(limit)))


def add(connection: Connection, tenant_id: str, new: Review) -> None:
    """Insert a review."""
    values = {each.name: getattr(new, each.name) for each in fields(Review)}
    connection.execute(sa.insert(review).values(tenant_id=tenant_id, **values))


def update(connection: Connection, tenant_id: str, review_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of one review."""
    connection.execute(
        sa.update(review)
        .where(review.c.tenant_id == tenant_id, review.c.review_id == review_id)
        .values(**values)
    )


def find(connection: Connection, tenant_id: str, review_id: str) -> Review | None:
    """The review of this id."""
    row = connection.execute(
        sa.select(*_COLUMNS).where(review.c.tenant_id == tenant_id, review.c.review_id == review_id)
    ).one_or_none()
    return None if row is None else Review(*row)


def listed(connection: Connection, tenant_id: str, *, state: str, after: str, limit: int) -> list[Review]:
    """Reviews of one state with ids after `after`, the oldest first."""
    rows = connection.execute(
        sa.select(*_COLUMNS)
        .where(review.c.tenant_id == tenant_id, review.c.state == state, review.c.review_id > after)
        .order_by(review.c.review_id)
        .limit(limit)
    )
    return [Review(*row) for row in rows]
