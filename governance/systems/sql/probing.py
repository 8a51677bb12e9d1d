"""The test of a connection and its mapping: a report in sentences; nothing is changed."""

from collections.abc import Mapping

from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from governance.systems.connector import Context
from governance.systems.findings import Finding, Report
from governance.systems.sql.address import Refused, open_engine, read_url
from governance.systems.sql.mapping import SqlMapping
from governance.systems.sql.matching import is_text
from governance.systems.sql.reader import Reader
from governance.systems.sql.rows import Rows
from governance.systems.sql.schema import Schema, look, reading
from governance.systems.sql.troubles import sentence_for

_OK, _WARNING, _PROBLEM = "ok", "warning", "problem"


def probe(context: Context) -> Report:
    """Connect, read the schema, and set the mapping beside it."""
    draft = context.draft
    mapping = Reader(draft.data_classes).read(draft.config, draft.country)
    try:
        engine = open_engine(
            read_url(draft.secrets.get("url", ""), draft.allow, draft.own), mapping.lock_seconds
        )
    except Refused as problem:
        return Report((Finding(_PROBLEM, "url", str(problem)),))
    try:
        with reading(engine, mapping) as connection:
            return Report(tuple(_findings(connection, mapping)))
    except SQLAlchemyError as error:
        return Report((Finding(_PROBLEM, "url", sentence_for(error)[0]),))
    finally:
        engine.dispose()


def _findings(connection: Connection, mapping: SqlMapping) -> list[Finding]:
    found = [Finding(_OK, "url", f"Connected to a database of kind {connection.dialect.name}.")]
    complaints: list[str] = []
    schema = look(connection, mapping, complaints)
    found += [Finding(_PROBLEM, "tables", each) for each in complaints]
    if complaints:
        return found
    for name, table in schema.maps.items():
        at = f"tables.{name}"
        key = ", ".join(schema.key(name))
        found.append(
            Finding(_OK, at, f"Table {name}: primary key ({key}), {len(table.fields)} fields mapped.")
        )
        found += [
            Finding(_OK, at, f"{name}.{each.column} refers to {each.table}.{each.references}.")
            for each in table.belongs_to
        ]
        found += [
            Finding(
                _OK, at, f"{each.table}.{each.column} refers to {name}.{each.references}; rows may be shared."
            )
            for each in table.shared_through
        ]
        found += _unmapped_texts(schema, name)
    found += _unmapped_tables(schema)
    order = ", ".join(schema.deleting_order())
    found.append(Finding(_OK, "tables", f"Rows are deleted in this order: {order}."))
    return found


def _unmapped_texts(schema: Schema, name: str) -> list[Finding]:
    table = schema.maps[name]
    known = table.named_columns() | set(schema.key(name))
    return [
        Finding(
            _WARNING,
            f"tables.{name}.fields",
            f"{name}.{each.name} holds text and is neither mapped nor ignored: it is not disclosed, and "
            "a row that must stay cannot be emptied.",
        )
        for each in schema.tables[name].columns
        if is_text(each) and each.name not in known and not each.foreign_keys
    ]


def unmapped_texts(schema: Schema, found: Mapping[str, Rows]) -> list[str]:
    """What was not disclosed of tables where the person has rows: texts that nobody mapped."""
    return [
        each.sentence for name, rows in found.items() if rows.found for each in _unmapped_texts(schema, name)
    ]


def _unmapped_tables(schema: Schema) -> list[Finding]:
    return [
        Finding(
            _WARNING,
            f"tables.{each.parent}.unlink",
            f"{each.table}.{each.columns[0]} refers to {each.parent} and is not mapped: a row that it refers "
            "to cannot be deleted.",
        )
        for each in schema.references
        if each.table in schema.others
        and each.parent in schema.maps
        and f"{each.table}.{each.columns[0]}" not in schema.maps[each.parent].unlink
    ]
