"""What a database looks like today: reflected tables and foreign keys, set beside the mapping."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import NoSuchTableError

from governance.systems.connector import Problem
from governance.systems.sql.mapping import Link, SqlMapping, TableMap, ordered


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: rows of `table` refer to rows of `parent`."""

    table: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """The mapped tables as they are, and every foreign key into them. `maps` has no gaps in its links."""

    tables: Mapping[str, sa.Table]
    maps: Mapping[str, TableMap]
    references: tuple[Reference, ...]
    others: Mapping[str, sa.Table]

    def key(self, name: str) -> tuple[str, ...]:
        """The columns of a table's primary key."""
        return tuple(each.name for each in self.tables[name].primary_key.columns)

    def into(self, name: str) -> list[Reference]:
        """The foreign keys that refer to a table."""
        return [each for each in self.references if each.parent == name]

    def deleting_order(self) -> list[str]:
        """Mapped tables, children before parents: by foreign keys and by what the mapping adds."""
        needs: dict[str, set[str]] = {name: table.parents() for name, table in self.maps.items()}
        for name, table in self.maps.items():
            for link in table.shared_through:
                needs[link.table].add(name)
        for each in self.references:
            if each.table in needs and each.parent in needs and each.table != each.parent:
                needs[each.table].add(each.parent)
        parents_first = ordered(needs)
        rest = [name for name in self.maps if name not in parents_first]
        return [*rest, *reversed(parents_first)]


@contextmanager
def reading(engine: Engine, mapping: SqlMapping) -> Iterator[Connection]:
    """One consistent view in which nothing can be changed."""
    with engine.connect() as plain:
        connection = plain
        if plain.dialect.name == "postgresql":
            connection = plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            _patience(connection, mapping)
            yield connection


@contextmanager
def writing(engine: Engine, mapping: SqlMapping) -> Iterator[Connection]:
    """One transaction; all of it or nothing."""
    with engine.connect() as plain:
        connection = plain.execution_options(system_writes=True)
        with connection.begin():
            _patience(connection, mapping)
            yield connection


def _patience(connection: Connection, mapping: SqlMapping) -> None:
    """Let no statement run, and no lock be waited for, longer than the mapping says."""
    if connection.dialect.name == "postgresql":
        for name, seconds in (
            ("statement_timeout", mapping.timeout_seconds),
            ("lock_timeout", mapping.lock_seconds),
            ("idle_in_transaction_session_timeout", mapping.timeout_seconds),
        ):
            connection.exec_driver_sql(f"SET LOCAL {name} = '{int(seconds)}s'")
    elif connection.dialect.name in ("mysql", "mariadb"):
        connection.exec_driver_sql(f"SET SESSION innodb_lock_wait_timeout = {int(mapping.lock_seconds)}")


def reflect(connection: Connection, mapping: SqlMapping) -> Schema:
    """Read the mapped tables and all foreign keys; Problem names the first thing that is not as mapped."""
    complaints: list[str] = []
    schema = look(connection, mapping, complaints)
    if complaints:
        raise Problem(complaints[0])
    return schema


def look(connection: Connection, mapping: SqlMapping, complaints: list[str]) -> Schema:
    """Read what there is, noting everything that is not as mapped."""
    registry = sa.MetaData()
    tables: dict[str, sa.Table] = {}
    for name in mapping.tables:
        table = _table(connection, registry, mapping.schema, name)
        if table is None:
            complaints.append(f"There is no table {name} (any more); put the mapping right.")
        elif not table.primary_key.columns:
            complaints.append(f"The table {name} has no primary key: its rows cannot be told apart.")
        else:
            tables[name] = table
    references = tuple(_references(connection, mapping.schema))
    maps = {
        name: _complete(table, tables, references, complaints)
        for name, table in mapping.tables.items()
        if name in tables
    }
    outside = {each.table for each in references if each.parent in tables} - set(tables)
    others = {name: _table(connection, registry, mapping.schema, name) for name in sorted(outside)}
    return Schema(tables, maps, references, {name: each for name, each in others.items() if each is not None})


def _table(connection: Connection, registry: sa.MetaData, schema: str | None, name: str) -> sa.Table | None:
    # On SQLite a column holds what was put into it, whatever it was declared as: those values are taken as
    # they are. Elsewhere the driver's types are exact.
    loose = connection.dialect.name == "sqlite"

    def see(_inspector: object, _table: object, column: Any) -> None:
        if loose and not isinstance(column["type"], sa.String | sa.Integer | sa.LargeBinary):
            column["type"] = sa.types.NullType()

    try:
        return sa.Table(
            name,
            registry,
            schema=schema,
            autoload_with=connection,
            resolve_fks=False,
            listeners=[("column_reflect", see)],
        )
    except NoSuchTableError:
        return None


def _references(connection: Connection, schema: str | None) -> Iterator[Reference]:
    found = sa.inspect(connection).get_multi_foreign_keys(schema=schema)
    for (_, table), keys in found.items():
        for each in keys:
            yield Reference(
                table,
                tuple(each["constrained_columns"]),
                each["referred_table"],
                tuple(each["referred_columns"]),
            )


def _complete(
    table: TableMap,
    tables: Mapping[str, sa.Table],
    references: tuple[Reference, ...],
    complaints: list[str],
) -> TableMap:
    """Fill in what the foreign keys know of the links, and see that every named column exists."""
    belongs = []
    for link in table.belongs_to:
        done = _fill(link, table.name, link.table, references, tables)
        belongs.append(done or link)
        if done is None:
            complaints.append(
                f"No foreign key of {table.name} refers to {link.table}; name column and references."
            )
    shared = []
    for link in table.shared_through:
        done = _fill(link, link.table, table.name, references, tables)
        shared.append(done or link)
        if done is None:
            complaints.append(
                f"No foreign key of {link.table} refers to {table.name}; name column and references."
            )
    whole = replace(table, belongs_to=tuple(belongs), shared_through=tuple(shared))
    complaints += [
        f"The table {name} has no column {column} (any more); put the mapping right."
        for name, column in sorted(set(_columns(whole)))
        if name in tables and column not in tables[name].c
    ]
    return whole


def _fill(
    link: Link, child: str, parent: str, references: tuple[Reference, ...], tables: Mapping[str, sa.Table]
) -> Link | None:
    """The link with its columns: by the one foreign key that fits, else by the parent's primary key."""
    fitting = [
        each
        for each in references
        if (each.table, each.parent) == (child, parent)
        and len(each.columns) == 1
        and link.column in (None, each.columns[0])
        and link.references in (None, each.parent_columns[0])
    ]
    if len(fitting) == 1:
        return replace(link, column=fitting[0].columns[0], references=fitting[0].parent_columns[0])
    if link.column is None:
        return None
    if link.references is not None:
        return link
    key = list(tables[parent].primary_key.columns) if parent in tables else []
    return replace(link, references=key[0].name) if len(key) == 1 else None


def _columns(table: TableMap) -> Iterator[tuple[str, str]]:
    """Every column that a table's mapping names, with its table."""
    yield from ((table.name, each.column) for each in table.keys)
    yield from ((table.name, each.column) for each in table.fields)
    yield from ((table.name, each) for each in table.ignore)
    if table.keep is not None:
        yield table.name, table.keep.column
    if table.restriction is not None:
        yield table.name, table.restriction.column
    if table.record_key is not None:
        yield table.name, table.record_key
    for link in table.belongs_to:
        yield table.name, link.column or ""
        yield link.table, link.references or ""
    for link in table.shared_through:
        yield link.table, link.column or ""
        yield table.name, link.references or ""
    for each in table.unlink:
        other, _, column = each.rpartition(".")
        yield other, column


_CHUNK = 200


def is_row(
    source: sa.Table, columns: Sequence[str], keys: Sequence[tuple[Any, ...]]
) -> sa.ColumnElement[bool]:
    """Whether a row is one of these, by one column or several."""
    if len(columns) == 1:
        return source.c[columns[0]].in_([each[0] for each in keys])
    return sa.or_(
        sa.false(),
        *(
            sa.and_(*(source.c[name] == value for name, value in zip(columns, key, strict=True)))
            for key in keys
        ),
    )


def referring(
    connection: Connection, source: sa.Table, reference: Reference, values: Sequence[tuple[Any, ...]]
) -> list[Mapping[str, Any]]:
    """The rows that refer to these values of the parent's columns."""
    found: list[Mapping[str, Any]] = []
    whole = [each for each in values if None not in each]
    for start in range(0, len(whole), _CHUNK):
        chunk = whole[start : start + _CHUNK]
        query = sa.select(source).where(is_row(source, reference.columns, chunk))
        found += [dict(row) for row in connection.execute(query).mappings()]
    return found
