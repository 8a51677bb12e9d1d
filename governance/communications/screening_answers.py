"""The answers of a screening as they are kept: its outcomes, and the people in packed chunks."""

from collections.abc import Iterator, Sequence
from typing import Any

import rfc8785
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.communications.screening import Chunk, Outcome
from governance.communications.screening_chunks import (
    pack_numbers,
    pack_points,
    pack_refs,
    unpack_numbers,
    unpack_points,
    unpack_refs,
)
from governance.communications.screening_tables import chunk, here, outcome
from governance.ledger import merkle


def packed(part: Chunk) -> tuple[bytes, bytes, bytes]:
    """A chunk's three columns: members, outcomes, points."""
    return pack_refs(part.members), pack_numbers(part.outcomes), pack_points(part.points)


def chunk_text(number: int, known: bool, columns: tuple[bytes, bytes, bytes]) -> bytes:
    """The bytes of a chunk that the results' tree hashes: numbers and lengths first, so nothing can slide."""
    head = f"{number} {int(known)} {len(columns[0])} {len(columns[1])} {len(columns[2])}\n".encode()
    return head + b"".join(columns)


def outcomes_text(outcomes: Sequence[Outcome]) -> bytes:
    """The bytes of all outcomes that the results' tree hashes as its first leaf: canonical JSON."""
    return rfc8785.dumps([_outcome_row(each) for each in outcomes])


def _outcome_row(each: Outcome) -> dict[str, Any]:
    return {
        "number": each.number,
        "allowed": each.allowed,
        "first": each.first,
        "codes": list(each.codes),
        "reasons": [dict(reason) for reason in each.reasons],
        "obligations": [dict(obligation) for obligation in each.obligations],
    }


def add_outcomes(
    connection: Connection, tenant_id: str, screening_id: str, outcomes: Sequence[Outcome]
) -> None:
    """Keep the outcomes of a screening."""
    rows = [{"tenant_id": tenant_id, "screening_id": screening_id, **_outcome_row(each)} for each in outcomes]
    if rows:
        connection.execute(sa.insert(outcome), rows)


def add_chunk(
    connection: Connection,
    tenant_id: str,
    screening_id: str,
    number: int,
    known: bool,
    columns: tuple[bytes, bytes, bytes],
) -> None:
    """Keep one packed chunk."""
    connection.execute(
        sa.insert(chunk).values(
            tenant_id=tenant_id,
            screening_id=screening_id,
            number=number,
            known=known,
            members=columns[0],
            outcomes=columns[1],
            points=columns[2],
        )
    )


def outcomes(connection: Connection, tenant_id: str, screening_id: str) -> list[Outcome]:
    """The outcomes of a screening, by number."""
    rows = connection.execute(
        sa.select(outcome).where(here(outcome, tenant_id, screening_id)).order_by(outcome.c.number)
    )
    return [
        Outcome(
            row.number, row.allowed, tuple(row.codes), row.first, tuple(row.reasons), tuple(row.obligations)
        )
        for row in rows
    ]


def chunks(
    connection: Connection,
    tenant_id: str,
    screening_id: str,
    *,
    only_strangers: bool = False,
    since: int = 0,
) -> Iterator[Chunk]:
    """The people of a screening and their answers, a chunk at a time (memory: one chunk).

    `only_strangers` gives the chunks of ids that lead to nobody, `since` those from this number on.
    """
    numbers = _chunk_numbers(connection, tenant_id, screening_id, only_strangers=only_strangers)
    for number in numbers:
        if number < since:
            continue
        row = _chunk(connection, tenant_id, screening_id, number)
        yield Chunk(
            number,
            row.known,
            unpack_refs(row.members),
            unpack_numbers(row.outcomes),
            unpack_points(row.points),
        )


def chunk_leaves(connection: Connection, tenant_id: str, screening_id: str) -> Iterator[bytes]:
    """The leaf hash (RFC 9162) of each kept chunk, in order."""
    for number in _chunk_numbers(connection, tenant_id, screening_id):
        row = _chunk(connection, tenant_id, screening_id, number)
        text = chunk_text(number, row.known, (row.members, row.outcomes, row.points))
        yield merkle.leaf_hash(text)


def _chunk_numbers(
    connection: Connection, tenant_id: str, screening_id: str, *, only_strangers: bool = False
) -> Sequence[int]:
    query = sa.select(chunk.c.number).where(here(chunk, tenant_id, screening_id)).order_by(chunk.c.number)
    if only_strangers:
        query = query.where(chunk.c.known.is_(False))
    found: Sequence[int] = connection.execute(query).scalars().all()
    return found


def _chunk(connection: Connection, tenant_id: str, screening_id: str, number: int) -> Any:
    return connection.execute(
        sa.select(chunk).where(here(chunk, tenant_id, screening_id), chunk.c.number == number)
    ).one()
