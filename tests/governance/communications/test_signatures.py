"""People who share a signature must share every answer: proven over random situations, not by example."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from governance.communications.passes import CELL_WORDS
from governance.communications.signatures import alone, together
from governance.consent.kinds import CLAIM, CONSENT, KINDS, OBJECTION, PROFILING, REQUEST
from governance.consent.model import Cell, PointBar, Question
from governance.consent.resolving import resolve

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
DAY = timedelta(days=1)
REF_AT = 2
POINTS = ("pnt_a", "pnt_b")
NEGATIVE = {CONSENT: ("withdrawn", "refused"), OBJECTION: ("marketing", "purpose"), PROFILING: ("profiling",)}
POSITIVE = {CONSENT: "granted", REQUEST: "requested", CLAIM: "unproven"}


def cell(chance: random.Random) -> Cell:
    kind = chance.choice(
        (CONSENT, CONSENT, CONSENT, REQUEST, CLAIM, OBJECTION, PROFILING, KINDS[-1], KINDS[-2])
    )
    says_no = kind not in POSITIVE or (kind == CONSENT and chance.random() < 0.5)
    says_yes = kind in POSITIVE and (not says_no or chance.random() < 0.5)
    return Cell(
        purpose=chance.choice(("marketing", "marketing", "", "profiling")),
        controller=chance.choice(("", "", "brand")),
        channel=chance.choice(("", "email")),
        topic=chance.choice(("", "", "spring")),
        point_ref=chance.choice(("", *POINTS, "pnt_gone")),
        kind=kind,
        neg_status=chance.choice(NEGATIVE.get(kind, ("all",))) if says_no else None,
        neg_seq=chance.randrange(1, 5) if says_no else None,
        neg_at=NOW - chance.randrange(1, 5) * DAY if says_no else None,
        pos_status=POSITIVE[kind] if says_yes else None,
        pos_seq=chance.randrange(1, 5) if says_yes else None,
        pos_at=NOW - chance.randrange(1, 5) * DAY if says_yes else None,
        pos_by_person=says_yes and chance.random() < 0.7,
        pos_expires_at=NOW + chance.choice((-1, 0, 1)) * DAY if says_yes and chance.random() < 0.3 else None,
    )


def age(anchor: datetime | None) -> int | None:
    """Thresholds of two and of three days."""
    return None if anchor is None else (anchor <= NOW - 2 * DAY) + 2 * (anchor <= NOW - 3 * DAY)


def row_of(each: Cell) -> tuple[Any, ...]:
    """A row of the cells' pass, with the packed number as the database makes it."""
    later = each.pos_seq is not None and (
        each.neg_seq is None or (each.pos_seq > each.neg_seq and each.pos_at > each.neg_at)  # type: ignore[operator]
    )
    over = each.pos_expires_at is not None and each.pos_expires_at <= NOW
    aged = 0 if each.pos_at is None else 1 + (age(each.pos_at) or 0)
    packed = each.pos_by_person + 2 * over + 4 * later + 8 * aged
    head = ("sub_1", each.point_ref, each.neg_seq, each.neg_at, each.pos_seq, each.pos_at)
    words = (
        each.purpose,
        each.controller,
        each.channel,
        each.topic,
        each.kind,
        each.neg_status,
        each.pos_status,
    )
    row = (*head, each.pos_expires_at, each.pos_by_person, *words, packed)
    assert row[CELL_WORDS] == each.purpose
    return row


def bar(chance: random.Random) -> PointBar:
    scope = chance.choice(("marketing", "purpose", "purpose", "all"))
    return PointBar(
        scope,
        purpose=chance.choice(("", "marketing")),
        origin_subject_ref=chance.choice(("sub_1", "sub_2")),
        recorded_at=NOW - chance.randrange(1, 5) * DAY,
    )


def bar_row(point: str, each: PointBar) -> tuple[Any, ...]:
    words = (each.scope, each.purpose, each.controller, each.channel, each.topic)
    return ("sub_1", point, each.recorded_at, each.origin_subject_ref, *words)


def answer(cells: list[Cell], bars: dict[str, list[PointBar]], points: tuple[str, ...]) -> tuple[Any, ...]:
    """Everything that facts are made of, for each contact point (or the channel) and two questions."""
    told = []
    for topic in (None, "spring"):
        for point in points or (None,):
            question = Question("marketing", "brand", "email", topic, point, "sub_1")
            found = resolve(cells, question, bars.get(point or "", ()), NOW)
            told.append(
                (
                    found.status,
                    age(found.age_anchor),
                    found.objection,
                    found.suppressed_marketing,
                    found.suppressed_all,
                    found.undeliverable,
                    found.pending_request,
                )
            )
    return tuple(told)


def test_whoever_shares_a_signature_shares_every_answer() -> None:
    chance = random.Random(5)
    answers: dict[Any, set[Any]] = defaultdict(set)
    shared = 0
    for _ in range(40_000):
        points = chance.choice(((), POINTS[:1], POINTS[:1], POINTS))
        cells = [cell(chance) for _ in range(chance.choice((0, 1, 1, 2, 2, 3)))]
        bars = {point: [bar(chance)] for point in points if chance.random() < 0.2}
        rows = [("sub_1", "US", point) for point in points] or [("sub_1", "US", None)]
        cell_rows = [row_of(each) for each in cells]
        bar_rows = [bar_row(point, each) for point, several in bars.items() for each in several]
        told = answer(cells, bars, points)
        signatures = [(len(points), together(rows, cell_rows, bar_rows, REF_AT))]
        if len(rows) == 1 and len(cells) == 1 and not bars:
            signatures.append((len(points), alone(rows[0], cell_rows[0], REF_AT)))
        for signature in signatures:
            shared += signature in answers
            answers[signature].add(told)
    assert shared > 5_000
    assert len({each for several in answers.values() for each in several}) > 100
    assert all(len(several) == 1 for several in answers.values())


def test_the_order_of_a_yes_and_a_no_changes_the_signature() -> None:
    no = Cell("marketing", "", "", "", "", CONSENT, neg_status="withdrawn", neg_seq=1, neg_at=NOW - 2 * DAY)
    early = Cell(
        "marketing", "", "email", "", "", CONSENT, pos_status="granted", pos_seq=2, pos_at=NOW - 3 * DAY
    )
    late = Cell("marketing", "", "email", "", "", CONSENT, pos_status="granted", pos_seq=2, pos_at=NOW - DAY)
    rows = [("sub_1", "US", None)]
    one, other = (together(rows, [row_of(no), row_of(yes)], [], REF_AT) for yes in (early, late))
    assert one != other
