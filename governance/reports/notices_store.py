"""The people who were not told yet where their data came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.communications.store import message
from governance.subjects.store import relationship_event, subject


@dataclass(frozen=True, slots=True)
class Untold:
    """One person. `acquired_at`: when the data came, or when the record was made if nobody said."""

    external_id: str
    subject_ref: str
    acquired: str
    acquired_at: datetime
    first_message_at: datetime | None
    first_disclosed_at: datetime | None


_came = sa.func.coalesce(subject.c.acquired_at, subject.c.created_at)
_FIRST_MESSAGE = (
    sa.select(sa.func.min(message.c.authorised_at))
    .where(
        message.c.tenant_id == subject.c.tenant_id,
        message.c.subject_ref == subject.c.subject_ref,
        message.c.status != "cancelled",
        message.c.message_class != "internal_notification",
    )
    .scalar_subquery()
)
_FIRST_DISCLOSED = (
    sa.select(sa.func.min(relationship_event.c.occurred_at))
    .where(
        relationship_event.c.tenant_id == subject.c.tenant_id,
        relationship_event.c.subject_ref == subject.c.subject_ref,
        relationship_event.c.event == "data_disclosed",
    )
    .scalar_subquery()
)


def untold(
    connection: Connection,
    tenant_id: str,
    *,
    sources: Sequence[str],
    ripe: datetime | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Untold]:
    """Up to `limit` living people of these sources without a notice, by age of the data, then reference.

    `ripe`: only those whose data came until then, or who were written to or disclosed already.
    """
    query = sa.select(
        subject.c.external_id,
        subject.c.subject_ref,
        subject.c.acquired,
        _came,
        _FIRST_MESSAGE,
        _FIRST_DISCLOSED,
    ).where(
        subject.c.tenant_id == tenant_id,
        subject.c.notice_given.is_(False),
        subject.c.acquired.in_(sources),
        subject.c.merged_into.is_(None),
        subject.c.erased.is_(False),
        subject.c.erasure_pending.is_(False),
    )
    if ripe is not None:
        query = query.where(sa.or_(_came <= ripe, _FIRST_MESSAGE.is_not(None), _FIRST_DISCLOSED.is_not(None)))
    if after is not None:
        came, ref = after
        query = query.where(sa.or_(_came > came, sa.and_(_came == came, subject.c.subject_ref > ref)))
    rows = connection.execute(query.order_by(_came, subject.c.subject_ref).limit(limit))
    return [Untold(*row) for row in rows]
