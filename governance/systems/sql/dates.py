"""Until when one row is kept: by its own date, where its table or a registered record tells it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from governance.systems.connector import Problem
from governance.systems.model import (
    ANONYMISED,
    ERASED,
    KEEP_UNTIL,
    KEPT_UNTIL,
    NOT_FOUND,
    Disposition,
    ErasurePlan,
)
from governance.systems.sql.mapping import TableMap
from governance.systems.sql.rows import Row


class Ended(Protocol):
    """What became of one row (`fates.Fate`)."""

    row: Row
    deleted: bool
    classes: dict[str, Disposition]


def registered(table: TableMap, row: Row, wanted: Disposition) -> tuple[date | None, str] | None:
    """Day and reason of the registered record that the row is; None if it is none."""
    if wanted.own is None or table.record_key is None:
        return None
    name = str(row[table.record_key])
    return wanted.own.records.get(name) or wanted.own.records.get(f"{table.name}:{name}")


def tells_its_own(table: TableMap, row: Row, wanted: Disposition) -> bool:
    """Whether a row's day is counted from its own date."""
    return wanted.own is not None and (table.keep is not None or registered(table, row, wanted) is not None)


def until(table: TableMap, row: Row, wanted: Disposition) -> tuple[date | None, str]:
    """The first day on which nothing keeps the row, and why until then.

    A row that tells no date is kept as long as the newest that there may be.
    """
    day, because = wanted.until, wanted.because
    record = registered(table, row, wanted)
    if record is not None:
        day, because = record
    elif table.keep is not None and wanted.own is not None and wanted.kind == KEEP_UNTIL:
        day = wanted.own.until(_day(table, row))
    if table.keep is not None:
        ours = table.keep.until(_day(table, row))
        if day is None or ours > day:
            day, because = ours, table.keep.because
    return day, because


def records(
    maps: Mapping[str, TableMap], plan: ErasurePlan, decided: Mapping[str, Mapping[tuple[object, ...], Ended]]
) -> dict[str, str]:
    """What became of the registered records that the plan names, by their ids."""
    ended: dict[str, str] = {}
    for data_class, wanted in plan.dispositions.items():
        tables = [each for each in maps.values() if each.record_key and data_class in each.classes]
        if wanted.own is None or not tables:
            continue
        found: dict[str, str] = {}
        for table in tables:
            for fate in decided.get(table.name, {}).values():
                kept = any(each.kind == KEEP_UNTIL for each in fate.classes.values())
                said = KEPT_UNTIL if kept else ERASED if fate.deleted else ANONYMISED
                name = str(fate.row[table.record_key or ""])
                found |= {name: said, f"{table.name}:{name}": said}
        ended |= {name: found.get(name, NOT_FOUND) for name in wanted.own.records}
    return ended


def longest(several: Sequence[Disposition]) -> Disposition:
    """The one that keeps longest."""
    return max(several, key=lambda each: each.until or date.min)


def _day(table: TableMap, row: Row) -> date:
    assert table.keep is not None
    value = row[table.keep.column]
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise Problem(
            f"A row of table {table.name} has no date in {table.keep.column}, so nobody can say until when "
            "it must be kept. Fill the date in, then repeat."
        ) from None
