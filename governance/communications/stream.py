"""The gate's facts as a stream: one pass over an audience, each distinct situation reckoned once.

Five ordered passes over the same tables and conditions as the queries for one person (`facts.joined`,
`dealings.offered`): people, contact points, cells of consent state, suppressions, dealings. They are laid
side by side person by person.
People whose rows agree in everything that a rule or the consent rules can tell apart (`signatures`) have the
same answer; the first of them goes through the same `Situation` as a check.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from operator import itemgetter
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.communications import dealings, facts
from governance.communications.alike import Alike
from governance.communications.asked import Asked
from governance.communications.facts import Raw, Reading
from governance.communications.given import same_for_all
from governance.communications.local_time import CLOCK, LOCAL, WEEKDAY
from governance.communications.model import ACTION
from governance.communications.narrowing import Key, narrowed
from governance.communications.passes import POINT_NAMES, Passes, Side
from governance.communications.selection import EVERYONE, Selection
from governance.communications.signatures import signature_of
from governance.communications.situations import (
    CALL_WINDOWS,
    CONFIRMED,
    OPT_OUT_AGE,
    SOFT_OPT_IN_AGE,
    Situation,
)
from governance.policy.buckets import Bucketer, Vector
from governance.policy.compiled import CompiledPolicy

Answer = TypeVar("Answer")
Found = tuple[str, Sequence[tuple[str | None, Answer]]]
"""subject_ref, and for every contact point that counts (None: channel level) its answer."""

COVERED = "place.covered"
_REDUCED = (
    "consent.age",
    "consent.refused_age",
    SOFT_OPT_IN_AGE,
    *CALL_WINDOWS,
    OPT_OUT_AGE,
    CONFIRMED,
    CLOCK,
    WEEKDAY,
)
"""Facts that a world holds as they are; all others a rule compares by size are reduced by the database."""
_CHUNK = 500
_NOBODY: Raw = (None,)
"""Where a pass is at its end."""

_NO_POINT = (None,) * len(POINT_NAMES)
_MEMORY = 200_000
"""So many situations are remembered before remembering starts afresh: memory stays flat."""


def vectors(
    connection: Connection,
    tenant_id: str,
    asked: Asked,
    policy: CompiledPolicy,
    now: datetime,
    selection: Selection = EVERYONE,
    *,
    evaluate: Callable[[Vector], Answer],
) -> Iterator[Found[Answer]]:
    """Pass over an audience by `subject_ref`, calling `evaluate` once for each distinct vector.

    A person is permitted if every answer is. Memory does not grow with the audience.
    """
    return _Stream(connection, tenant_id, asked, policy, now, evaluate).people(selection)


class _Stream(Generic[Answer]):
    def __init__(
        self,
        connection: Connection,
        tenant_id: str,
        asked: Asked,
        policy: CompiledPolicy,
        now: datetime,
        evaluate: Callable[[Vector], Answer],
    ) -> None:
        self.connection, self.now = connection, now
        self.bucketer: Bucketer = policy.bucketer(ACTION, now)
        self.asked = replace(asked, at_all_hours=LOCAL.isdisjoint(self.bucketer.names))
        self.evaluate = evaluate
        self.answers: dict[Vector, Answer] = {}
        self.people_by_key: dict[Raw, dict[str, Any]] = {}
        used = [name for name in policy.fact_names(ACTION) if name not in asked.facts]
        if asked.abroad is not None and "person.country" not in used:
            used.append("person.country")
        thresholds = policy.thresholds(ACTION)
        self.key: Key = narrowed(
            used,
            thresholds,
            now,
            calls=asked.facts["message.channel"] == "voice",
            numbers=asked.point_type == "phone",
            confirming=asked.confirms_an_opt_out,
        )
        yes, no, sold = (
            thresholds.get(name, ()) for name in ("consent.age", "consent.refused_age", SOFT_OPT_IN_AGE)
        )
        if asked.confirms_an_opt_out:
            no = (*no, *thresholds.get(OPT_OUT_AGE, ()))
        self.passes = Passes(self.key.columns, yes, no, sold, now, every_no=asked.every_no)
        self.reading = Reading.of(connection)
        self.reduced = [name for name in _REDUCED if name in self.bucketer.names]
        self.values: Mapping[str, Any] = {
            "tenant": tenant_id,
            "type": asked.point_type,
            "purpose": asked.consent.purpose,
            "channel": asked.consent.channel,
            "but": "",
            **dealings.values(asked),
        }
        # A person with one contact point is one row: reference, the person's key, the contact point, of which
        # the reference comes last. Who has none has a row that says None of it.
        self.point_at = 1 + len(self.key.columns)
        self.ref_at = self.point_at + len(facts.POINT_COLUMNS) - 1
        self.by_point = itemgetter(self.ref_at)
        self.remembered: dict[Any, Sequence[tuple[int | None, Answer]]] = {}
        # Those who differ in nothing that counts where they are, by a signature of their own.
        self.alike = Alike(policy, self.bucketer, same_for_all(asked), now)
        self.counted: dict[Any, Sequence[tuple[int | None, Answer]]] = {}

    def people(self, selection: Selection) -> Iterator[Found[Answer]]:
        """Pass over the selected people."""
        narrowing = self.passes.of(
            selection.relationship, selection.country, after=selection.after, until=selection.until
        )
        if selection.subject_refs is None:
            yield from self._pass(narrowing, self.values)
            return
        part = self.passes.of_refs()
        ordered = sorted(set(selection.subject_refs))
        for start in range(0, len(ordered), _CHUNK):
            yield from self._pass(part, {**self.values, "people": ordered[start : start + _CHUNK]})

    def _pass(self, queries: Sequence[sa.Select[Any]], values: Mapping[str, Any]) -> Iterator[Found[Answer]]:
        with ExitStack() as stack:
            people, points, cells = (
                self.passes.rows(self.connection, query, values, stack) for query in queries[:3]
            )
            bars: Iterator[Raw] = iter(())
            if self.passes.any_bars(self.connection, self.values):
                bars = self.passes.rows(self.connection, queries[3], values, stack)
            dealt: Iterator[Raw] = iter(())
            if dealings.counts(self.asked) and self.passes.any_dealings(self.connection, self.values):
                dealt = self.passes.rows(self.connection, queries[4], values, stack)
            sides = Side(cells), Side(bars), Side(dealt)
            yield from self._answered(people, points, *sides)
            # Whoever is left over was passed by in another order: somebody's no might have been missed.
            if any(side.ref is not None for side in sides):
                raise ValueError("consent state and people came in different orders; see the collation")

    def _answered(
        self, people: Iterator[Raw], points: Iterator[Raw], *sides: Side
    ) -> Iterator[Found[Answer]]:
        """Lay the passes side by side. Most people are met here only, so this loop does little for each."""
        plain: dict[Any, Sequence[tuple[str | None, Answer]]] = {}
        reached: dict[Any, Answer] = {}
        known, known_at = plain.get, reached.get
        spoken = _least(sides)
        point = next(points, _NOBODY)
        whose = point[0]
        for row in people:
            ref = row[0]
            if ref == whose:
                # Of whom nothing is said: the person's key and that of the contact point are all there is.
                first = point
                point = next(points, _NOBODY)
                whose = point[0]
                if ref != spoken and ref != whose:
                    key = (*row[1:], *first[1:-1])
                    answer = known_at(key)
                    if answer is None:
                        answer = reached[key] = self._of_alike(((*row, *first[1:]),), (), (), ())[0][1]
                    yield ref, ((first[-1], answer),)
                    continue
                several = [first]
                while ref == whose:
                    several.append(point)
                    point = next(points, _NOBODY)
                    whose = point[0]
                rows = [(*row, *each[1:]) for each in several]
                rows.sort(key=self.by_point)
            elif ref != spoken:
                alone = row[1:]
                found = known(alone)
                if found is None:
                    answer = self._of_alike(((*row, *_NO_POINT),), (), (), ())[0][1]
                    found = plain[alone] = ((None, answer),)
                yield ref, found
                continue
            else:
                rows = [(*row, *_NO_POINT)]
            said = [side.take(ref) for side in sides]
            spoken = _least(sides)
            yield ref, self._mixed(rows, *said)
        if whose is not None:
            raise ValueError("contact points and people came in different orders; see the collation")

    def _mixed(
        self, rows: Sequence[Raw], cells: Sequence[Raw], bars: Sequence[Raw], dealt: Sequence[Raw]
    ) -> Sequence[tuple[str | None, Answer]]:
        """The answers of somebody with several contact points, or of whom consent state says something."""
        at = self.ref_at
        signature = signature_of(rows, cells, bars, dealt, at)
        found = self.remembered.get(signature)
        if found is None:
            if len(self.remembered) >= _MEMORY:
                self.remembered.clear()
            found = self.remembered[signature] = self._of_alike(rows, cells, bars, dealt)
        if len(found) == 1:
            place, answer = found[0]
            return ((None if place is None else rows[place][at], answer),)
        return [(None if place is None else rows[place][at], answer) for place, answer in found]

    def _of_alike(
        self, rows: Sequence[Raw], cells: Sequence[Raw], bars: Sequence[Raw], dealt: Sequence[Raw]
    ) -> Sequence[tuple[int | None, Answer]]:
        """The answers of whoever differs in nothing that counts; reckoned for the first of them."""
        at = self.point_at
        person = self.alike.reduced(self._person(rows[0]), (row[at + 1] for row in rows))
        short = [(row[0], person, *row[at:]) for row in rows]
        signature = signature_of(short, cells, bars, dealt, self.ref_at - at + 2)
        found = self.counted.get(signature)
        if found is None:
            if len(self.counted) >= _MEMORY:
                self.counted.clear()
            found = self.counted[signature] = self._reckoned(rows, cells, bars, dealt)
        return found

    def _person(self, row: Raw) -> Mapping[str, Any]:
        """The facts of a person's own row."""
        key = row[1 : self.point_at]
        known = self.people_by_key.get(key)
        if known is None:
            if len(self.people_by_key) >= _MEMORY:
                self.people_by_key.clear()
            known = self.people_by_key[key] = self.key.person(key)
        return known

    def _reckoned(
        self, rows: Sequence[Raw], cells: Sequence[Raw], bars: Sequence[Raw], dealt: Sequence[Raw]
    ) -> Sequence[tuple[int | None, Answer]]:
        """The answers of a person as a check reckons them, with the place of each contact point's row."""
        first = rows[0]
        situation = Situation(
            subject_ref=first[0],
            external_id="",
            person=self._person(first),
            points=self.reading.points(rows, self.point_at),
            cells=tuple(self.passes.cell(self.reading, raw) for raw in cells),
            bars=self.passes.bars(self.reading, bars),
            dealings=dealings.read(self.reading, dealt) if dealings.counts(self.asked) else None,
        )
        places = {row[self.ref_at]: place for place, row in enumerate(rows)}
        return [
            (None if world.point_ref is None else places[world.point_ref], self._answer(world.facts))
            for world in situation.worlds(self.asked, self.now)
        ]

    def _answer(self, known: dict[str, Any]) -> Answer:
        """Complete a world whose recorded ages are reduced already to a vector, and evaluate it once."""
        for name in self.reduced:
            value = known.get(name)
            if value is not None:
                known[name] = self.bucketer.reduced(name, value)
        if COVERED in self.bucketer.names:
            known[COVERED] = self.bucketer.covered(
                known.get("person.country"), known["message.channel"], known["contact_point.country"]
            )
        get = known.get
        vector = (*[get(name) for name in self.bucketer.names], self.bucketer.epoch)
        answer = self.answers.get(vector)
        if answer is None:
            answer = self.answers[vector] = self.evaluate(vector)
        return answer


def _least(sides: Sequence[Side]) -> str | None:
    """Who comes next in any of the passes; None at the end of all."""
    return min((side.ref for side in sides if side.ref is not None), default=None)
