"""What was sent to a person before, where it counts: calls, and confirmations of an opt-out.

For the person of a row (screenings) and for one person (checks). Messages to records that were merged into
the person count, those that were cancelled or denied do not.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.communications.facts import says_no
from governance.communications.store import message
from governance.consent.tables import consent_state
from governance.subjects.store import subject


def calls_since(since: datetime, until: datetime) -> sa.ScalarSelect[int]:
    """How many calls to the person of the row (those it was merged from too) were authorised after `since`.

    Calls that were cancelled do not count. Parameter: tenant.
    """
    calls = _sent_to(subject.c.subject_ref, message.c.channel == "voice")
    counted = sa.select(sa.func.count()).select_from(message).where(calls)
    counted = counted.where(
        message.c.authorised_at > sa.literal(since, message.c.authorised_at.type),
        message.c.authorised_at <= sa.literal(until, message.c.authorised_at.type),
    )
    return counted.correlate(subject).scalar_subquery()


def calls(
    connection: Connection, tenant_id: str, subject_ref: str, since: datetime, *, but: str | None = None
) -> tuple[datetime, ...]:
    """When calls to a person (those merged into it too) were authorised after `since`, not cancelled.

    `but`: a message that does not count, because it is the one that is asked about again.
    """
    query = sa.select(message.c.authorised_at).where(
        _sent_to(sa.bindparam("person"), message.c.channel == "voice"), message.c.authorised_at > since
    )
    if but is not None:
        query = query.where(message.c.message_ref != but)
    return tuple(connection.scalars(query, {"tenant": tenant_id, "person": subject_ref}))


def confirmations() -> sa.ScalarSelect[int]:
    """How many confirmations of an opt-out the person of the row was sent since the last no.

    Parameters: tenant, but (a message that does not count; '' none).
    """
    said = sa.select(sa.func.max(consent_state.c.neg_at)).where(
        consent_state.c.tenant_id == sa.bindparam("tenant"),
        consent_state.c.subject_ref == subject.c.subject_ref,
        says_no(),
    )
    sent = _sent_to(subject.c.subject_ref, message.c.message_class == "opt_out_confirmation")
    counted = sa.select(sa.func.count()).select_from(message).where(sent)
    counted = counted.where(
        message.c.message_ref != sa.bindparam("but", type_=sa.Text),
        message.c.authorised_at >= said.correlate(subject).scalar_subquery(),
    )
    return counted.correlate(subject).scalar_subquery()


def confirmed(connection: Connection, tenant_id: str, subject_ref: str, *, but: str | None = None) -> int:
    """How many confirmations of the last no a person was sent; see `confirmations`."""
    query = sa.select(confirmations()).where(
        subject.c.tenant_id == sa.bindparam("tenant"), subject.c.subject_ref == sa.bindparam("person")
    )
    values = {"tenant": tenant_id, "person": subject_ref, "but": but or ""}
    return connection.execute(query, values).scalar() or 0


def _sent_to(person: sa.ColumnElement[Any], kind: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    same = subject.alias("same")
    merged = sa.select(same.c.subject_ref).where(
        same.c.tenant_id == sa.bindparam("tenant"), same.c.merged_into == person
    )
    merged = merged.correlate(subject)
    return sa.and_(
        message.c.tenant_id == sa.bindparam("tenant"),
        sa.or_(message.c.subject_ref == person, message.c.subject_ref.in_(merged)),
        kind,
        message.c.status.not_in(("cancelled", "denied")),
    )
