"""The gate's facts as a stream: one pass over an audience, each distinct fact vector evaluated once.

The same join as for one person (`facts.joined`), narrowed to the facts that rules use and with ages already
reduced to the thresholds that rules can tell apart. A person with one row, nothing said and nothing barred
(most of a CRM) is answered by the row's key alone; everybody else goes through the same `Situation` as a
check.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.communications import facts
from governance.communications.facts import Raw, Reading
from governance.communications.model import ACTION
from governance.communications.narrowing import Key, narrowed
from governance.communications.situations import Asked, Situation
from governance.consent.tables import consent_state
from governance.database import is_sqlite
from governance.policy.buckets import Bucketer, Vector
from governance.policy.compiled import CompiledPolicy
from governance.subjects.store import subject

Answer = TypeVar("Answer")
Found = tuple[str, str, list[tuple[str | None, Answer]]]
"""subject_ref, external id, and for every contact point that counts (None: channel level) its answer."""

COVERED = "place.covered"
_CHUNK = 500
_BATCH_ROWS = 5000


@dataclass(frozen=True, slots=True)
class Selection:
    """Whom to pass over: everyone, or those of some stages and countries.

    Merged records are never counted.
    """

    relationship: Sequence[str] = ()
    country: Sequence[str] = ()
    subject_refs: Sequence[str] | None = None


EVERYONE = Selection()


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
        self.connection, self.tenant_id, self.asked, self.now = connection, tenant_id, asked, now
        self.bucketer: Bucketer = policy.bucketer(ACTION, now)
        self.evaluate = evaluate
        self.answers: dict[Vector, Answer] = {}
        self.people_by_key: dict[Raw, dict[str, Any]] = {}
        used = [name for name in policy.fact_names(ACTION) if name not in asked.facts]
        self.key: Key = narrowed(used, policy.thresholds(ACTION), now)
        self.reading = Reading.of(connection)
        self.reduces_consent = "consent.age" in self.bucketer.names
        # A row: four columns of head, the person's key, the contact point, its reference last, cell, bar.
        self.point_at = 4 + len(self.key.columns)
        self.cell_at = self.point_at + len(facts.POINT_COLUMNS)
        self.bar_at = self.cell_at + len(facts.CELL_COLUMNS)

    def people(self, selection: Selection) -> Iterator[Found[Answer]]:
        """Pass over the selected people."""
        head = (subject.c.subject_ref, subject.c.external_id, consent_state.c.kind, facts.BAR_COLUMNS[0])
        columns = (*head, *self.key.columns, *facts.POINT_COLUMNS, *facts.CELL_COLUMNS, *facts.BAR_COLUMNS)
        query = facts.joined(columns).where(subject.c.merged_into.is_(None)).order_by(subject.c.subject_ref)
        if selection.relationship:
            query = query.where(subject.c.stage_relationship.in_(selection.relationship))
        if selection.country:
            query = query.where(subject.c.country.in_(selection.country))
        values: dict[str, Any] = {
            "tenant": self.tenant_id,
            "type": self.asked.point_type,
            "purpose": self.asked.consent.purpose,
            "channel": self.asked.consent.channel,
        }
        if selection.subject_refs is None:
            yield from self._pass(query, values)
            return
        part = query.where(subject.c.subject_ref.in_(sa.bindparam("people", expanding=True)))
        ordered = sorted(set(selection.subject_refs))
        for start in range(0, len(ordered), _CHUNK):
            yield from self._pass(part, {**values, "people": ordered[start : start + _CHUNK]})

    def _pass(self, query: sa.Select[Any], values: dict[str, Any]) -> Iterator[Found[Answer]]:
        streamed = not is_sqlite(self.connection)
        result = self.connection.execute(query, values, execution_options={"stream_results": streamed})
        cursor: Any = result.cursor
        rows: Iterable[Raw] = cursor
        if streamed:
            # SQLAlchemy has fetched the first row of a server-side cursor already; the rest comes as it is.
            first = result.fetchone()
            cursor.itersize = _BATCH_ROWS
            rows = () if first is None else chain((tuple(first),), cursor)
        try:
            yield from self._answered(rows)
        finally:
            result.close()

    def _answered(self, cursor: Iterable[Raw]) -> Iterator[Found[Answer]]:
        end = self.cell_at - 1
        memo: dict[Raw, Answer] = {}
        remembered = memo.get
        last: Raw | None = None
        group: list[Raw] | None = None
        for row in cursor:
            if last is None:
                last = row
                continue
            if row[0] == last[0]:
                if group is None:
                    group = [last]
                group.append(row)
                continue
            if group is not None:
                yield self._person(group)
                group = None
            elif last[2] is None and last[3] is None:
                key = last[4:end]
                answer = remembered(key)
                if answer is None:
                    answer = memo[key] = self._person([last])[2][0][1]
                yield last[0], last[1], [(last[end], answer)]
            else:
                yield self._person([last])
            last = row
        if last is not None:
            yield self._person(group or [last])

    def _person(self, rows: Sequence[Raw]) -> Found[Answer]:
        first = rows[0]
        key = first[4 : self.point_at]
        known = self.people_by_key.get(key)
        if known is None:
            known = self.people_by_key[key] = self.key.person(key)
        situation = Situation(
            subject_ref=first[0],
            external_id=first[1],
            person=known,
            points=self.reading.points(rows, self.point_at),
            cells=self.reading.cells(rows, self.cell_at),
            bars=self.reading.bars(rows, self.bar_at, self.point_at),
        )
        worlds = situation.worlds(self.asked, self.now)
        return first[0], first[1], [(world.point_ref, self._answer(world.facts)) for world in worlds]

    def _answer(self, known: dict[str, Any]) -> Answer:
        """Complete a world whose recorded ages are reduced already to a vector, and evaluate it once."""
        if self.reduces_consent:
            known["consent.age"] = self.bucketer.bucket_age("consent.age", known["consent.age"])
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
