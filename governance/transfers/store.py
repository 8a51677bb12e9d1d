"""Tables of the transfers: mechanisms, flows, how each flow stands, and how many people live where."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from governance.database import Instant, Json, is_sqlite, metadata
from governance.transfers.model import STORED, Flow, Mechanism

transfer_mechanism = sa.Table(
    "transfer_mechanism",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("mechanism_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("instruments", Json, nullable=False),
    sa.Column("unassessed", Json, nullable=False),
    sa.Column("recipients", Json, nullable=False),
    sa.Column("destinations", Json, nullable=False),
    sa.Column("data_classes", Json, nullable=False),
    sa.Column("valid_from", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("owner", sa.Text),
    sa.Column("assessment_reference", sa.Text),
    sa.Column("suspended_at", Instant),
    sa.Column("suspended_by", sa.Text),
    sa.Column("reason_sealed", sa.LargeBinary),
    sa.Column("noticed", sa.Text),
    sa.Column("consent_purpose", sa.Text),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
)
"""What transfers may rest on. `noticed`: the end of which notice was given (`expiring`, `expired`)."""

transfer_flow = sa.Table(
    "transfer_flow",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("flow_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("destination", sa.Text, nullable=False),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("recipient_kind", sa.Text),
    sa.Column("data_classes", Json, nullable=False),
    sa.Column("mechanisms", Json, nullable=False),
    sa.Column("people_per_year", sa.BigInteger, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
)

transfer_flow_standing = sa.Table(
    "transfer_flow_standing",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("flow_id", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("mechanism", sa.Text),
    sa.Column("codes", Json, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
)
"""How each flow stood when it was last announced. Never what a check goes by: that asks anew."""

transfer_people = sa.Table(
    "transfer_people",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("country", sa.Text, primary_key=True),
    sa.Column("people", sa.BigInteger, nullable=False),
    sa.Column("counted_at", Instant, nullable=False),
)
"""How many people live in a country that some flow leaves, as last counted; laws go by such numbers."""

_MECHANISM = [transfer_mechanism.c[name] for name in STORED]
_FLOW = [transfer_flow.c[name] for name in Flow.__slots__]
_LISTS = ("instruments", "unassessed", "recipients", "destinations", "data_classes", "mechanisms")


def mechanisms(connection: Connection, tenant_id: str) -> list[Mechanism]:
    """All mechanisms, by id."""
    query = sa.select(*_MECHANISM).where(transfer_mechanism.c.tenant_id == tenant_id)
    return [
        Mechanism(**_lists(row))
        for row in connection.execute(query.order_by(transfer_mechanism.c.mechanism_id)).mappings()
    ]


def find_mechanism(
    connection: Connection, tenant_id: str, mechanism_id: str, *, lock: bool = False
) -> Mapping[str, Any] | None:
    """The whole row of a mechanism; with `lock` nobody else changes it until the transaction ends."""
    query = sa.select(transfer_mechanism).where(
        transfer_mechanism.c.tenant_id == tenant_id, transfer_mechanism.c.mechanism_id == mechanism_id
    )
    if lock:
        query = query.with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else dict(row)


def read_mechanism(row: Mapping[str, Any]) -> Mechanism:
    """A mechanism from its whole row."""
    return Mechanism(**_lists({name: row[name] for name in STORED}))


def write_mechanism(
    connection: Connection, tenant_id: str, mechanism_id: str, version: int, values: Mapping[str, Any]
) -> bool:
    """Insert version 1 or replace version `version - 1`; False if another writer was faster."""
    return _write(
        connection,
        transfer_mechanism,
        {"tenant_id": tenant_id, "mechanism_id": mechanism_id},
        version,
        {name: _plain(value) for name, value in values.items()},
    )


def note_end(connection: Connection, tenant_id: str, mechanism_id: str, noticed: str) -> None:
    """Write that notice was given of the end of a mechanism."""
    connection.execute(
        sa.update(transfer_mechanism)
        .where(transfer_mechanism.c.tenant_id == tenant_id, transfer_mechanism.c.mechanism_id == mechanism_id)
        .values(noticed=noticed)
    )


def flows(connection: Connection, tenant_id: str) -> list[Flow]:
    """All flows, by id."""
    query = sa.select(*_FLOW).where(transfer_flow.c.tenant_id == tenant_id).order_by(transfer_flow.c.flow_id)
    return [Flow(**_lists(row)) for row in connection.execute(query).mappings()]


def write_flow(connection: Connection, tenant_id: str, new: Flow, values: Mapping[str, Any]) -> bool:
    """Insert version 1 or replace version `new.version - 1`; False if another writer was faster."""
    said = {name: _plain(getattr(new, name)) for name in Flow.__slots__ if name not in ("flow_id", "version")}
    key = {"tenant_id": tenant_id, "flow_id": new.flow_id}
    return _write(connection, transfer_flow, key, new.version, {**said, **values})


def standings(connection: Connection, tenant_id: str) -> dict[str, sa.RowMapping]:
    """How flows stood when it was last said, by flow."""
    query = sa.select(transfer_flow_standing).where(transfer_flow_standing.c.tenant_id == tenant_id)
    return {row["flow_id"]: row for row in connection.execute(query).mappings()}


def write_standing(connection: Connection, values: Mapping[str, Any]) -> None:
    """Write how a flow stands; `values` are the columns."""
    _over(connection, transfer_flow_standing, ("tenant_id", "flow_id"), values)


def people(connection: Connection, tenant_id: str) -> dict[str, int]:
    """How many people live where, as last counted."""
    query = sa.select(transfer_people.c.country, transfer_people.c.people).where(
        transfer_people.c.tenant_id == tenant_id
    )
    return {row.country: row.people for row in connection.execute(query)}


def write_people(connection: Connection, values: Mapping[str, Any]) -> None:
    """Write how many people live in a country; `values` are the columns."""
    _over(connection, transfer_people, ("tenant_id", "country"), values)


def _write(
    connection: Connection, table: sa.Table, key: Mapping[str, str], version: int, values: Mapping[str, Any]
) -> bool:
    new = {**values, "version": version}
    if version == 1:
        insert = sqlite.insert if is_sqlite(connection) else postgresql.insert
        statement = insert(table).values(**key, **new).on_conflict_do_nothing()
        return connection.execute(statement.returning(table.c.version)).first() is not None
    which = [table.c[name] == value for name, value in key.items()]
    change = sa.update(table).where(*which, table.c.version == version - 1).values(new)
    return connection.execute(change).rowcount == 1


def _over(connection: Connection, table: sa.Table, key: tuple[str, ...], values: Mapping[str, Any]) -> None:
    insert = sqlite.insert if is_sqlite(connection) else postgresql.insert
    said = {name: value for name, value in values.items() if name not in key}
    connection.execute(
        insert(table).values(**values).on_conflict_do_update(index_elements=list(key), set_=said)
    )


def _lists(row: Any) -> dict[str, Any]:
    return {name: tuple(value) if name in _LISTS else value for name, value in row.items()}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
