"""What makes two people's situations the same: everything that rules and consent rules can tell apart. Pure.

`consent.resolving.resolve` compares sequence numbers and instants only with each other, and those with now;
so only their order counts here, beside what each cell says (its words and its packed number), on which
contact point, and the row of each point. Whoever shares a signature shares every answer.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from governance.communications import dealings
from governance.communications.passes import (
    BAR_ORIGIN,
    BAR_POINT,
    BAR_RECORDED,
    BAR_WORDS,
    CELL_NEG_AT,
    CELL_NEG_SEQ,
    CELL_POINT,
    CELL_POS_AT,
    CELL_POS_SEQ,
    CELL_WORDS,
)

_EVERY, _ANOTHER = -1, -2


def signature_of(
    rows: Sequence[Sequence[Any]],
    cells: Sequence[Sequence[Any]],
    bars: Sequence[Sequence[Any]],
    dealt: Sequence[Sequence[Any]],
    ref_at: int,
) -> Hashable:
    """The signature of anybody, with dealings; `ref_at` is where a row has its contact point."""
    if len(rows) == 1 and len(cells) == 1 and not bars:
        signature = alone(rows[0], cells[0], ref_at)
    else:
        signature = together(rows, cells, bars, ref_at)
    if not dealt:
        return signature
    return signature, dealings.signature(dealt, {row[ref_at]: place for place, row in enumerate(rows)})


def alone(row: Sequence[Any], cell: Sequence[Any], ref_at: int) -> Hashable:
    """The signature of somebody with at most one contact point and one cell.

    The packed number says already how the cell's yes and no stand to each other.
    """
    point = cell[CELL_POINT]
    place = _EVERY if not point else 0 if point == row[ref_at] else _ANOTHER
    return row[1:ref_at], place, cell[CELL_WORDS:]


def together(
    rows: Sequence[Sequence[Any]], cells: Sequence[Sequence[Any]], bars: Sequence[Sequence[Any]], ref_at: int
) -> Hashable:
    """The signature of anybody: rows of contact points, cells and suppressions, in their order."""
    places: Mapping[Any, int] = {row[ref_at]: place for place, row in enumerate(rows)}
    sequence = _ranks(value for cell in cells for value in (cell[CELL_NEG_SEQ], cell[CELL_POS_SEQ]))
    instants = [value for cell in cells for value in (cell[CELL_NEG_AT], cell[CELL_POS_AT])]
    instants += [bar[BAR_RECORDED] for bar in bars]
    moment = _ranks(instants)
    said = tuple(
        (
            cell[CELL_WORDS:],
            places.get(cell[CELL_POINT], _ANOTHER) if cell[CELL_POINT] else _EVERY,
            sequence[cell[CELL_NEG_SEQ]],
            sequence[cell[CELL_POS_SEQ]],
            moment[cell[CELL_NEG_AT]],
            moment[cell[CELL_POS_AT]],
        )
        for cell in cells
    )
    barred = tuple(
        (bar[BAR_WORDS:], places[bar[BAR_POINT]], bar[BAR_ORIGIN] == bar[0], moment[bar[BAR_RECORDED]])
        for bar in bars
    )
    return tuple(row[1:ref_at] for row in rows), said, barred


def _ranks(values: Iterable[Any]) -> Mapping[Any, int]:
    """Each value's place in the order of all; None, which is never, comes first as 0."""
    ordered = sorted({value for value in values if value is not None})
    return {None: 0, **{value: rank for rank, value in enumerate(ordered, start=1)}}
