"""The statements about cases that wait: for a system, for a term, for the end of a legal hold."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.erasure.model import OPEN, PARTLY_COMPLETE, Step
from governance.erasure.store import STEP, read_step
from governance.erasure.tables import erasure, erasure_step

_BATCH = 500


def waiting_for(connection: Connection, tenant_id: str, system_id: str) -> Iterator[tuple[Step, bool]]:
    """The shares of a system in cases that are open or keep something; whether each case is open."""
    statement = (
        sa.select(erasure.c.status.label("case_status"), *STEP)
        .join(
            erasure_step,
            sa.and_(
                erasure_step.c.tenant_id == erasure.c.tenant_id,
                erasure_step.c.erasure_id == erasure.c.erasure_id,
            ),
        )
        .where(
            erasure.c.tenant_id == tenant_id,
            erasure_step.c.system == system_id,
            sa.or_(
                erasure.c.status.in_(sorted(OPEN)),
                sa.and_(erasure.c.status == PARTLY_COMPLETE, erasure.c.keys_sealed.is_not(None)),
            ),
        )
    )
    for row in connection.execute(statement):
        values = row._asdict()
        status = values.pop("case_status")
        yield read_step(values), status in OPEN


def with_keys(connection: Connection, tenant_id: str) -> Iterator[list[tuple[str, str, bytes]]]:
    """Cases that are not over, with their persons and sealed keys, in batches, the newest first."""
    before: str | None = None
    while True:
        of = [
            erasure.c.tenant_id == tenant_id,
            erasure.c.keys_sealed.is_not(None),
            erasure.c.status.in_((*sorted(OPEN), PARTLY_COMPLETE)),
        ]
        of += [] if before is None else [erasure.c.erasure_id < before]
        statement = sa.select(erasure.c.erasure_id, erasure.c.subject_ref, erasure.c.keys_sealed).where(*of)
        rows = connection.execute(statement.order_by(erasure.c.erasure_id.desc()).limit(_BATCH)).all()
        if not rows:
            return
        before = rows[-1].erasure_id
        yield [(row.erasure_id, row.subject_ref, row.keys_sealed) for row in rows]


def wake(
    connection: Connection, tenant_id: str, now: datetime, status: str, subject_refs: Sequence[str] | None
) -> None:
    """Let steps in a state, and their cases, be looked at now; `subject_refs`: of these people only."""
    whose: list[sa.ColumnElement[bool]] = [erasure.c.tenant_id == tenant_id]
    if subject_refs is not None:
        whose.append(erasure.c.subject_ref.in_(list(subject_refs)))
    waiting = sa.and_(erasure_step.c.tenant_id == tenant_id, erasure_step.c.status == status)
    steps = sa.select(erasure_step.c.erasure_id).where(waiting)
    cases = sa.select(erasure.c.erasure_id).where(*whose)
    connection.execute(sa.update(erasure).where(*whose, erasure.c.erasure_id.in_(steps)).values(next_at=now))
    connection.execute(
        sa.update(erasure_step).where(waiting, erasure_step.c.erasure_id.in_(cases)).values(next_at=now)
    )
