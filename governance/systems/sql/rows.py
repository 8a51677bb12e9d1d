"""Which rows are a person's: by key columns, by belonging to rows that are, and through rows that are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.systems.connector import Problem
from governance.systems.model import SubjectKeys
from governance.systems.sql.mapping import Key, Link, SqlMapping, TableMap
from governance.systems.sql.matching import condition_for, e164, form_of, is_text
from governance.systems.sql.schema import Schema

Row = Mapping[str, Any]
RowKey = tuple[Any, ...]

CHUNK = 200
_ALIKE = 1000
"""At most so many rows are compared."""


@dataclass(slots=True)
class Rows:
    """A person's rows of one table by primary key. `shared`: those that are other people's too."""

    found: dict[RowKey, Row] = field(default_factory=dict)
    shared: set[RowKey] = field(default_factory=set)


@dataclass(slots=True)
class Finder:
    """Finds a person's rows in one transaction. `lock`: take row locks while reading.

    `pseudonym`: also find rows that an earlier erasure left under this pseudonym. `warnings` are sentences
    without personal data.
    """

    connection: Connection
    schema: Schema
    mapping: SqlMapping
    keys: SubjectKeys
    pseudonym: str = ""
    lock: bool = False
    warnings: list[str] = field(default_factory=list)

    def find(self) -> dict[str, Rows]:
        """All rows by table. Problem if a key finds too much, or nothing where the person plainly is."""
        found: dict[str, Rows] = {}
        for name in self.mapping.finding_order():
            found[name] = self._of_table(self.schema.maps[name], found)
        for name in reversed(self.mapping.finding_order()):
            self._mark_shared(self.schema.maps[name], found)
        for name in self.mapping.finding_order():
            _inherit_shared(self.schema.maps[name], found, self.schema)
        if not any(rows.found for rows in found.values()):
            self._look_everywhere()
        return found

    def look_for_mentions(self, found: Mapping[str, Rows]) -> None:
        """Warn of other people's free texts that mention this person's address: a person should read them."""
        for name, table in self.schema.maps.items():
            source = self.schema.tables[name]
            columns = [source.c[each.column] for each in table.fields if each.free_text]
            words = [sa.func.lower(c).contains(e, autoescape=True) for c in columns for e in self.keys.emails]
            if not words:
                continue
            query = sa.select(*source.primary_key.columns).where(sa.or_(*words)).limit(_ALIKE)
            theirs = {tuple(row) for row in self.connection.execute(query)} - set(found[name].found)
            if theirs:
                self.warnings.append(
                    f"{len(theirs)} texts in rows of table {name} that are not this person's mention their "
                    "e-mail address; somebody should read them."
                )

    def _of_table(self, table: TableMap, found: Mapping[str, Rows]) -> Rows:
        rows = Rows()
        if table.keys:
            for row in self._by_keys(table):
                rows.found[self._key(table.name, row)] = row
            if not rows.found:
                self._look_for_hints(table)
        for link in table.belongs_to:
            assert link.column is not None
            assert link.references is not None
            values = {row[link.references] for row in found[link.table].found.values()}
            self._add(rows, table, link.column, values)
        for link in table.shared_through:
            assert link.column is not None
            assert link.references is not None
            values = {row[link.column] for row in found[link.table].found.values()}
            self._add(rows, table, link.references, values)
        self._check_limit(table, len(rows.found))
        return rows

    def _add(self, rows: Rows, table: TableMap, column: str, values: Iterable[Any]) -> None:
        target = self.schema.tables[table.name].c[column]
        for chunk in chunks([each for each in values if each is not None]):
            for row in self._select(table, target.in_(chunk), self._most(table)):
                rows.found[self._key(table.name, row)] = row

    def _most(self, table: TableMap) -> int:
        """More rows than this of one table cannot be right."""
        return table.limit

    def _check_limit(self, table: TableMap, count: int) -> None:
        if count > self._most(table):
            raise Problem(
                f"The keys of table {table.name} find more than {table.limit} rows for one person: a key "
                "that is not a person's own finds other people's rows. Put the key right, or raise `limit`."
            )

    def _by_keys(self, table: TableMap) -> list[Row]:
        """Rows that a key column points to; one that bears another person's id is that person's."""
        rows: dict[RowKey, Row] = {}
        ids = [each.column for each in table.keys if each.matches == "external_id"]
        others = 0
        for key in table.keys:
            condition = self._matches(table, key)
            if condition is None:
                continue
            most = max(table.limit, _ALIKE) if key.matches == "phone" else table.limit
            for row in self._select(table, condition, most):
                if key.matches == "phone" and not self._same_number(row[key.column]):
                    continue
                if key.matches != "external_id" and ids and not self._may_be_mine(row, ids):
                    others += 1
                else:
                    rows[self._key(table.name, row)] = row
        if others:
            self.warnings.append(
                f"{others} rows of table {table.name} bear this person's address and another person's id; "
                "they were taken for that other person's."
            )
        return list(rows.values())

    def _may_be_mine(self, row: Row, ids: Sequence[str]) -> bool:
        mine = {"", *self.keys.external_ids}
        return all(
            row[each] is None
            or str(row[each]) in mine
            or (self.pseudonym and str(row[each]).startswith(self.pseudonym))
            for each in ids
        )

    def _matches(self, table: TableMap, key: Key) -> sa.ColumnElement[bool] | None:
        column = self.schema.tables[table.name].c[key.column]
        found: list[sa.ColumnElement[bool]] = []
        if values := self.keys.of(key.matches):
            condition = condition_for(column, key.matches, values)
            if condition is not None:
                found.append(condition)
        if self.pseudonym and is_text(column):
            found.append(column.startswith(self.pseudonym, autoescape=True))
        return sa.or_(*found) if found else None

    def _same_number(self, value: object) -> bool:
        if self.pseudonym and isinstance(value, str) and value.startswith(self.pseudonym):
            return True
        return e164(str(value), self.mapping.country) in self.keys.phones

    def _select(self, table: TableMap, condition: sa.ColumnElement[bool], most: int) -> list[Row]:
        """Rows under a condition, one more than `most` at the most, so that a bad key reads no table."""
        source = self.schema.tables[table.name]
        query = sa.select(source).where(condition).limit(most + 1)
        if self.lock:
            query = query.with_for_update()
        rows: list[Row] = [dict(row) for row in self.connection.execute(query).mappings()]
        if len(rows) > most:
            self._check_limit(table, len(rows))
        return rows

    def _key(self, name: str, row: Row) -> RowKey:
        return tuple(row[each] for each in self.schema.key(name))

    def _look_for_hints(self, table: TableMap) -> None:
        """Nothing was found: see that the person is really not there under another column."""
        if table.shared_addresses:
            return
        source = self.schema.tables[table.name]
        ids = [each.column for each in table.keys if each.matches == "external_id"]
        conditions = {each.name: self._anywhere(each) for each in source.columns if is_text(each)}
        usable = [each for each in conditions.values() if each is not None]
        if not usable:
            return
        query = sa.select(source).where(sa.or_(*usable)).limit(_ALIKE)
        values = {each.lower() for each in self._values()}
        for row in self.connection.execute(query).mappings():
            for name in conditions:
                if str(row[name]).strip().lower() in values and not self._is_anothers(dict(row), name, ids):
                    named = ", ".join(each.column for each in table.keys) or "none"
                    raise Problem(
                        f"The keys of table {table.name} ({named}) find nothing, but its column {name} holds "
                        "an identifier of this person. Put the keys right, or, if people share addresses "
                        "there, set `shared_addresses`."
                    )

    def _is_anothers(self, row: Row, column: str, ids: Sequence[str]) -> bool:
        """Whether a row with this person's address bears another person's id: one of the same form."""
        if str(row[column]) in self.keys.external_ids:
            return False
        forms = {form_of(each) for each in self.keys.external_ids}
        return any(row[each] is not None and form_of(str(row[each])) in forms for each in ids)

    def _look_everywhere(self) -> None:
        """No table holds anything: the same question to the tables whose rows are found through others."""
        for table in self.schema.maps.values():
            if not table.keys:
                self._look_for_hints(table)

    def _values(self) -> list[str]:
        return [*self.keys.external_ids, *self.keys.emails, *self.keys.phones]

    def _anywhere(self, column: sa.Column[Any]) -> sa.ColumnElement[bool] | None:
        values = self._values()
        lowered = sa.func.lower(sa.func.trim(column)).in_([each.lower() for each in values])
        return lowered if values else None

    def _mark_shared(self, table: TableMap, found: Mapping[str, Rows]) -> None:
        """Rows found through others are shared if a mapped row that is not this person's refers to them."""
        for link in table.shared_through:
            assert link.references is not None
            by_value = _by_column(found[table.name], link.references)
            for other, column in self._referring(table, link):
                theirs = self.schema.tables[other]
                for chunk in chunks(list(by_value)):
                    query = sa.select(theirs).where(theirs.c[column].in_(chunk))
                    for row in self.connection.execute(query).mappings():
                        if self._key(other, dict(row)) not in found[other].found:
                            found[table.name].shared.update(by_value[row[column]])

    def _referring(self, table: TableMap, link: Link) -> set[tuple[str, str]]:
        """The mapped columns that refer to the same column, except those of rows that hang on this table."""
        assert link.column is not None
        pairs = {(link.table, link.column)}
        for each in self.schema.into(table.name):
            if each.parent_columns == (link.references,) and each.table in self.schema.maps:
                pairs.add((each.table, each.columns[0]))
        below = _below(table.name, self.schema.maps)
        return {(other, column) for other, column in pairs if other not in below}


def _inherit_shared(table: TableMap, found: Mapping[str, Rows], schema: Schema) -> None:
    """What is found only through shared rows is shared as they are."""
    if table.keys or table.shared_through:
        return
    mine = found[table.name]
    for key, row in mine.found.items():
        owners = [
            parent in found[link.table].shared
            for link in table.belongs_to
            for parent, other in found[link.table].found.items()
            if other[link.references or ""] == row[link.column or ""]
        ]
        if owners and all(owners):
            mine.shared.add(key)


def _below(name: str, maps: Mapping[str, TableMap]) -> set[str]:
    """The tables whose rows are found only by hanging on this table's."""
    below: set[str] = set()
    grown = True
    while grown:
        grown = False
        for other, table in maps.items():
            hangs = table.belongs_to and all(link.table in {name, *below} for link in table.belongs_to)
            if other not in below and not table.keys and hangs:
                below.add(other)
                grown = True
    return below


def _by_column(rows: Rows, column: str) -> dict[Any, set[RowKey]]:
    found: dict[Any, set[RowKey]] = {}
    for key, row in rows.found.items():
        if row[column] is not None:
            found.setdefault(row[column], set()).add(key)
    return found


def chunks(values: Sequence[Any], size: int = CHUNK) -> Iterator[Sequence[Any]]:
    """Pieces of a list that a statement's parameters can hold."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
