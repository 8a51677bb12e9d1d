"""Rows of files that were not taken in, at the end of their term: nobody will put them right any more."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from governance.imports.store import import_error, import_run
from governance.retention.own import OldRow
from governance.work import Snapshot, Work


def errors(snap: Snapshot, before: datetime, after: str, limit: int) -> list[OldRow]:
    """Imports that ended and still keep rows that they refused, in the order of their ids."""
    row = import_run.c
    kept = sa.select(import_error.c.import_id).where(
        import_error.c.tenant_id == row.tenant_id, import_error.c.import_id == row.import_id
    )
    query = (
        sa.select(row.import_id, row.finished_at)
        .where(
            row.tenant_id == snap.tenant_id,
            row.import_id > after,
            row.finished_at < before,
            kept.exists(),
        )
        .order_by(row.import_id)
        .limit(limit)
    )
    found = snap.connection.execute(query)
    return [OldRow(each.import_id, (), each.finished_at) for each in found]


def end_errors(work: Work, ids: Sequence[str]) -> None:
    """Delete the rows that these imports refused; their counts stay."""
    at = import_error.c
    work.connection.execute(
        sa.delete(import_error).where(at.tenant_id == work.tenant_id, at.import_id.in_(ids))
    )
