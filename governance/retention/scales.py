"""Many records weighed at once: the same answers as `service.explain`, a million in seconds.

Records of one class, purpose, stage and place are asked about with the same rules, and those whose clocks
began on the same days get the same answer: each distinct combination is weighed once. What is remembered is
bounded, so memory stays flat.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa

from governance.policy.principles import KEEP, decide, last_day, speaks
from governance.policy.schedules import ALWAYS, Anchor, Circumstances, ScheduleRule
from governance.retention import facts, settings, store, sweep_store
from governance.retention.facts import Place, Seen
from governance.retention.model import OWN, PROFILE, Touched
from governance.retention.service import schedules
from governance.retention.standing import IN_FORCE, NO_CONSENT, ConsentSpan
from governance.tenants import store as tenants
from governance.work import Snapshot

_MOST_OUTCOMES = 20_000
_MOST_PLANS = 5_000
_CONSENT_STATE, _CONSENT_CLOCK = "consent_in_force", "consent_ended"

HOLD, IN_ERASURE, NO_RULE = "legal-hold", "erasure-pending", "no-rule"
"""In place of a rule: why something is kept, or that nothing speaks of it."""


class Finding(NamedTuple):
    """What becomes of one record; `rule` is the winner's id, or HOLD, IN_ERASURE, NO_RULE."""

    system: str
    record_id: str
    subject_ref: str | None
    data_class: str
    country: str | None
    disposition: str
    rule: str
    until: date | None


_Answers = dict[tuple[tuple[Anchor, ...], frozenset[str]], tuple[str, str, date | None]]
"""(disposition, rule, last day) by the days on which the clocks began and by what lasts."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """The rules that speak of some records, what they ask, and the answers given so far."""

    place: Place
    today: date
    rules: tuple[ScheduleRule, ...]
    clocks: tuple[str, ...]
    states: frozenset[str]
    asked: Circumstances
    answers: _Answers


_NO_STATE: frozenset[str] = frozenset()


def _is_eventful(person: sa.Row[Any] | None) -> bool:
    """Whether anything lasts for a person; of most nothing does."""
    return person is not None and bool(
        person.restricted
        or person.dispute_open
        or person.invoice_open
        or person.warranty_open
        or person.contract_state == IN_FORCE
        or person.subscription_state == IN_FORCE
    )


class Scales:
    """Weighs records as of one snapshot or unit of work."""

    def __init__(self, snap: Snapshot) -> None:
        self._snap = snap
        self._rules = schedules(snap).rules
        self._year_end = settings.get(snap).financial_year_end
        controller = tenants.find(snap.connection, snap.tenant_id)
        self._controller = None if controller is None else controller.country
        self._wide = store.active_holds(snap.connection, snap.tenant_id)
        self._held = store.held_subjects(snap.connection, snap.tenant_id)
        self._plans: dict[tuple[Any, ...], _Plan] = {}
        self._shared: dict[tuple[tuple[str, ...], date], _Answers] = {}
        self._covered: dict[tuple[Any, ...], bool] = {}
        self._answers = 0

    def records(self, rows: Sequence[sa.Row[Any]]) -> Iterator[Finding]:
        """Weigh a page of registered records (`sweep_store.records`)."""
        snap = self._snap
        moved = sweep_store.survivors(
            snap.connection, snap.tenant_id, {row.merged_into for row in rows if row.merged_into}
        )
        spans = self._spans(rows)
        for row in rows:
            person = None if row.known_ref is None else moved.get(row.merged_into, row)
            yield self._weigh(
                row.system,
                row.record_id,
                row.subject_ref,
                row.data_class,
                row.purpose,
                row.jurisdiction,
                person,
                spans.get(row.merged_into or row.subject_ref, NO_CONSENT),
                row.record_created_at,
                row.closed_at,
            )

    def people(self, rows: Sequence[sa.Row[Any]]) -> Iterator[Finding]:
        """Weigh the own rows of a page of people (`sweep_store.people`)."""
        for row in rows:
            yield self._weigh(
                OWN,
                row.subject_ref,
                row.subject_ref,
                PROFILE,
                None,
                None,
                row,
                NO_CONSENT,
                row.created_at,
                None,
                registered=False,
            )

    def _weigh(
        self,
        system: str,
        record_id: str,
        subject_ref: str | None,
        data_class: str,
        purpose: str | None,
        jurisdiction: str | None,
        person: sa.Row[Any] | None,
        consents: ConsentSpan,
        created: Any,
        closed: Any,
        *,
        registered: bool = True,
    ) -> Finding:
        stage, country, region = (
            (None, None, None)
            if person is None
            else (person.stage_relationship, person.country, person.region)
        )
        plan = self._plan(data_class, purpose, stage, system, jurisdiction, country, region)
        seen = Seen(person, consents, created, closed, registered)
        place, moment = plan.place, facts.moment
        anchors = tuple([facts.anchor(moment(clock, seen), place) for clock in plan.clocks])
        lasting = _NO_STATE
        if plan.states and (consents.in_force or _is_eventful(person)):
            lasting = facts.states(person, consents) & plan.states
        answer = plan.answers.get((anchors, lasting)) or self._answer(plan, anchors, lasting)
        disposition, rule, until = answer
        if person is not None and (person.erasure_pending or person.erased):
            disposition, rule, until = KEEP, IN_ERASURE, None
        elif self._is_held(subject_ref, person, stage, country, data_class, system):
            disposition, rule, until = KEEP, HOLD, None
        return Finding(system, record_id, subject_ref, data_class, country, disposition, rule, until)

    def _plan(
        self,
        data_class: str,
        purpose: str | None,
        stage: str | None,
        system: str,
        jurisdiction: str | None,
        country: str | None,
        region: str | None,
    ) -> _Plan:
        key = (data_class, purpose, stage, system, jurisdiction, country, region)
        found = self._plans.get(key)
        if found is None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
                self._shared.clear()
            place = facts.place_of(jurisdiction, self._controller, country, region)
            today = place.today(self._snap.now)
            asked = Circumstances(
                data_class, purpose, stage, system, place.names, financial_year_end=self._year_end
            )
            rules = tuple(rule for rule in self._rules if speaks(rule, asked, today))
            found = self._plans[key] = _Plan(
                place,
                today,
                rules,
                tuple(sorted({rule.clock for rule in rules if rule.clock is not None})),
                frozenset(rule.during for rule in rules if rule.during is not None),
                asked,
                # Where the same rules speak, the same days get the same answer, whatever the country.
                self._shared.setdefault((tuple(rule.id for rule in rules), today), {}),
            )
        return found

    def _answer(
        self, plan: _Plan, anchors: tuple[Anchor, ...], lasting: frozenset[str]
    ) -> tuple[str, str, date | None]:
        asked = Circumstances(
            plan.asked.data_class, states=lasting, financial_year_end=plan.asked.financial_year_end
        )
        began = dict(zip(plan.clocks, anchors, strict=True))
        counted = [
            (rule, last_day(rule, began.get(rule.clock) if rule.clock else None, asked))
            for rule in plan.rules
            if rule.during is None or rule.during in lasting or rule.during == ALWAYS
        ]
        decided = decide(counted, plan.today)
        answer = (
            decided.disposition,
            NO_RULE if decided.winner is None else decided.winner[0].id,
            decided.until if isinstance(decided.until, date) else None,
        )
        self._answers += 1
        if self._answers > _MOST_OUTCOMES:
            self._answers = 0
            for answers in self._shared.values():
                answers.clear()
        plan.answers[anchors, lasting] = answer
        return answer

    def _is_held(
        self,
        subject_ref: str | None,
        person: sa.Row[Any] | None,
        stage: str | None,
        country: str | None,
        data_class: str,
        system: str,
    ) -> bool:
        if subject_ref in self._held or (person is not None and person.held):
            return True
        if not self._wide:
            return False
        key = (stage, country, data_class, system, person is None)
        if key not in self._covered:
            thing = Touched(stage=stage, country=country, data_class=data_class, system=system)
            self._covered[key] = any(hold.covers(thing) for hold in self._wide)
        return self._covered[key]

    def _spans(self, rows: Sequence[sa.Row[Any]]) -> dict[str, ConsentSpan]:
        """The consents of those people of a page about whose records a rule asks for them."""
        classes = {
            name
            for rule in self._rules
            if rule.clock == _CONSENT_CLOCK or rule.during == _CONSENT_STATE
            for name in rule.data_classes or {row.data_class for row in rows}
        }
        wanted = {
            row.merged_into or row.subject_ref
            for row in rows
            if row.data_class in classes and row.known_ref is not None
        }
        snap = self._snap
        return facts.consent_spans(snap.connection, snap.tenant_id, wanted, snap.now) if wanted else {}
