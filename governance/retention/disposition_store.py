"""Statements about dispositions: proposed, decided, carried out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.retention.run_store import OPEN_STATES, disposition

PROPOSED, APPROVED, EXECUTING = OPEN_STATES
DONE, BLOCKED, WITHDRAWN, KEPT = "done", "blocked", "withdrawn", "kept"
STATES = (*OPEN_STATES, DONE, BLOCKED, WITHDRAWN, KEPT)
"""Waits for a decision; may be carried out; is just being; was; was stopped; called off; kept by somebody."""


@dataclass(frozen=True, slots=True)
class Disposition:
    """What is to become of a record, and what became of it. `system` may be this service itself.

    `demand` is delete or review; `rule` won when it was proposed. `because` is a code for why it was stopped,
    `sentence` what the system said to that; `outcome` and `rows_changed` are what the system answered.
    `kept_until`: the ISO day before which nobody asks again. `fence` tells this attempt from every other.
    """

    disposition_id: str
    run_id: str
    system: str
    record_id: str
    subject_ref: str | None
    data_class: str
    demand: str
    rule: str
    kept_until: str | None
    state: str
    because: str | None
    sentence: str | None
    outcome: str | None
    rows_changed: int | None
    proposed_at: datetime
    changed_at: datetime
    decided_by: str | None
    fence: int


_COLUMNS = [disposition.c[each.name] for each in fields(Disposition)]


def settled_keys(
    connection: Connection, tenant_id: str, system: str, record_ids: Collection[str], today: str
) -> set[str]:
    """Those of the records for which a disposition is open, or that somebody keeps for longer than today."""
    rows = connection.execute(
        sa.select(disposition.c.record_id).where(
            disposition.c.tenant_id == tenant_id,
            disposition.c.system == system,
            disposition.c.record_id.in_(list(record_ids)),
            sa.or_(
                disposition.c.state.in_(OPEN_STATES),
                sa.and_(disposition.c.state == KEPT, disposition.c.kept_until >= today),
            ),
        )
    )
    return set(rows.scalars())


def add_many(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert dispositions; each row names every column but the lease's."""
    if rows:
        connection.execute(sa.insert(disposition), rows)


def of_run(
    connection: Connection, tenant_id: str, run_id: str, state: str, demand: str, most: int
) -> list[str]:
    """Some dispositions of a run in one state, by id."""
    rows = connection.execute(
        sa.select(disposition.c.disposition_id)
        .where(
            disposition.c.tenant_id == tenant_id,
            disposition.c.run_id == run_id,
            disposition.c.state == state,
            disposition.c.demand == demand,
        )
        .order_by(disposition.c.disposition_id)
        .limit(most)
    )
    return list(rows.scalars())


def set_state(
    connection: Connection, tenant_id: str, ids: Collection[str], was: str, values: Mapping[str, Any]
) -> int:
    """Change dispositions that are in the state `was`; how many were."""
    return connection.execute(
        sa.update(disposition)
        .where(
            disposition.c.tenant_id == tenant_id,
            disposition.c.disposition_id.in_(list(ids)),
            disposition.c.state == was,
        )
        .values(**values)
    ).rowcount


def find(
    connection: Connection, tenant_id: str, disposition_id: str, *, lock: bool = False
) -> Disposition | None:
    """The disposition of this id; with `lock` nobody else changes it until the transaction ends."""
    query = sa.select(*_COLUMNS).where(
        disposition.c.tenant_id == tenant_id, disposition.c.disposition_id == disposition_id
    )
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else Disposition(*row)


def listed(
    connection: Connection, tenant_id: str, *, state: str | None, run_id: str | None, after: str, limit: int
) -> list[Disposition]:
    """Dispositions with ids after `after`, the oldest first."""
    query = sa.select(*_COLUMNS).where(
        disposition.c.tenant_id == tenant_id, disposition.c.disposition_id > after
    )
    if state is not None:
        query = query.where(disposition.c.state == state)
    if run_id is not None:
        query = query.where(disposition.c.run_id == run_id)
    rows = connection.execute(query.order_by(disposition.c.disposition_id).limit(limit))
    return [Disposition(*row) for row in rows]


def free(
    connection: Connection, tenant_id: str, now: datetime, most: int, systems: Collection[str] | None
) -> list[Disposition]:
    """Approved dispositions, and those whose executor let its lease run out, locked; others pass them by."""
    query = (
        sa.select(*_COLUMNS)
        .where(
            disposition.c.tenant_id == tenant_id,
            disposition.c.state.in_((APPROVED, EXECUTING)),
            sa.or_(disposition.c.lease_until.is_(None), disposition.c.lease_until <= now),
        )
        .order_by(disposition.c.disposition_id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    if systems is not None:
        query = query.where(disposition.c.system.in_(list(systems)))
    return [Disposition(*row) for row in connection.execute(query)]


def any_free(connection: Connection, tenant_id: str, now: datetime) -> bool:
    """Whether anything may be carried out now."""
    found = connection.execute(
        sa.select(disposition.c.disposition_id)
        .where(
            disposition.c.tenant_id == tenant_id,
            disposition.c.state.in_((APPROVED, EXECUTING)),
            sa.or_(disposition.c.lease_until.is_(None), disposition.c.lease_until <= now),
        )
        .limit(1)
    )
    return found.first() is not None


def take(
    connection: Connection, tenant_id: str, disposition_id: str, owner: str, until: datetime, now: datetime
) -> None:
    """Give somebody the lease on a disposition, with a higher fence."""
    connection.execute(
        sa.update(disposition)
        .where(disposition.c.tenant_id == tenant_id, disposition.c.disposition_id == disposition_id)
        .values(
            state=EXECUTING, owner=owner, fence=disposition.c.fence + 1, lease_until=until, changed_at=now
        )
    )


def end(connection: Connection, tenant_id: str, disposition_id: str, values: Mapping[str, Any]) -> None:
    """End an attempt of a disposition that the caller has locked and knows to be its own."""
    connection.execute(
        sa.update(disposition)
        .where(disposition.c.tenant_id == tenant_id, disposition.c.disposition_id == disposition_id)
        .values(owner=None, lease_until=None, **values)
    )


def stretch(connection: Connection, tenant_id: str, disposition_id: str, fence: int, until: datetime) -> bool:
    """Give a sign of life; False if the attempt is not ours any more."""
    return (
        connection.execute(
            sa.update(disposition)
            .where(
                disposition.c.tenant_id == tenant_id,
                disposition.c.disposition_id == disposition_id,
                disposition.c.fence == fence,
                disposition.c.state == EXECUTING,
            )
            .values(lease_until=until)
        ).rowcount
        == 1
    )


def counts(connection: Connection, tenant_id: str, run_id: str | None = None) -> dict[str, int]:
    """How many dispositions are in each state, of a run or of all."""
    query = (
        sa.select(disposition.c.state, sa.func.count().label("number"))
        .where(disposition.c.tenant_id == tenant_id)
        .group_by(disposition.c.state)
    )
    if run_id is not None:
        query = query.where(disposition.c.run_id == run_id)
    return {row.state: row.number for row in connection.execute(query)}
