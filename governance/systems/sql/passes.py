"""What one pass of an erasure leaves for a later one, when a hold or a term lets go of the rest. Pure.

A row of which something stays must be found again, and what an earlier pass emptied must count as ended, so
that two passes leave the tables as one would.
"""

from collections.abc import Collection, Mapping, Sequence

from governance.systems.model import DELETE, FAILED, KEEP_UNTIL, ErasurePlan, StepOutcome, SubjectKeys
from governance.systems.sql.mapping import FieldMap, Key, TableMap
from governance.systems.sql.rows import Row, Rows

_THERE_AGAIN = (
    "Rows of table {} hold data of the class {} again, which an earlier pass of this erasure ended; they "
    "were left. See whether a program writes them back or the person has come back since; delete what is "
    "not to be there, then retry: what is found then is left."
)


def emptied_before(
    table: TableMap, row: Row, plan: ErasurePlan, pseudonym: str, *, also_planned: bool
) -> tuple[str, ...]:
    """The classes of a row that the plan does not name and an earlier pass emptied: all of them, or none.

    A row that came since holds data of them, and is left as it is. A class without columns of its own counts
    only beside one that the plan names (`also_planned`).
    """
    others = tuple(each for each in table.classes if plan.of(each) is None)
    if not others or not set(others) <= plan.ended:
        return ()
    fields = [each for each in table.fields if each.data_class in others]
    if not also_planned and {each.data_class for each in fields} != set(others):
        return ()
    return others if all(_is_emptied(each, row[each.column], pseudonym) for each in fields) else ()


def there_again(
    maps: Mapping[str, TableMap],
    found: Mapping[str, Rows],
    gone: Collection[tuple[str, tuple[object, ...]]],
    plan: ErasurePlan,
    pseudonym: str,
) -> tuple[StepOutcome, ...]:
    """Classes that earlier passes ended and of which rows hold data again, as failed. `gone`: rows that go.

    Whose they are is for somebody to see: a program writes them back, or the person has come back since.
    """
    tables: dict[str, list[str]] = {}
    for name, rows in found.items():
        for key, row in rows.found.items():
            if key in rows.shared or (name, key) in gone:
                continue
            for each in maps[name].fields:
                ended = each.data_class in plan.ended and plan.of(each.data_class) is None
                if ended and not _is_emptied(each, row[each.column], pseudonym):
                    tables.setdefault(each.data_class, []).append(name)
    return tuple(
        StepOutcome(each, FAILED, {}, _THERE_AGAIN.format(", ".join(dict.fromkeys(names)), each))
        for each, names in sorted(tables.items())
    )


def _is_emptied(field: FieldMap, value: object, pseudonym: str) -> bool:
    """Whether a column holds what an erasure leaves in it."""
    if value is None or _is_pseudonym(value, pseudonym):
        return True
    put = field.replace_with
    return put is not None and (value == put or str(value) == str(put))


def _is_pseudonym(value: object, pseudonym: str) -> bool:
    """Whether a column holds this person's pseudonym, or what of it fitted in."""
    if not isinstance(value, str) or not pseudonym:
        return False
    return value.startswith(pseudonym) or pseudonym.startswith(value)


def waiting(
    order: Sequence[str],
    maps: Mapping[str, TableMap],
    found: Mapping[str, Rows],
    going: Mapping[str, Mapping[tuple[object, ...], Mapping[str, str]]],
) -> set[tuple[str, tuple[object, ...]]]:
    """The rows that a later pass must find: something in them, or in rows found through them, stays.

    `order`: parents first. `going`: by table and row, kinds of disposition by class; `{}` if nothing stays.
    """
    needed: set[tuple[str, str | None, object]] = set()
    rows: set[tuple[str, tuple[object, ...]]] = set()
    for name in reversed(order):
        table = maps[name]
        for key, row in found[name].found.items():
            kinds = going.get(name, {}).get(key)
            stays = kinds is None or (
                bool(kinds) and any(kinds.get(each, KEEP_UNTIL) == KEEP_UNTIL for each in table.classes)
            )
            if not stays and not any((name, column, value) in needed for column, value in row.items()):
                continue
            rows.add((name, key))
            needed |= {(link.table, link.references, row[link.column or ""]) for link in table.belongs_to}
            needed |= {(link.table, link.column, row[link.references or ""]) for link in table.shared_through}
    return rows


def is_anchored(table: TableMap, row: Row, kinds: Mapping[str, str], keys: SubjectKeys) -> bool:
    """Whether a key column that is left as it is finds the row again."""
    classes = {each.column: each.data_class for each in table.fields}
    for key in table.keys:
        mapped = classes.get(key.column)
        kind = kinds.get(mapped or table.data_class, KEEP_UNTIL)
        untouched = kind == KEEP_UNTIL or (mapped is None and kind == DELETE)
        if untouched and _finds(key, row, keys):
            return True
    return False


def _finds(key: Key, row: Row, keys: SubjectKeys) -> bool:
    value = "" if row[key.column] is None else str(row[key.column])
    if key.matches == "email":
        return value.strip().lower() in {each.lower() for each in keys.emails}
    return value in keys.of(key.matches)
