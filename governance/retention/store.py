"""Tables of retention, and the statements about legal holds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from governance.database import Instant, Json, is_sqlite, metadata
from governance.retention.model import ACTIVE, Hold, HoldScope, Record

legal_hold = sa.Table(
    "legal_hold",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("hold_id", sa.Text, primary_key=True),
    sa.Column("scope_kind", sa.Text, nullable=False),
    sa.Column("subject_ref", sa.Text),
    sa.Column("scope", Json, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("placed_by", sa.Text, nullable=False),
    sa.Column("placed_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("closed_at", Instant),
    sa.Column("closed_by", sa.Text),
    sa.Column("noticed", sa.Integer),
    sa.Column("matter_sealed", sa.LargeBinary, nullable=False),
    sa.Column("reason_sealed", sa.LargeBinary, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("legal_hold_state", "tenant_id", "state", "hold_id"),
    sa.Index("legal_hold_subject", "tenant_id", "subject_ref"),
)

governed_record = sa.Table(
    "governed_record",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("system", sa.Text, primary_key=True),
    sa.Column("record_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text),
    sa.Column("data_class", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text),
    sa.Column("jurisdiction", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Column("registered_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("governed_record_subject", "tenant_id", "subject_ref", "data_class"),
    sqlite_with_rowid=False,
)
"""Records of connected systems whose time is watched here. What a record holds stays in its system."""

retention_setting = sa.Table(
    "retention_setting",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("financial_year_end", sa.Text, nullable=False),
    sa.Column("most_share", sa.Integer, nullable=False),
    sa.Column("most_count", sa.BigInteger, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
)
"""`financial_year_end` is MM-DD; `most_share` in tenths of a percent, with `most_count` the blast radius."""

RECORD = [governed_record.c[name] for name in Record.__slots__]
"""The columns of a `Record`, in its order."""


def add_hold(connection: Connection, tenant_id: str, new: Hold) -> None:
    """Insert a hold."""
    connection.execute(
        sa.insert(legal_hold).values(
            tenant_id=tenant_id,
            hold_id=new.hold_id,
            scope_kind=new.scope.kind,
            subject_ref=new.scope.subject_ref,
            scope=new.scope.document(),
            state=new.state,
            placed_by=new.placed_by,
            placed_at=new.placed_at,
            expires_at=new.expires_at,
            matter_sealed=new.matter_sealed,
            reason_sealed=new.reason_sealed,
            event_id=new.event_id,
        )
    )


def update_hold(connection: Connection, tenant_id: str, hold_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of a hold."""
    connection.execute(
        sa.update(legal_hold)
        .where(legal_hold.c.tenant_id == tenant_id, legal_hold.c.hold_id == hold_id)
        .values(**values)
    )


def find_hold(connection: Connection, tenant_id: str, hold_id: str, *, lock: bool = False) -> Hold | None:
    """The hold of this id; with `lock` nobody else changes it until the transaction ends."""
    query = sa.select(legal_hold).where(legal_hold.c.tenant_id == tenant_id, legal_hold.c.hold_id == hold_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _hold(row)


def active_holds(connection: Connection, tenant_id: str, *, subject_refs: Sequence[str] = ()) -> list[Hold]:
    """The holds in force that may touch these people; without any named, those of no particular person."""
    named: sa.ColumnElement[bool] = legal_hold.c.subject_ref.is_(None)
    if subject_refs:
        named = sa.or_(named, legal_hold.c.subject_ref.in_(list(subject_refs)))
    rows = connection.execute(
        sa.select(legal_hold)
        .where(legal_hold.c.tenant_id == tenant_id, legal_hold.c.state == ACTIVE, named)
        .order_by(legal_hold.c.hold_id)
    )
    return [_hold(row) for row in rows]


def held_subjects(connection: Connection, tenant_id: str) -> dict[str, list[str]]:
    """The holds on particular people in force: hold ids by reference."""
    found: dict[str, list[str]] = {}
    rows = connection.execute(
        sa.select(legal_hold.c.subject_ref, legal_hold.c.hold_id)
        .where(
            legal_hold.c.tenant_id == tenant_id,
            legal_hold.c.state == ACTIVE,
            legal_hold.c.subject_ref.is_not(None),
        )
        .order_by(legal_hold.c.hold_id)
    )
    for row in rows:
        found.setdefault(row.subject_ref, []).append(row.hold_id)
    return found


def list_holds(
    connection: Connection, tenant_id: str, *, state: str | None, after: str, limit: int
) -> list[Hold]:
    """Holds with ids after `after`, the oldest first."""
    query = sa.select(legal_hold).where(legal_hold.c.tenant_id == tenant_id, legal_hold.c.hold_id > after)
    if state is not None:
        query = query.where(legal_hold.c.state == state)
    return [_hold(row) for row in connection.execute(query.order_by(legal_hold.c.hold_id).limit(limit))]


def expiring_holds(
    connection: Connection, tenant_id: str, *, before: datetime, after: str, limit: int
) -> list[Hold]:
    """Holds in force that end by themselves before an instant, by id."""
    rows = connection.execute(
        sa.select(legal_hold)
        .where(
            legal_hold.c.tenant_id == tenant_id,
            legal_hold.c.state == ACTIVE,
            legal_hold.c.expires_at <= before,
            legal_hold.c.hold_id > after,
        )
        .order_by(legal_hold.c.hold_id)
        .limit(limit)
    )
    return [_hold(row) for row in rows]


def _hold(row: Any) -> Hold:
    values = {name: tuple(given) for name, given in row.scope.items()}
    return Hold(
        hold_id=row.hold_id,
        scope=HoldScope(row.scope_kind, row.subject_ref, values or None),
        state=row.state,
        placed_by=row.placed_by,
        placed_at=row.placed_at,
        expires_at=row.expires_at,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        noticed=row.noticed,
        matter_sealed=row.matter_sealed,
        reason_sealed=row.reason_sealed,
        event_id=row.event_id,
    )


def find_setting(connection: Connection, tenant_id: str) -> Any:
    """The tenant's own settings as a row, None if it has none."""
    return connection.execute(
        sa.select(retention_setting).where(retention_setting.c.tenant_id == tenant_id)
    ).one_or_none()


def put_setting(connection: Connection, values: Mapping[str, Any]) -> None:
    """Write the tenant's settings over what is there; `values` are the columns."""
    insert = sqlite.insert if is_sqlite(connection) else postgresql.insert
    said = {name: value for name, value in values.items() if name != "tenant_id"}
    connection.execute(
        insert(retention_setting)
        .values(**values)
        .on_conflict_do_update(index_elements=["tenant_id"], set_=said)
    )


def find_record(connection: Connection, tenant_id: str, system: str, record_id: str) -> Record | None:
    """The registered record of this id."""
    row = connection.execute(
        sa.select(*RECORD).where(
            governed_record.c.tenant_id == tenant_id,
            governed_record.c.system == system,
            governed_record.c.record_id == record_id,
        )
    ).one_or_none()
    return None if row is None else Record(*row)
