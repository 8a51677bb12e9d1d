"""The statements about erasures and their steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.erasure.model import (
    CANCELLED,
    COMPLETE,
    LEASE,
    OPEN,
    PARTLY_COMPLETE,
    Erasure,
    Look,
    Part,
    Step,
)
from governance.erasure.tables import erasure, erasure_step

_ERASURE = [erasure.c[name] for name in Erasure.__slots__ if name != "steps"]
STEP = [erasure_step.c[name] for name in Step.__slots__]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on one erasure until `until`; `fence` tells this turn from every other."""

    erasure_id: str
    fence: int
    until: datetime


def add(
    connection: Connection, tenant_id: str, new: Erasure, keys_sealed: bytes | None, event_id: str
) -> None:
    """Insert an erasure with its steps."""
    values = {name: getattr(new, name) for name in Erasure.__slots__ if name != "steps"}
    values |= {"tenant_id": tenant_id, "keys_sealed": keys_sealed, "fence": 0, "event_id": event_id}
    values["scope"] = None if new.scope is None else list(new.scope)
    connection.execute(sa.insert(erasure), values)
    replace_steps(connection, tenant_id, new.erasure_id, new.steps)


def find(connection: Connection, tenant_id: str, erasure_id: str, *, lock: bool = False) -> Erasure | None:
    """The erasure of this id with its steps, our own first."""
    statement = sa.select(*_ERASURE).where(
        erasure.c.tenant_id == tenant_id, erasure.c.erasure_id == erasure_id
    )
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    return None if row is None else _erasures(connection, tenant_id, [row])[0]


def of_subject(
    connection: Connection, tenant_id: str, subject_ref: str, *, lock: bool = False
) -> list[Erasure]:
    """All erasures of a person, newest first."""
    statement = (
        sa.select(*_ERASURE)
        .where(erasure.c.tenant_id == tenant_id, erasure.c.subject_ref == subject_ref)
        .order_by(erasure.c.erasure_id.desc())
    )
    rows = connection.execute(statement.with_for_update() if lock else statement).all()
    return _erasures(connection, tenant_id, rows)


def page(
    connection: Connection, tenant_id: str, *, status: str | None, after: str, limit: int
) -> list[Erasure]:
    """Erasures in the order of their ids (the order of their orders)."""
    statement = sa.select(*_ERASURE).where(erasure.c.tenant_id == tenant_id, erasure.c.erasure_id > after)
    if status is not None:
        statement = statement.where(erasure.c.status == status)
    rows = connection.execute(statement.order_by(erasure.c.erasure_id).limit(limit)).all()
    return _erasures(connection, tenant_id, rows)


def due(connection: Connection, tenant_id: str, now: datetime, limit: int) -> list[str]:
    """Ids of erasures that have something to be done now and that nobody works on."""
    statement = (
        sa.select(erasure.c.erasure_id)
        .where(erasure.c.tenant_id == tenant_id, erasure.c.next_at <= now, _free(now))
        .order_by(erasure.c.next_at, erasure.c.erasure_id)
        .limit(limit)
    )
    return list(connection.scalars(statement))


def to_probe(connection: Connection, tenant_id: str, now: datetime, after: str, limit: int) -> list[str]:
    """Ids, after an id, of finished erasures whose systems are to be read a second time now."""
    statement = (
        sa.select(erasure.c.erasure_id)
        .where(
            erasure.c.tenant_id == tenant_id,
            erasure.c.status.in_((COMPLETE, PARTLY_COMPLETE)),
            erasure.c.probe_at <= now,
            erasure.c.probed_at.is_(None),
            erasure.c.erasure_id > after,
        )
        .order_by(erasure.c.erasure_id)
        .limit(limit)
    )
    return list(connection.scalars(statement))


def with_evidence_over(
    connection: Connection, tenant_id: str, today: date, after: str, limit: int
) -> list[str]:
    """Ids, after an id, of finished erasures whose evidence has reached its term."""
    statement = (
        sa.select(erasure.c.erasure_id)
        .where(
            erasure.c.tenant_id == tenant_id,
            erasure.c.evidence_until < today,
            erasure.c.evidence_shredded_at.is_(None),
            erasure.c.status.not_in((*OPEN, CANCELLED)),
            erasure.c.erasure_id > after,
        )
        .order_by(erasure.c.erasure_id)
        .limit(limit)
    )
    return list(connection.scalars(statement))


def coming_back(connection: Connection, tenant_id: str, after: str, limit: int) -> list[str]:
    """Ids, after an id, of erasures of which something was kept, identifiers still held for its end."""
    statement = (
        sa.select(erasure.c.erasure_id)
        .where(
            erasure.c.tenant_id == tenant_id,
            erasure.c.status == PARTLY_COMPLETE,
            erasure.c.erasure_id > after,
            erasure.c.keys_sealed.is_not(None),
        )
        .order_by(erasure.c.erasure_id)
        .limit(limit)
    )
    return list(connection.scalars(statement))


def claim(connection: Connection, tenant_id: str, erasure_id: str, now: datetime) -> Claim | None:
    """Take the erasure if nobody works on it."""
    mine = sa.and_(erasure.c.tenant_id == tenant_id, erasure.c.erasure_id == erasure_id)
    taken = connection.execute(
        sa.update(erasure).where(mine, _free(now)).values(fence=erasure.c.fence + 1, lease_until=now + LEASE)
    )
    if taken.rowcount != 1:
        return None
    fence = connection.scalar(sa.select(erasure.c.fence).where(mine))
    return Claim(erasure_id, int(fence or 0), now + LEASE)


def holds_claim(connection: Connection, tenant_id: str, claim: Claim, *, until: datetime | None) -> bool:
    """Set the end of the lease, None to give it back; False if somebody else has taken over."""
    kept = connection.execute(
        sa.update(erasure)
        .where(
            erasure.c.tenant_id == tenant_id,
            erasure.c.erasure_id == claim.erasure_id,
            erasure.c.fence == claim.fence,
        )
        .values(lease_until=until)
    )
    return kept.rowcount == 1


def change(connection: Connection, tenant_id: str, erasure_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of one erasure."""
    connection.execute(
        sa.update(erasure)
        .where(erasure.c.tenant_id == tenant_id, erasure.c.erasure_id == erasure_id)
        .values(**values)
    )


def add_step(connection: Connection, tenant_id: str, erasure_id: str, step: Step) -> None:
    """Insert a step that an erasure has got since it was ordered."""
    connection.execute(
        sa.insert(erasure_step), {"tenant_id": tenant_id, "erasure_id": erasure_id, **_row(step)}
    )


def change_step(connection: Connection, tenant_id: str, erasure_id: str, step: Step) -> None:
    """Write a step as it is now."""
    connection.execute(
        sa.update(erasure_step)
        .where(
            erasure_step.c.tenant_id == tenant_id,
            erasure_step.c.erasure_id == erasure_id,
            erasure_step.c.system == step.system,
        )
        .values(**_row(step))
    )


def replace_steps(connection: Connection, tenant_id: str, erasure_id: str, steps: Sequence[Step]) -> None:
    """Give an erasure of which nothing was done yet other steps."""
    mine = sa.and_(erasure_step.c.tenant_id == tenant_id, erasure_step.c.erasure_id == erasure_id)
    connection.execute(sa.delete(erasure_step).where(mine))
    rows = [{"tenant_id": tenant_id, "erasure_id": erasure_id, **_row(step)} for step in steps]
    if rows:
        connection.execute(sa.insert(erasure_step), rows)


def sealed_keys(connection: Connection, tenant_id: str, erasure_id: str) -> bytes | None:
    """What the person is found by elsewhere, sealed; None once it was dropped."""
    return _sealed(connection, tenant_id, erasure_id, erasure.c.keys_sealed)


def sealed_facts(connection: Connection, tenant_id: str, erasure_id: str) -> bytes | None:
    """What retention knew of the person when the erasure began, sealed; None if nothing, or forgotten."""
    return _sealed(connection, tenant_id, erasure_id, erasure.c.facts_sealed)


def _sealed(connection: Connection, tenant_id: str, erasure_id: str, column: sa.Column[Any]) -> bytes | None:
    mine = sa.and_(erasure.c.tenant_id == tenant_id, erasure.c.erasure_id == erasure_id)
    found: bytes | None = connection.scalar(sa.select(column).where(mine))
    return found


def _free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(erasure.c.lease_until.is_(None), erasure.c.lease_until <= now)


def _row(step: Step) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(step, name) for name in Step.__slots__}
    values["data_classes"] = list(step.data_classes)
    values["plan"] = None if step.plan is None else {name: dict(one) for name, one in step.plan.items()}
    values["kept"] = [_part_row(part) for part in step.kept]
    values["parts"] = [_part_row(part) for part in step.parts]
    values["probe"] = None if step.probe is None else [step.probe.status, step.probe.because]
    values["left"] = None if step.left is None else dict(step.left)
    return values


def _part_row(part: Part) -> dict[str, Any]:
    return {
        "data_class": part.data_class,
        "outcome": part.outcome,
        "rows": part.rows,
        "because": part.because,
        "until": None if part.until is None else part.until.isoformat(),
        "during": part.during,
        "rule": part.rule,
    }


def _part(row: Mapping[str, Any]) -> Part:
    until = None if row["until"] is None else date.fromisoformat(row["until"])
    more = (row.get("during"), row.get("rule"))
    return Part(row["data_class"], row["outcome"], row["rows"], row["because"], until, *more)


def read_step(values: Mapping[str, Any]) -> Step:
    """A step from the columns of its row."""
    probe = values["probe"]
    return Step(
        **{
            **values,
            "data_classes": tuple(values["data_classes"]),
            "kept": tuple(_part(each) for each in values["kept"]),
            "parts": tuple(_part(each) for each in values["parts"]),
            "probe": None if probe is None else Look(*probe),
        }
    )


def _erasures(connection: Connection, tenant_id: str, rows: Sequence[Any]) -> list[Erasure]:
    ids = [row.erasure_id for row in rows]
    statement = (
        sa.select(erasure_step.c.erasure_id, *STEP)
        .where(erasure_step.c.tenant_id == tenant_id, erasure_step.c.erasure_id.in_(ids))
        .order_by(erasure_step.c.erasure_id, erasure_step.c.batch, erasure_step.c.system)
    )
    steps: dict[str, list[Step]] = {}
    for row in connection.execute(statement) if ids else ():
        values = row._asdict()
        of = values.pop("erasure_id")
        steps.setdefault(of, []).append(read_step(values))
    found = []
    for row in rows:
        values = row._asdict()
        values["scope"] = None if values["scope"] is None else tuple(values["scope"])
        found.append(Erasure(**values, steps=tuple(steps.get(values["erasure_id"], ()))))
    return found
