"""The readings of some people in the decision log, the newest first."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection


def reads_of(
    connection: Connection,
    table: sa.Table,
    tenant_id: str,
    subject_refs: Sequence[str],
    action: str,
    *,
    limit: int,
) -> Sequence[sa.RowMapping]:
    """Up to `limit` rows of the log about an action, the newest first; ids grow with the instant."""
    query = (
        sa.select(table.c.decision_id, table.c.at, table.c.allowed, table.c.caller_ref, table.c.body)
        .where(
            table.c.tenant_id == tenant_id,
            table.c.subject_ref.in_(list(subject_refs)),
            table.c.action == action,
        )
        .order_by(table.c.decision_id.desc())
        .limit(limit)
    )
    return connection.execute(query).mappings().all()
