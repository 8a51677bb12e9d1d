"""The decisions about some people and the messages to them, oldest first."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.communications.store import message


def decisions_after(
    connection: Connection,
    table: sa.Table,
    tenant_id: str,
    subject_refs: Sequence[str],
    *,
    after: str,
    limit: int,
) -> Sequence[sa.RowMapping]:
    """Up to `limit` rows of `decision` or `logged_decision` with ids greater than `after`, in order.

    Ids grow with the instant of their making (`governance.ids`).
    """
    query = (
        sa.select(table)
        .where(
            table.c.tenant_id == tenant_id,
            table.c.subject_ref.in_(subject_refs),
            table.c.decision_id > after,
        )
        .order_by(table.c.decision_id)
        .limit(limit)
    )
    return connection.execute(query).mappings().all()


def messages_after(
    connection: Connection, tenant_id: str, subject_refs: Sequence[str], *, after: str, limit: int
) -> Sequence[sa.RowMapping]:
    """Up to `limit` messages with references greater than `after`, in order."""
    query = (
        sa.select(message)
        .where(
            message.c.tenant_id == tenant_id,
            message.c.subject_ref.in_(subject_refs),
            message.c.message_ref > after,
        )
        .order_by(message.c.message_ref)
        .limit(limit)
    )
    return connection.execute(query).mappings().all()
