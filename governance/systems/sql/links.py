"""Until when rows that are other people's too stay linked to a person: as the rows that link them. Pure.

Such a row stays; what goes is the row that links the person to it. Where that is kept, the link is.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from governance.systems.model import KEEP_UNTIL, PSEUDONYMISE, Disposition
from governance.systems.sql.fates import Fate, Fates
from governance.systems.sql.mapping import Link, TableMap
from governance.systems.sql.rows import Rows

_UNPLANNED = Disposition(PSEUDONYMISE)
"""Of a link that the plan does not speak of: it is left as it is, nobody says here until when."""


def mark(order: Sequence[str], maps: Mapping[str, TableMap], found: Mapping[str, Rows], fates: Fates) -> None:
    """Write into the fates of rows that are left what still links the person; `order`: links first."""
    for name in order:
        for fate in fates.get(name, {}).values():
            if fate.left:
                ways = list(_ways(maps[name], fate, found, fates))
                fate.linked = max(ways, key=lambda way: way.until or date.max, default=None)


def _ways(table: TableMap, fate: Fate, found: Mapping[str, Rows], fates: Fates) -> Iterator[Disposition]:
    """What keeps each row through which this one is found; nothing of those that go."""
    pairs = [(link, link.references, link.column) for link in table.shared_through]
    pairs += [(link, link.column, link.references) for link in table.belongs_to]
    for link, mine, theirs in pairs:
        yield from _of(link, fate.row[mine or ""], theirs or "", found, fates)


def _of(
    link: Link, value: object, column: str, found: Mapping[str, Rows], fates: Fates
) -> Iterator[Disposition]:
    for key, row in found[link.table].found.items():
        if row[column] != value:
            continue
        other = fates.get(link.table, {}).get(key)
        if other is None:
            yield _UNPLANNED
        elif other.left:
            yield from () if other.linked is None else (other.linked,)
        elif not other.deleted:
            yield from (each for each in other.classes.values() if each.kind == KEEP_UNTIL)
