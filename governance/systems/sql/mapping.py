"""How a database's tables speak of persons: the mapping as values. `reader` reads it from the config. Pure.

Rows are a person's because a key column holds one of their identifiers (`keys`), because they refer to a row
that is theirs (`belongs_to`), or because rows that are theirs refer to them (`shared_through`: a household,
an opportunity with several people; such rows may be other people's too).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from dateutil.relativedelta import relativedelta

PERIOD = re.compile(r"P(?=.)(?:([0-9]{1,3})Y)?(?:([0-9]{1,4})M)?(?:([0-9]{1,5})D)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Key:
    """A column that holds an identifier; `matches` is one of KEY_KINDS."""

    column: str
    matches: str


@dataclass(frozen=True, slots=True)
class Link:
    """A column that refers to another table's. What is None is filled in from the foreign keys."""

    table: str
    column: str | None
    references: str | None


@dataclass(frozen=True, slots=True)
class FieldMap:
    """A column with personal data. `attribute` is what it means to a correction; `replace_with` is put in
    place of a value that must go where the column takes no NULL and is no text."""

    column: str
    data_class: str
    free_text: bool = False
    attribute: str | None = None
    replace_with: str | int | float | bool | None = None


@dataclass(frozen=True, slots=True)
class KeepRule:
    """Rows are kept for a period from the date in a column, or from the end of that date's year."""

    column: str
    period: str
    from_end_of_year: bool
    because: str

    def until(self, start: date) -> date:
        """The first day on which this rule keeps the row no more."""
        found = PERIOD.fullmatch(self.period)
        assert found  # checked when the mapping was read
        years, months, days = (int(each or 0) for each in found.groups())
        origin = date(start.year + 1, 1, 1) if self.from_end_of_year else start
        return origin + relativedelta(years=years, months=months, days=days)


@dataclass(frozen=True, slots=True)
class Restriction:
    """The column that says that a row may only be stored, and its two values."""

    column: str
    on: str | int | bool
    off: str | int | bool | None


@dataclass(frozen=True, slots=True)
class TableMap:
    """One table. `disposition` is what a plan's `delete` becomes here; `keep` holds rows for a time.

    `unlink`: columns (`table.column`) of other people's rows that may be set to NULL when they refer to a row
    that goes. `limit`: more rows than this for one person means that a key is not a person's. `record_key`:
    the column with the ids of governed records.
    """

    name: str
    data_class: str
    person: bool
    keys: tuple[Key, ...]
    belongs_to: tuple[Link, ...]
    shared_through: tuple[Link, ...]
    fields: tuple[FieldMap, ...]
    ignore: frozenset[str]
    disposition: str
    keep: KeepRule | None
    restriction: Restriction | None
    unlink: frozenset[str]
    depends_on: tuple[str, ...]
    limit: int
    shared_addresses: bool
    record_key: str | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The data classes in a row, that of the row itself first."""
        return tuple(dict.fromkeys([self.data_class, *(each.data_class for each in self.fields)]))

    def through(self) -> set[str]:
        """The tables through whose rows this one's are found."""
        return {each.table for each in (*self.belongs_to, *self.shared_through)}

    def named_columns(self) -> set[str]:
        """The columns that the mapping says something about."""
        return set(self.ignore) | {each.column for each in self.fields} | {each.column for each in self.keys}

    def parents(self) -> set[str]:
        """The tables that this one's rows hang on, so that they go first."""
        return {each.table for each in self.belongs_to} | set(self.depends_on)


@dataclass(frozen=True, slots=True)
class SqlMapping:
    """The whole mapping; times in seconds. `country`: where numbers without `+` are dialled."""

    schema: str | None
    tables: Mapping[str, TableMap]
    country: str | None
    timeout_seconds: int
    lock_seconds: int

    def finding_order(self) -> list[str]:
        """Tables so that each comes after those through which its rows are found."""
        return ordered({name: each.through() for name, each in self.tables.items()})


def ordered(needs: Mapping[str, Collection[str]]) -> list[str]:
    """Names so that each comes after what it needs; those of a circle are missing."""
    left = {name: {each for each in need if each != name} for name, need in needs.items()}
    found: list[str] = []
    while ready := sorted(name for name, need in left.items() if need <= set(found)):
        found += ready
        for name in ready:
            del left[name]
    return found
