"""Closed requests at the end of their term: forgotten, each with its key; codes and instants stay."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

import sqlalchemy as sa

from governance.errors import ConflictError
from governance.retention.own import OldRow
from governance.rights import service
from governance.rights.model import CLOSED_STATES, OPEN_STATES
from governance.rights.tables import rights_identity, rights_request
from governance.work import Snapshot, Work


def requests(snap: Snapshot, before: datetime, after: str, limit: int) -> list[OldRow]:
    """Closed requests that still hold what the person wrote, in the order of their ids.

    Not those with an open appeal or complaint about them: it may open them again.
    """
    row, about = rights_request.c, rights_request.alias().c
    query = (
        sa.select(row.request_id, row.recorded_at, row.closed_at)
        .where(
            row.tenant_id == snap.tenant_id,
            row.request_id > after,
            row.state.in_(CLOSED_STATES),
            row.closed_at < before,
            row.content_sealed.is_not(None),
            ~sa.exists().where(
                about.tenant_id == snap.tenant_id,
                about.appeal_of == row.request_id,
                about.state.in_(OPEN_STATES),
            ),
        )
        .order_by(row.request_id)
        .limit(limit)
    )
    found = snap.connection.execute(query).all()
    meant = rights_identity.c
    people = sa.select(meant.request_id, meant.subject_ref).where(
        meant.tenant_id == snap.tenant_id,
        meant.request_id.in_([each.request_id for each in found]),
        meant.subject_ref.is_not(None),
    )
    of: dict[str, tuple[str, ...]] = {}
    for each in snap.connection.execute(people):
        of[each.request_id] = (*of.get(each.request_id, ()), each.subject_ref)
    return [
        OldRow(each.request_id, of.get(each.request_id, ()), each.recorded_at, each.closed_at)
        for each in found
    ]


def end_requests(work: Work, ids: Sequence[str]) -> None:
    """Forget requests; one that was opened again or appealed against since it was listed is left."""
    for request_id in ids:
        with suppress(ConflictError):
            service.forget(work, request_id)
