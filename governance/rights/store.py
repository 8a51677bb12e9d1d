"""Statements about requests and what belongs to them."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.ledger.store import ledger_entry
from governance.rights.model import (
    OPEN_STATES,
    Identity,
    Letter,
    Match,
    Reopening,
    Request,
    StoredAsk,
    StoredExtension,
)
from governance.rights.tables import (
    rights_ask,
    rights_extension,
    rights_identity,
    rights_letter,
    rights_match,
    rights_reopening,
    rights_request,
)

Row = TypeVar("Row", Request, Identity, Letter, Match, StoredAsk, StoredExtension, Reopening)


_TABLES: Mapping[type, tuple[sa.Table, str]] = {
    Request: (rights_request, "request_id"),
    Identity: (rights_identity, "identity_id"),
    Match: (rights_match, "subject_ref"),
    StoredAsk: (rights_ask, "ask_id"),
    StoredExtension: (rights_extension, "extension_id"),
    Letter: (rights_letter, "letter_id"),
    Reopening: (rights_reopening, "appeal_id"),
}


def add(
    connection: Connection,
    tenant_id: str,
    new: Request | Identity | Match | StoredAsk | StoredExtension | Letter | Reopening,
) -> None:
    """Insert a row of any of the tables."""
    table, _ = _TABLES[type(new)]
    values = {each.name: _written(getattr(new, each.name)) for each in fields(new)}
    connection.execute(sa.insert(table).values(tenant_id=tenant_id, **values))


def find(connection: Connection, tenant_id: str, request_id: str, *, lock: bool = False) -> Request | None:
    """The request of this id; with `lock`, nobody else changes it until the transaction ends."""
    query = _select(Request).where(
        rights_request.c.tenant_id == tenant_id, rights_request.c.request_id == request_id
    )
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else Request(*row)


def parts_of(connection: Connection, tenant_id: str, request_id: str, kind: type[Row]) -> list[Row]:
    """The rows of one kind that belong to a request, in the order in which they were recorded.

    Ids do not order what came at one instant. What the open unit of work records comes last.
    """
    table, key = _TABLES[kind]
    query = (
        _select(kind)
        .where(table.c.tenant_id == tenant_id, table.c.request_id == request_id)
        .order_by(*_recorded(table, tenant_id), table.c[key])
    )
    return [_read(kind, row) for row in connection.execute(query)]


def _recorded(table: sa.Table, tenant_id: str) -> list[sa.ColumnElement[Any]]:
    """By the place of a row's event in the ledger; identities share the event of their request."""
    if "event_id" not in table.c:
        return []
    place = sa.select(ledger_entry.c.position).where(
        ledger_entry.c.tenant_id == tenant_id, ledger_entry.c.event_id == table.c.event_id
    )
    return [sa.nulls_last(place.scalar_subquery())]


def update(connection: Connection, tenant_id: str, request_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of a request."""
    connection.execute(
        sa.update(rights_request)
        .where(rights_request.c.tenant_id == tenant_id, rights_request.c.request_id == request_id)
        .values(**values)
    )


def update_part(
    connection: Connection,
    tenant_id: str,
    kind: type[Identity | StoredAsk | Letter],
    request_id: str,
    key: str,
    values: Mapping[str, Any],
) -> None:
    """Set columns of one row that belongs to a request."""
    table, name = _TABLES[kind]
    connection.execute(
        sa.update(table)
        .where(table.c.tenant_id == tenant_id, table.c.request_id == request_id, table.c[name] == key)
        .values(**values)
    )


def update_match(
    connection: Connection,
    tenant_id: str,
    request_id: str,
    identity_id: str,
    subject_ref: str,
    values: Mapping[str, Any],
) -> None:
    """Set columns of one person whom an identity may mean."""
    at = rights_match.c
    connection.execute(
        sa.update(rights_match)
        .where(
            at.tenant_id == tenant_id,
            at.request_id == request_id,
            at.identity_id == identity_id,
            at.subject_ref == subject_ref,
        )
        .values(**values)
    )


def remove_contents(connection: Connection, tenant_id: str, request_id: str) -> None:
    """Take away everything sealed and every hash of a request; codes and instants stay."""
    blank: tuple[tuple[sa.Table, dict[str, Any]], ...] = (
        (rights_request, {"content_sealed": None}),
        (rights_identity, {"value_sealed": None, "blind_index": None, "suppression_hash": None}),
        (rights_letter, {"content_sealed": None}),
    )
    for table, values in blank:
        connection.execute(
            sa.update(table)
            .where(table.c.tenant_id == tenant_id, table.c.request_id == request_id)
            .values(**values)
        )


def page(
    connection: Connection,
    tenant_id: str,
    *,
    filters: Mapping[str, Any],
    subject_refs: tuple[str, ...] | None = None,
    overdue_at: datetime | None = None,
    after: str = "",
    limit: int,
) -> list[Request]:
    """Requests with ids after `after`, oldest first, that have these values in these columns.

    `subject_refs`: of these people only; `overdue_at`: open and due by then.
    """
    query = _select(Request).where(
        rights_request.c.tenant_id == tenant_id,
        rights_request.c.request_id > after,
        *(rights_request.c[name] == value for name, value in filters.items()),
    )
    if overdue_at is not None:
        query = query.where(rights_request.c.state.in_(OPEN_STATES), rights_request.c.due_at <= overdue_at)
    if subject_refs is not None:
        theirs = sa.select(rights_identity.c.request_id).where(
            rights_identity.c.tenant_id == tenant_id, rights_identity.c.subject_ref.in_(subject_refs)
        )
        query = query.where(rights_request.c.request_id.in_(theirs))
    rows = connection.execute(query.order_by(rights_request.c.request_id).limit(limit))
    return [Request(*row) for row in rows]


def open_ids(
    connection: Connection, tenant_id: str, *, states: tuple[str, ...], after: str, limit: int
) -> list[str]:
    """Ids of requests in these states, after an id, in order."""
    query = (
        sa.select(rights_request.c.request_id)
        .where(
            rights_request.c.tenant_id == tenant_id,
            rights_request.c.state.in_(states),
            rights_request.c.request_id > after,
        )
        .order_by(rights_request.c.request_id)
        .limit(limit)
    )
    return list(connection.scalars(query))


def unmatched(connection: Connection, tenant_id: str, *, after: str, limit: int) -> list[str]:
    """Ids of open requests of which nobody has looked yet whom they mean, after an id, oldest first."""
    query = (
        sa.select(rights_request.c.request_id)
        .where(
            rights_request.c.tenant_id == tenant_id,
            rights_request.c.state.in_(OPEN_STATES),
            rights_request.c.matched_at.is_(None),
            rights_request.c.request_id > after,
        )
        .order_by(rights_request.c.request_id)
        .limit(limit)
    )
    return list(connection.scalars(query))


def sharing(
    connection: Connection,
    tenant_id: str,
    blind_indexes: tuple[str, ...],
    subject_refs: tuple[str, ...],
    *,
    limit: int,
) -> list[str]:
    """Ids of the newest requests that name one of these identifiers or mean one of these people, newest
    first.
    """
    named = rights_identity.c.blind_index.in_(blind_indexes)
    meant = rights_identity.c.subject_ref.in_(subject_refs)
    query = (
        sa.select(rights_identity.c.request_id)
        .where(rights_identity.c.tenant_id == tenant_id, sa.or_(named, meant))
        .distinct()
        .order_by(rights_identity.c.request_id.desc())
        .limit(limit)
    )
    return list(connection.scalars(query))


def repeating(connection: Connection, tenant_id: str, request_id: str) -> list[str]:
    """Ids of requests that repeat this one."""
    query = (
        sa.select(rights_request.c.request_id)
        .where(rights_request.c.tenant_id == tenant_id, rights_request.c.duplicate_of == request_id)
        .order_by(rights_request.c.request_id)
    )
    return list(connection.scalars(query))


def about(connection: Connection, tenant_id: str, request_id: str) -> list[Request]:
    """The appeals against the answer to a request and the complaints about it, oldest first."""
    query = (
        _select(Request)
        .where(rights_request.c.tenant_id == tenant_id, rights_request.c.appeal_of == request_id)
        .order_by(rights_request.c.recorded_at, rights_request.c.request_id)
    )
    return [Request(*row) for row in connection.execute(query)]


def arrived(connection: Connection, tenant_id: str, channel: str, since: datetime, most: int) -> int:
    """How many requests came in on a channel since an instant, counted up to `most`."""
    some = (
        sa.select(rights_request.c.request_id)
        .where(
            rights_request.c.tenant_id == tenant_id,
            rights_request.c.channel == channel,
            rights_request.c.recorded_at > since,
        )
        .limit(most)
        .subquery()
    )
    return connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def _select(kind: type[Row]) -> sa.Select[Any]:
    table, _ = _TABLES[kind]
    return sa.select(*(table.c[each.name] for each in fields(kind)))


def _read(kind: type[Row], row: Any) -> Row:
    if kind is StoredExtension:
        request_id, extension_id, at, until, event_id = row
        day = None if until is None else date.fromisoformat(until)
        return StoredExtension(request_id, extension_id, at, day, event_id)  # type: ignore[return-value]
    return kind(*row)


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value
