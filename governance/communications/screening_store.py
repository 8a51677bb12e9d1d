"""The screenings as they are kept: queued, found, finished; and the parts of an audience of ids."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.communications.screening import Counts, Screening
from governance.communications.screening_chunks import pack_numbers, pack_refs, unpack_numbers, unpack_refs
from governance.communications.screening_tables import audience, here, lease, rejected, screening


def add(connection: Connection, tenant_id: str, new: Screening, event_id: str) -> None:
    """Insert a queued screening and its free lease."""
    connection.execute(
        sa.insert(screening).values(
            tenant_id=tenant_id,
            screening_id=new.screening_id,
            question=dict(new.question),
            audience=dict(new.audience),
            question_digest=new.question_digest,
            status=new.status,
            created_at=new.created_at,
            total=0,
            allowed=0,
            denied=0,
            waterfall=[],
            reasons=[],
            event_id=event_id,
        )
    )
    connection.execute(
        sa.insert(lease).values(tenant_id=tenant_id, screening_id=new.screening_id, fence=0, progress=0)
    )


def add_members(
    connection: Connection,
    tenant_id: str,
    screening_id: str,
    number: int,
    *,
    known: bool,
    members: Sequence[str],
) -> None:
    """Keep a part of an audience of ids: references of people, or (`known` False) ids that lead to nobody."""
    connection.execute(
        sa.insert(audience).values(
            tenant_id=tenant_id,
            screening_id=screening_id,
            number=number,
            known=known,
            members=pack_refs(members),
        )
    )


def members(connection: Connection, tenant_id: str, screening_id: str, *, known: bool) -> Iterator[list[str]]:
    """The parts of an audience of ids, in the order in which they were kept."""
    rows = connection.execute(
        sa.select(audience.c.members)
        .where(here(audience, tenant_id, screening_id), audience.c.known == known)
        .order_by(audience.c.number)
    ).all()
    for row in rows:
        yield unpack_refs(row.members)


def add_rejected(
    connection: Connection,
    tenant_id: str,
    screening_id: str,
    number: int,
    lines: Sequence[int],
    faults: Sequence[int],
) -> None:
    """Keep a part of the lines of a file that hold no id, with the number of what is wrong with each."""
    row = {"tenant_id": tenant_id, "screening_id": screening_id, "number": number}
    packed = {"lines": pack_numbers(lines), "faults": pack_numbers(faults)}
    connection.execute(sa.insert(rejected).values(**row, **packed))


def rejected_lines(connection: Connection, tenant_id: str, screening_id: str) -> Iterator[tuple[int, int]]:
    """The lines of a file that hold no id, in order, each with the number of what is wrong."""
    rows = connection.execute(
        sa.select(rejected.c.lines, rejected.c.faults)
        .where(here(rejected, tenant_id, screening_id))
        .order_by(rejected.c.number)
    ).all()
    for row in rows:
        yield from zip(unpack_numbers(row.lines), unpack_numbers(row.faults), strict=True)


def find(connection: Connection, tenant_id: str, screening_id: str, now: datetime) -> Screening | None:
    """The screening of this id; one that somebody holds a live lease on is `running`."""
    row = connection.execute(
        sa.select(screening, lease.c.until, lease.c.progress)
        .outerjoin(
            lease,
            sa.and_(
                lease.c.tenant_id == screening.c.tenant_id, lease.c.screening_id == screening.c.screening_id
            ),
        )
        .where(here(screening, tenant_id, screening_id))
    ).one_or_none()
    return None if row is None else _screening(row, now)


def _screening(row: Any, now: datetime) -> Screening:
    queued = row.status == "queued"
    running = queued and row.until is not None and row.until > now
    return Screening(
        screening_id=row.screening_id,
        question=row.question,
        audience=row.audience,
        question_digest=row.question_digest,
        status="running" if running else row.status,
        created_at=row.created_at,
        progress=(row.progress or 0) if queued else row.total,
        finished_at=row.finished_at,
        evaluated_at=row.evaluated_at,
        epoch=row.epoch,
        policy=row.policy,
        counts=Counts(
            row.total,
            row.allowed,
            row.denied,
            tuple((code, people) for code, people in row.waterfall),
            tuple((code, people) for code, people in row.reasons),
            None if row.overlap is None else tuple((tuple(codes), people) for codes, people in row.overlap),
        ),
        results_root=row.results_root,
        receipt=row.receipt,
        failure=row.failure,
    )


def completed_at(connection: Connection, tenant_id: str, question_digest: str, epoch: int) -> str | None:
    """The id of the newest completed screening that asked the same at this ledger position, if any."""
    found: str | None = connection.execute(
        sa.select(screening.c.screening_id)
        .where(
            screening.c.tenant_id == tenant_id,
            screening.c.question_digest == question_digest,
            screening.c.epoch == epoch,
            screening.c.status == "completed",
        )
        .order_by(screening.c.created_at.desc(), screening.c.screening_id.desc())
        .limit(1)
    ).scalar()
    return found


def finish(connection: Connection, tenant_id: str, done: Screening) -> None:
    """Write how a screening ended, and give its lease up for good."""
    connection.execute(
        sa.update(screening)
        .where(here(screening, tenant_id, done.screening_id))
        .values(
            status=done.status,
            finished_at=done.finished_at,
            evaluated_at=done.evaluated_at,
            epoch=done.epoch,
            policy=done.policy,
            total=done.counts.total,
            allowed=done.counts.allowed,
            denied=done.counts.denied,
            waterfall=[list(each) for each in done.counts.waterfall],
            reasons=[list(each) for each in done.counts.reasons],
            overlap=None
            if done.counts.overlap is None
            else [[list(codes), people] for codes, people in done.counts.overlap],
            results_root=done.results_root,
            receipt=done.receipt,
            failure=done.failure,
        )
    )
    connection.execute(sa.delete(lease).where(here(lease, tenant_id, done.screening_id)))
