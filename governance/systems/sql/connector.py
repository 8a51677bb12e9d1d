"""The connector `sql`: the verbs over one database."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from governance.systems.connector import Checked, Context, Draft, Problem
from governance.systems.findings import Report
from governance.systems.model import (
    CORRECTED,
    DONE,
    FAILED,
    NOT_FOUND,
    RELEASED,
    RESTRICTED,
    Change,
    Disposal,
    ErasurePlan,
    Item,
    Outcome,
    Received,
    StepOutcome,
    SubjectKeys,
    failed,
    unsupported,
)
from governance.systems.sql import probing, writes
from governance.systems.sql.address import Refused, open_engine, read_url
from governance.systems.sql.erasing import Erasing
from governance.systems.sql.mapping import SqlMapping, TableMap
from governance.systems.sql.probing import unmapped_texts
from governance.systems.sql.reader import Reader
from governance.systems.sql.rows import Finder, Row, Rows
from governance.systems.sql.schema import Schema, reading, reflect, writing
from governance.systems.sql.troubles import sentence_for

Answer = Callable[[], Outcome]


class SqlConnector:
    """Databases that SQLAlchemy reaches. The URL is secret: it may hold a password."""

    secret_members: tuple[str, ...] = ("url",)

    def check(self, draft: Draft) -> Checked:
        """Check URL and mapping without connecting."""
        reader = Reader(draft.data_classes)
        mapping = reader.read(draft.config, draft.country)
        try:
            read_url(draft.secrets.get("url", ""), draft.allow, draft.own)
        except Refused as problem:
            reader.add("url", str(problem))
        classes = frozenset(each for table in mapping.tables.values() for each in table.classes)
        return Checked(reader.complaints, classes - {""})

    def probe(self, context: Context) -> Report:
        """Try the connection and every table, column and foreign key of the mapping."""
        return probing.probe(context)

    def count(self, context: Context, keys: SubjectKeys) -> Outcome:
        """Count a person's rows by table."""

        def answer() -> Outcome:
            with _far(context) as (engine, mapping), reading(engine, mapping) as connection:
                finder = Finder(connection, reflect(connection, mapping), mapping, keys)
                counts = {name: len(rows.found) for name, rows in finder.find().items()}
            return Outcome(DONE, counts=counts, warnings=tuple(finder.warnings))

        return _guarded(answer)

    def look(self, context: Context, keys: SubjectKeys) -> Outcome:
        """A machine counts."""
        return self.count(context, keys)

    def collect(self, context: Context, keys: SubjectKeys) -> Outcome:
        """Read a person's rows: one item per row and data class."""

        def answer() -> Outcome:
            with _far(context) as (engine, mapping), reading(engine, mapping) as connection:
                schema = reflect(connection, mapping)
                finder = Finder(connection, schema, mapping, keys)
                found = finder.find()
                finder.look_for_mentions(found)
                finder.warnings += unmapped_texts(schema, found)
            items = [item for name, rows in found.items() for item in _items(schema, schema.maps[name], rows)]
            counts = {name: len(rows.found) for name, rows in found.items()}
            return Outcome(DONE, counts=counts, items=tuple(items), warnings=tuple(finder.warnings))

        return _guarded(answer)

    def erase(self, context: Context, keys: SubjectKeys, plan: ErasurePlan) -> Outcome:
        """Carry the plan out in one transaction, and read again after its commit."""

        def answer() -> Outcome:
            with _far(context) as (engine, mapping):
                with writing(engine, mapping) as connection:
                    schema = reflect(connection, mapping)
                    outcome = Erasing(connection, schema, mapping, context, keys, plan).run()
                with reading(engine, mapping) as connection:
                    again = Erasing(connection, schema, mapping, context, keys, plan).check()
            told = {each.data_class for each in outcome.steps if each.outcome == FAILED}
            more = tuple(each for each in again if each.data_class not in told)
            return replace(outcome, steps=(*outcome.steps, *more))

        return _guarded(answer)

    def dispose(self, context: Context, disposal: Disposal) -> Outcome:
        """End records and what hangs on them in one transaction, and read again after its commit."""

        def answer() -> Outcome:
            with _far(context) as (engine, mapping):
                with writing(engine, mapping) as connection:
                    schema = reflect(connection, mapping)
                    outcome = Erasing.of_records(connection, schema, mapping, context, disposal).run()
                with reading(engine, mapping) as connection:
                    Erasing.of_records(connection, schema, mapping, context, disposal).check()
            return outcome

        return _guarded(answer)

    def correct(self, context: Context, keys: SubjectKeys, changes: Sequence[Change]) -> Outcome:
        """Put values right in the person's own rows."""

        def change(
            connection: sa.Connection, schema: Schema, found: Mapping[str, Rows]
        ) -> Sequence[StepOutcome]:
            return writes.correct(connection, schema, found, changes)

        return self._change(context, keys, change, CORRECTED)

    def restrict(self, context: Context, keys: SubjectKeys, on: bool) -> Outcome:
        """Set or lift the mark in the person's own rows."""

        def change(
            connection: sa.Connection, schema: Schema, found: Mapping[str, Rows]
        ) -> Sequence[StepOutcome]:
            return writes.restrict(connection, schema, found, on=on)

        return self._change(context, keys, change, RESTRICTED if on else RELEASED)

    def follow_up(self, context: Context, verb: str, reference: str) -> Outcome:
        """Nothing waits in a database."""
        return failed("A database answers at once; there is nothing to follow up.")

    def receive(self, context: Context, headers: Mapping[str, str], body: bytes) -> Received:
        """A database reports nothing by itself."""
        return Received(refused="not-taken")

    def _change(self, context: Context, keys: SubjectKeys, change: writes.Changing, outcome: str) -> Outcome:
        def answer() -> Outcome:
            with _far(context) as (engine, mapping), writing(engine, mapping) as connection:
                schema = reflect(connection, mapping)
                finder = Finder(connection, schema, mapping, keys, lock=True)
                steps = change(connection, schema, finder.find())
            warnings = tuple(finder.warnings)
            steps = tuple(steps) or (StepOutcome("", NOT_FOUND),)
            return Outcome(DONE, steps=tuple(steps), warnings=warnings)

        return _guarded(answer)


@contextmanager
def _far(context: Context) -> Iterator[tuple[Engine, SqlMapping]]:
    """The engine and the mapping of a system; Problem if the operator allows it no longer."""
    draft = context.draft
    mapping = Reader(draft.data_classes).read(draft.config, draft.country)
    try:
        url = read_url(draft.secrets.get("url", ""), draft.allow, draft.own)
    except Refused as problem:
        raise Problem(str(problem)) from None
    engine = open_engine(url, mapping.lock_seconds)
    try:
        yield engine, mapping
    finally:
        engine.dispose()


def _guarded(answer: Answer) -> Outcome:
    """Make an outcome of whatever goes wrong; what the driver says may hold secrets and is not repeated."""
    try:
        return answer()
    except Problem as problem:
        if problem.unsupported:
            return unsupported(problem.sentence)
        return failed(problem.sentence, transient=problem.transient)
    except SQLAlchemyError as error:
        sentence, transient = sentence_for(error)
        return failed(sentence, transient=transient)


def _items(schema: Schema, table: TableMap, rows: Rows) -> Iterator[Item]:
    """The items of one table's rows. Key columns that nobody mapped belong to the row's own class."""
    columns: dict[str, list[str]] = {each: [] for each in table.classes}
    for each in table.fields:
        columns[each.data_class].append(each.column)
    mapped = {each.column for each in table.fields}
    columns[table.data_class] += [each.column for each in table.keys if each.column not in mapped]
    free = {each.column for each in table.fields if each.free_text}
    for key, row in rows.found.items():
        name = "/".join(str(each) for each in key)
        for data_class, names in columns.items():
            if names:
                values = {each: _plain(row[each]) for each in dict.fromkeys(names)}
                texts = tuple(each for each in names if each in free and row[each])
                yield Item(data_class, table.name, name, values, texts, key in rows.shared)


def _plain(value: Any) -> Any:
    """A database value as JSON."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(each) for each in value]
    return str(value)


__all__ = ["Row", "SqlConnector"]
