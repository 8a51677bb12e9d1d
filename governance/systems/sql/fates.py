"""What becomes of each row: deleted, emptied, kept until a day, or left because it is other people's too.

Pure, given the rows and what refers to them. A row is deleted only if every data class in it is to be
deleted; otherwise the fields of each class go their own way. What hangs on a kept row and is of the same
class is kept as long (the lines of an invoice). A row that must stay only because kept rows of the same
person refer to it becomes an empty shell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from governance.systems.connector import Problem
from governance.systems.model import (
    ANONYMISED,
    DELETE,
    ERASED,
    KEEP_UNTIL,
    KEPT_UNTIL,
    NOT_FOUND,
    NULL,
    PSEUDONYMISE,
    Disposition,
    ErasurePlan,
    StepOutcome,
    SubjectKeys,
)
from governance.systems.sql import dates, passes
from governance.systems.sql.mapping import TableMap
from governance.systems.sql.matching import is_text
from governance.systems.sql.rows import Row, RowKey, Rows

LEFT = "left"
"""A row that is other people's too: it stays as it is, the link to this person goes."""

SHELL = Disposition(PSEUDONYMISE)
_STAYS = (
    "The row stays without anything that names the person: other data in it, or kept data that refers to it."
)
_SHARED = "The row is also about other people: it stays, the link to this person was removed."
_LINKED = (
    "The row is also about other people: it stays; the link to this person is kept, or held, and goes later."
)


@dataclass(slots=True)
class Fate:
    """What becomes of one row. `classes` says it class by class; only what the plan speaks of.

    `bare`: it must be found again, and no key column is left that would find it. `linked`: what keeps the
    link to a row that is left; without `until` the plan does not speak of the link. `dated`: the classes
    whose day is counted from a date that the row tells, or rows that it belongs to.
    """

    table: str
    key: RowKey
    row: Row
    deleted: bool
    left: bool = False
    shell: bool = False
    bare: bool = False
    linked: Disposition | None = None
    classes: dict[str, Disposition] = field(default_factory=dict)
    dated: set[str] = field(default_factory=set)

    def outcome_of(self, data_class: str) -> tuple[str, date | None, str]:
        """Outcome, day and reason of one class in this row."""
        wanted = self.classes[data_class]
        if self.left and self.linked is not None and self.linked.until is not None:
            return KEPT_UNTIL, self.linked.until, self.linked.because
        if self.left:
            return ANONYMISED, None, _SHARED if self.linked is None else _LINKED
        if wanted.kind == KEEP_UNTIL:
            return KEPT_UNTIL, wanted.until, wanted.because
        if self.deleted:
            return ERASED, None, ""
        return ANONYMISED, None, _STAYS if self.shell or wanted.kind == DELETE else ""


Fates = Mapping[str, Mapping[RowKey, Fate]]


def decide(
    order: Sequence[str],
    maps: Mapping[str, TableMap],
    rows: Mapping[str, Rows],
    plan: ErasurePlan,
    today: date,
    pseudonym: str = "",
) -> Fates:
    """The fate of every row, before looking at what refers to what; `order`: parents first.

    Problem if a date is missing.
    """
    fates: dict[str, dict[RowKey, Fate]] = {}
    for name in order:
        table = maps[name]
        fates[name] = {}
        for key, row in rows[name].found.items():
            classes = _classes(table, row, plan, today)
            for each in passes.emptied_before(table, row, plan, pseudonym, also_planned=bool(classes)):
                classes[each] = _narrowed(table, row, Disposition(DELETE), today)
            if not classes:
                continue
            fate = fates[name][key] = Fate(name, key, row, False, key in rows[name].shared, classes=classes)
            fate.dated = {each for each in classes if _is_dated(table, row, plan.of(each))}
            if table.keep is None:
                _inherit(table, row, plan, fate, fates)
            every = len(classes) == len(table.classes)
            whole = every and all(each.kind == DELETE for each in classes.values())
            fate.deleted = whole and not fate.left
    return fates


def _is_dated(table: TableMap, row: Row, wanted: Disposition | None) -> bool:
    return wanted is not None and dates.tells_its_own(table, row, wanted)


def _inherit(
    table: TableMap, row: Row, plan: ErasurePlan, fate: Fate, fates: Mapping[str, Mapping[RowKey, Fate]]
) -> None:
    """What belongs to kept rows of the same class is kept as long as the longest of them.

    That is no longer than the rows themselves, where they tell their own date and this one does not.
    """
    theirs: dict[str, list[Fate]] = {}
    for link in table.belongs_to:
        for parent in fates.get(link.table, {}).values():
            if parent.row[link.references or ""] == row[link.column or ""]:
                for data_class in parent.classes.keys() & fate.classes.keys():
                    theirs.setdefault(data_class, []).append(parent)
    for data_class, parents in theirs.items():
        mine, wanted = fate.classes[data_class], plan.of(data_class)
        if data_class not in fate.dated and all(data_class in each.dated for each in parents):
            fate.dated.add(data_class)
            if wanted is not None:
                mine = Disposition(table.disposition)
        fate.classes[data_class] = dates.longest([mine, *(each.classes[data_class] for each in parents)])


def mark_bare(
    order: Sequence[str],
    maps: Mapping[str, TableMap],
    found: Mapping[str, Rows],
    fates: Fates,
    keys: SubjectKeys,
) -> None:
    """See which rows would not be found by a later pass; after `make_shell`."""
    going = {
        name: {
            key: {} if each.deleted or each.left else {one: how.kind for one, how in each.classes.items()}
            for key, each in of_table.items()
        }
        for name, of_table in fates.items()
    }
    for name, key in passes.waiting(order, maps, found, going):
        fate = fates.get(name, {}).get(key)
        if fate is not None and not fate.shell:
            fate.bare = not passes.is_anchored(maps[name], fate.row, going[name][key], keys)


def make_shell(fate: Fate) -> None:
    """Keep a row as an empty shell because kept rows refer to it."""
    fate.deleted, fate.shell = False, True


def _classes(table: TableMap, row: Row, plan: ErasurePlan, today: date) -> dict[str, Disposition]:
    found: dict[str, Disposition] = {}
    for data_class in table.classes:
        wanted = plan.of(data_class)
        if wanted is None:
            continue
        found[data_class] = _narrowed(table, row, wanted, today)
    return found


def _narrowed(table: TableMap, row: Row, wanted: Disposition, today: date) -> Disposition:
    """The plan's disposition for a row, held back by what keeps the row."""
    until, because = dates.until(table, row, wanted)
    if until is not None and until > today:
        return Disposition(KEEP_UNTIL, until, because)
    if wanted.kind in (DELETE, KEEP_UNTIL):
        return Disposition(table.disposition)
    return wanted


def new_values(
    table: TableMap, fate: Fate, columns: Mapping[str, Any], pseudonym: str, unlisted: tuple[str, ...]
) -> dict[str, Any]:
    """What is written into a row that stays. `columns`: reflected columns; `unlisted`: unmapped texts."""
    keys = {each.column for each in table.keys}
    mapped = {each.column: each for each in table.fields}
    own = fate.classes.get(table.data_class)
    values: dict[str, Any] = {}
    for name, each in mapped.items():
        wanted = (
            SHELL if fate.shell and each.data_class in fate.classes else fate.classes.get(each.data_class)
        )
        if wanted is None or wanted.kind == KEEP_UNTIL:
            continue
        needed = fate.bare and name in keys and fate.row[name] is not None
        blank = not needed and (each.free_text or wanted.kind != PSEUDONYMISE)
        word = _word(table, name, each.attribute, pseudonym)
        values[name] = _value(table, columns[name], blank, word, None if needed else each.replace_with)
    emptied = fate.shell or (own is not None and own.kind in (NULL, PSEUDONYMISE))
    if emptied:
        if unlisted:
            raise Problem(
                f"The column {unlisted[0]} of table {table.name} holds text that is neither mapped nor "
                "listed under `ignore`; a row that stays might still name the person. Map it, or ignore it."
            )
        for name in keys - set(mapped):
            values[name] = _value(table, columns[name], False, _word(table, name, None, pseudonym), None)
    if fate.bare:
        _check_found_again(table, fate, values, pseudonym)
    return values


def _check_found_again(table: TableMap, fate: Fate, values: Mapping[str, Any], pseudonym: str) -> None:
    """Problem if the row loses its keys and none of them holds the pseudonym in their place."""
    lost = [each.column for each in table.keys if each.column in values and fate.row[each.column] is not None]
    if lost and not any(str(values[each]).startswith(pseudonym) for each in lost):
        raise Problem(
            f"Other data in a row of table {table.name} must stay, and without its {lost[0]} nobody would "
            "find it again: that column cannot hold a pseudonym. Map it to the data class of the row."
        )


def is_pseudonym(now: object, then: object, pseudonym: str) -> bool:
    """Whether a column holds this person's pseudonym already, where one is to be written."""
    if not isinstance(now, str) or not isinstance(then, str) or not then.startswith(pseudonym[: len(then)]):
        return False
    return len(now) >= min(len(then), len(pseudonym)) and now.startswith(pseudonym[: len(now)])


def _word(table: TableMap, column: str, attribute: str | None, pseudonym: str) -> str:
    """The pseudonym as this column can hold it: where an address is checked for, an address of nobody."""
    if attribute == "email" or any(each.matches == "email" for each in table.keys if each.column == column):
        return f"{pseudonym}@erased.invalid"
    return pseudonym


def _value(table: TableMap, column: Any, blank: bool, pseudonym: str, replace_with: Any) -> Any:
    """NULL, a pseudonym, or what the mapping puts in place; Problem if the column takes none of them."""
    text = is_text(column)
    if replace_with is not None:
        return replace_with
    if blank and column.nullable:
        return None
    if text:
        length = getattr(column.type, "length", None)
        return pseudonym if length is None else pseudonym[:length]
    if column.nullable:
        return None
    raise Problem(
        f"The column {column.name} of table {table.name} takes neither NULL nor text; say in the mapping "
        "what to put there (`replace_with`)."
    )


def steps(fates: Fates, plan: ErasurePlan, classes: frozenset[str]) -> tuple[StepOutcome, ...]:
    """The outcomes by data class; classes of the plan that are mapped here and have no row are not found."""
    counted: dict[tuple[str, str, date | None, str], dict[str, int]] = {}
    for name, of_table in fates.items():
        for fate in of_table.values():
            for data_class in fate.classes:
                outcome, until, because = fate.outcome_of(data_class)
                tables = counted.setdefault((data_class, outcome, until, because), {})
                tables[name] = tables.get(name, 0) + 1
    have = {each[0] for each in counted}
    found = [
        StepOutcome(data_class, outcome, tables, because, until)
        for (data_class, outcome, until, because), tables in counted.items()
    ]
    found += [
        StepOutcome(each, NOT_FOUND) for each in plan.dispositions if each in classes and each not in have
    ]
    return tuple(sorted(found, key=lambda each: (each.data_class, each.outcome, each.until or date.max)))
