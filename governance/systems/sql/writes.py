"""Corrections and restrictions in a person's own rows: rows that are other people's too are never changed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.systems.connector import Problem
from governance.systems.model import CORRECTED, RELEASED, RESTRICTED, Change, StepOutcome
from governance.systems.sql.mapping import FieldMap
from governance.systems.sql.matching import last_digits
from governance.systems.sql.rows import Row, RowKey, Rows
from governance.systems.sql.schema import Schema

Changing = Callable[[Connection, Schema, Mapping[str, Rows]], Sequence[StepOutcome]]


def correct(
    connection: Connection, schema: Schema, found: Mapping[str, Rows], changes: Sequence[Change]
) -> list[StepOutcome]:
    """Write the new values where they belong. Problem if a name means nothing in this system."""
    steps = []
    for change in changes:
        targets = [
            (name, field)
            for name, table in schema.maps.items()
            for field in table.fields
            if change.name in (field.attribute, f"{name}.{field.column}")
        ]
        if not targets:
            raise Problem(
                f"No field of this system is mapped as {change.name}; give a field this `attribute`, name it "
                "as table.column, or see by hand whether it is held.",
                unsupported=True,
            )
        for name, field in targets:
            steps += _correct(connection, schema, name, field, found[name], change)
    return steps


def _correct(
    connection: Connection, schema: Schema, name: str, field: FieldMap, rows: Rows, change: Change
) -> list[StepOutcome]:
    mine = {key: row for key, row in rows.found.items() if key not in rows.shared}
    if change.was is not None:
        mine = {key: row for key, row in mine.items() if _is_so(field, row[field.column], change)}
    if not mine:
        return []
    for key, row in mine.items():
        if row[field.column] != change.value:
            _write(connection, schema, name, key, {field.column: change.value})
            rows.found[key] = {**row, field.column: change.value}  # a later change begins from here
    _reread(connection, schema, name, mine, {field.column: change.value})
    return [StepOutcome(field.data_class, CORRECTED, {name: len(mine)})]


def _is_so(field: FieldMap, held: Any, change: Change) -> bool:
    """Whether a row still holds what is to be changed; addresses and numbers however they are written."""
    if held in (change.was, change.value):
        return True
    if not isinstance(held, str) or not isinstance(change.was, str):
        return False
    if field.attribute == "email":
        return held.strip().lower() == change.was.strip().lower()
    if field.attribute == "phone":
        return bool(last_digits(change.was)) and last_digits(held) == last_digits(change.was)
    return held.strip() == change.was.strip()


def restrict(
    connection: Connection, schema: Schema, found: Mapping[str, Rows], *, on: bool
) -> list[StepOutcome]:
    """Write the mark. Problem if no table of the mapping has one."""
    marked = {name: table.restriction for name, table in schema.maps.items() if table.restriction is not None}
    if not marked:
        raise Problem(
            "No table of this system has a `restriction` column; map one, or restrict by hand.",
            unsupported=True,
        )
    steps = []
    for name, restriction in marked.items():
        mine = {key: row for key, row in found[name].found.items() if key not in found[name].shared}
        value = restriction.on if on else restriction.off
        for key, row in mine.items():
            if row[restriction.column] != value:
                _write(connection, schema, name, key, {restriction.column: value})
        _reread(connection, schema, name, mine, {restriction.column: value})
        if mine:
            kind = RESTRICTED if on else RELEASED
            steps.append(StepOutcome(schema.maps[name].data_class, kind, {name: len(mine)}))
    return steps


def _write(connection: Connection, schema: Schema, name: str, key: RowKey, values: Mapping[str, Any]) -> None:
    source = schema.tables[name]
    done = connection.execute(sa.update(source).where(_row(schema, name, key)).values(**values))
    if done.rowcount != 1:
        raise Problem(f"A row of table {name} could not be changed: something at the database forbids it.")


def _reread(
    connection: Connection, schema: Schema, name: str, rows: Mapping[RowKey, Row], values: Mapping[str, Any]
) -> None:
    source = schema.tables[name]
    for key in rows:
        row = connection.execute(sa.select(source).where(_row(schema, name, key))).mappings().one_or_none()
        if row is None or any(row[column] != value for column, value in values.items()):
            raise Problem(
                f"The table {name} does not hold the new value after it was written; a trigger or a type "
                "changes it. Nothing was changed."
            )


def _row(schema: Schema, name: str, key: RowKey) -> sa.ColumnElement[bool]:
    source = schema.tables[name]
    return sa.and_(*(source.c[each] == value for each, value in zip(schema.key(name), key, strict=True)))
