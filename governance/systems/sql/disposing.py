"""Ends governed records by their own ids, with what hangs on them: the same steps as an erasure."""

from collections.abc import Mapping
from dataclasses import dataclass

from governance.systems.connector import Problem
from governance.systems.model import (
    ANONYMISED,
    ERASED,
    KEPT_UNTIL,
    NOT_FOUND,
    Disposal,
    ErasurePlan,
)
from governance.systems.sql.fates import Fates
from governance.systems.sql.mapping import SqlMapping, TableMap
from governance.systems.sql.matching import condition_for
from governance.systems.sql.rows import Finder, Rows, chunks
from governance.systems.sql.schema import Schema


@dataclass(slots=True)
class RecordFinder(Finder):
    """Finds the rows of records, and the rows that belong to them; nobody's identifiers are looked at."""

    wanted: Mapping[str, tuple[str, ...]] | None = None

    def find(self) -> dict[str, Rows]:
        """All rows by table."""
        found: dict[str, Rows] = {}
        for name in self.mapping.finding_order():
            table, rows = self.schema.maps[name], Rows()
            self._add_records(table, rows)
            for link in table.belongs_to:
                parents = found[link.table].found.values()
                self._add(rows, table, link.column or "", {row[link.references or ""] for row in parents})
            found[name] = rows
        return found

    def _add_records(self, table: TableMap, rows: Rows) -> None:
        column = self.schema.tables[table.name].c.get(table.record_key or "")
        if column is None:
            return
        for chunk in chunks((self.wanted or {}).get(table.name, ())):
            condition = condition_for(column, "external_id", chunk)
            if condition is not None:
                for row in self._select(table, condition, len(chunk)):
                    rows.found[self._key(table.name, row)] = row

    def _most(self, table: TableMap) -> int:
        return table.limit * sum(len(each) for each in (self.wanted or {}).values())


def by_table(mapping: SqlMapping, disposal: Disposal) -> dict[str, tuple[str, ...]]:
    """The record ids by table; they are `table:id` where several keep records of the class. Problem."""
    tables = [
        name
        for name, table in mapping.tables.items()
        if table.record_key is not None and disposal.data_class in table.classes
    ]
    if not tables:
        raise Problem(
            f"No table with data of class {disposal.data_class} has a `record_key`; map the column with the "
            "records' ids."
        )
    found: dict[str, list[str]] = {}
    for record_id in disposal.record_ids:
        name, _, rest = record_id.partition(":")
        if name in tables and rest:
            found.setdefault(name, []).append(rest)
        elif len(tables) == 1:
            found.setdefault(tables[0], []).append(record_id)
        else:
            raise Problem(
                f"Name records of class {disposal.data_class} as table:id; several tables keep them."
            )
    return {name: tuple(ids) for name, ids in found.items()}


def plan_for(mapping: SqlMapping, disposal: Disposal, wanted: Mapping[str, tuple[str, ...]]) -> ErasurePlan:
    """The disposition for every class in the records' tables and in those whose rows hang on them."""
    tables = set(wanted)
    for name in mapping.finding_order():
        if any(link.table in tables for link in mapping.tables[name].belongs_to):
            tables.add(name)
    classes = {each for name in tables for each in mapping.tables[name].classes}
    return ErasurePlan(dict.fromkeys(sorted(classes), disposal.disposition))


def outcomes(
    schema: Schema, disposal: Disposal, wanted: Mapping[str, tuple[str, ...]], decided: Fates
) -> dict[str, str]:
    """What became of each record, by the id under which it was named."""
    found: dict[tuple[str, str], str] = {}
    for name in wanted:
        column = schema.maps[name].record_key or ""
        for fate in decided.get(name, {}).values():
            kept = any(each.until is not None for each in fate.classes.values())
            found[name, str(fate.row[column])] = (
                KEPT_UNTIL if kept else ERASED if fate.deleted else ANONYMISED
            )
    only = next(iter(wanted)) if len(wanted) == 1 else ""
    answer = {}
    for record_id in disposal.record_ids:
        name, _, rest = record_id.partition(":")
        named = (name, rest) if name in wanted and rest else (only, record_id)
        answer[record_id] = found.get(named, NOT_FOUND)
    return answer
