"""What is known of one person for one question, and the worlds that follow from it. Pure.

A *world* is one complete set of facts to decide on: one for every contact point that the message could reach,
or a single one at channel level for a person of whom no contact point is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from governance.communications.abroad import sent_from
from governance.communications.asked import Asked
from governance.communications.local_time import NOWHERE, Whereabouts, local_facts, whereabouts
from governance.communications.opt_outs import revoked_since, said_no_at
from governance.consent.kinds import NIGHT
from governance.consent.model import ALL, NOTHING, Cell, ConsentFacts, PointBar, Question
from governance.consent.resolving import resolve

Bars = Mapping[str, Sequence[PointBar]]
"""Contact point reference → the unreleased suppressions of its value."""

AGE = "person.age"
"""How old a person is: kept as the instant from which the age is surely counted, as all ages are."""

TIME_ZONE = "person.time_zone"
"""Not a fact of rules but what local time is reckoned from; it stands among a person's facts on the way."""

LISTED, CHECKED_AGE = "register.listed", "register.checked_age"
"""Facts of whoever is to be reached at a telephone number."""

APART = ("consent.parent", "consent.topic")
"""Facts of questions about a topic."""

OPT_OUT_AGE, CONFIRMED = "opt_out.age", "opt_out.confirmations"
"""Facts of messages that confirm an opt-out."""

REVOKED = "consent.revoked_since"
"""Fact of calls and texts."""

CALL_WINDOWS: Mapping[str, timedelta] = {
    "calls.last_30_days": timedelta(days=30),
    "calls.last_24_hours": timedelta(hours=24),
}
"""Rolling counts of calls, and how far back each counts."""


@dataclass(frozen=True, slots=True)
class Point:
    """A contact point as the gate sees it; `state` is open, closed or undeliverable."""

    ref: str
    state: str
    country: str | None = None
    subscriber: str | None = None
    blind_index: str | None = None


@dataclass(frozen=True, slots=True)
class Dealing:
    """A sale, negotiation or support in which a way to refuse was offered (`dealings.SALE`, …).

    `point_ref`: the contact point that was given in it; None if none is known. `at`: when it last happened.
    """

    kind: int
    point_ref: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class World:
    """The facts of one contact point (`point_ref` None: channel level). `facts` has ages as instants."""

    point_ref: str | None
    facts: dict[str, Any]
    consent: ConsentFacts
    place: Whereabouts = NOWHERE


@dataclass(frozen=True, slots=True)
class Situation:
    """What is recorded of a person. `person` holds the facts that need no reckoning.

    `calls`: when calls to the person were authorised, within the longest window;
    None where the question is not about a call. `registers`: whether the person is listed in a do-not-call
    register and when that was checked; None where no number is to be reached. `dealings`: those that count
    for the question; None where they were not looked up. `confirmations`: how many confirmations of the last
    no were authorised; None where the question is not about one.
    """

    subject_ref: str
    external_id: str
    person: Mapping[str, Any]
    points: tuple[Point, ...] = ()
    cells: tuple[Cell, ...] = ()
    bars: Bars | None = None
    calls: tuple[datetime, ...] | None = None
    registers: tuple[bool | None, datetime | None] | None = None
    dealings: tuple[Dealing, ...] | None = None
    confirmations: int | None = None

    @property
    def stage(self) -> str | None:
        """The person's stage of the relationship."""
        stage: str | None = self.person.get("stage.relationship")
        return stage

    def point_by_index(self, blind_index: str) -> Point | None:
        """The contact point with this blind index."""
        return next((point for point in self.points if point.blind_index == blind_index), None)

    def point_by_ref(self, ref: str) -> Point | None:
        """The contact point with this reference."""
        return next((point for point in self.points if point.ref == ref), None)

    def worlds(
        self, asked: Asked, now: datetime, *, only: Point | None = None, stranger: bool = False
    ) -> list[World]:
        """The worlds to decide on at `now`.

        Every contact point that is open and deliverable; if there is none, those that are not, for their
        reasons.
        `only`: the point that the caller named. `stranger`: the caller named one that is not the person's,
        which is decided as a closed one.
        """
        if stranger:
            return [self._world(asked, now, None, "closed")]
        if only is not None:
            return [self._world(asked, now, only, only.state)]
        if not self.points:
            return [self._world(asked, now, None, "none")]
        return choose([self._world(asked, now, point, point.state) for point in self.points])

    def _world(self, asked: Asked, now: datetime, point: Point | None, state: str) -> World:
        ref = None if point is None else point.ref
        consent = self.consent(asked, ref, now)
        facts = {
            **asked.facts,
            **self.person,
            **sent_from(asked.abroad, self.person),
            "contact_point.state": state,
            "contact_point.country": None if point is None else point.country,
            "contact_point.subscriber": None if point is None else point.subscriber,
            **consent_facts(consent, asked),
        }
        if asked.consent.topic:
            facts.update(self._apart(asked, ref, now))
        facts["consent.refused_age"] = self.refused_at(asked.consent)
        if asked.confirms_an_opt_out:
            facts[OPT_OUT_AGE] = said_no_at(self.cells)
            if self.confirmations is not None:
                facts[CONFIRMED] = self.confirmations
        if asked.by_telephone:
            facts[REVOKED] = revoked_since(self.cells, consent)
        if self.calls is not None:
            for name, window in CALL_WINDOWS.items():
                facts[name] = sum(now - window < call <= now for call in self.calls)
        if self.registers is not None:
            facts[LISTED], facts[CHECKED_AGE] = self.registers
        if self.dealings is not None:
            facts.update(dealing_facts([each for each in self.dealings if each.point_ref == ref]))
        zone = facts.pop(TIME_ZONE, None)
        if asked.at_all_hours:
            return World(ref, facts, consent)
        place = whereabouts(facts, zone)
        facts.update(local_facts(place, now))
        return World(ref, facts, consent, place)

    def _apart(self, asked: Asked, point_ref: str | None, now: datetime) -> dict[str, Any]:
        """What was said about the whole purpose and about the topic, each without regard to the other.

        An objection to the purpose or to marketing counts as a withdrawal of the purpose.
        """
        whole = self.consent(replace(asked, consent=replace(asked.consent, topic=ALL)), point_ref, now)
        said_of_it = tuple(cell for cell in self.cells if cell.topic == asked.consent.topic)
        topic = replace(self, cells=said_of_it).consent(asked, point_ref, now)
        objected = whole.objection in ("marketing", "purpose")
        return dict(zip(APART, ("withdrawn" if objected else whole.status, topic.status), strict=True))

    def refused_at(self, question: Question) -> datetime | None:
        """When the person last refused what is asked about: on this channel or on all, on any contact point.

        A later consent does not undo that it was refused; only a later withdrawal takes its place.
        """
        return max(
            (
                cell.neg_at
                for cell in self.cells
                if cell.neg_status == "refused"
                and cell.neg_at is not None
                and cell.kind != NIGHT
                and cell.purpose in (ALL, question.purpose)
                and cell.channel in (ALL, question.channel)
            ),
            default=None,
        )

    def consent(self, asked: Asked, point_ref: str | None, now: datetime) -> ConsentFacts:
        """What consent state says at `now` about the question on one contact point (None: channel level)."""
        bars = self.bars.get(point_ref, ()) if point_ref is not None and self.bars else ()
        if not self.cells and not bars:
            return NOTHING
        question = replace(asked.consent, point_ref=point_ref, subject_ref=self.subject_ref)
        return resolve(self.cells, question, bars, now)


def choose(worlds: list[World]) -> list[World]:
    """Of a person's contact points those that count: the usable ones, else the undeliverable, else all."""
    if len(worlds) == 1:
        return worlds
    usable = [
        world
        for world in worlds
        if world.facts["contact_point.state"] == "open" and not world.consent.undeliverable
    ]
    if usable:
        return usable
    return [world for world in worlds if world.facts["contact_point.state"] != "closed"] or worlds


def consent_facts(consent: ConsentFacts, asked: Asked | None = None) -> dict[str, Any]:
    """The facts that consent state gives; the age of consent is given as the instant of the grant."""
    waiting = asked is not None and asked.signing_up and consent.pending_request
    return {
        "consent.status": "requested" if waiting else consent.status,
        "consent.age": consent.age_anchor,
        "consent.guardian": consent.guardian,
        "consent.night": consent.night,
        "objection.state": consent.objection,
        "suppression.marketing": consent.suppressed_marketing,
        "suppression.all": consent.suppressed_all,
        "suppression.undeliverable": consent.undeliverable,
    }


SOFT_OPT_IN_AGE = "relationship.soft_opt_in_age"


def dealing_facts(dealings: Sequence[Dealing]) -> dict[str, Any]:
    """The facts that follow from the dealings over one contact point."""
    sales, negotiations, supports = ([each.at for each in dealings if each.kind == kind] for kind in range(3))
    return {
        "relationship.soft_opt_in": bool(sales),
        SOFT_OPT_IN_AGE: max(sales, default=None),
        "relationship.soft_opt_in_negotiation": bool(negotiations),
        "relationship.charity_support": bool(supports),
    }


def born(birth_month: str | None) -> datetime | None:
    """The instant from which the age of somebody born in this month (YYYY-MM) is counted; None unknown.

    The day is sealed, so it is the end of the month: nobody is taken to be older than they are.
    """
    if birth_month is None:
        return None
    year, month = int(birth_month[:4]), int(birth_month[5:7])
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


def told(world: World, now: datetime) -> dict[str, Any]:
    """The facts of a world as a decision keeps them: of a birthday only the age in whole years."""
    facts = world.facts if world.point_ref is None else {**world.facts, "contact_point.ref": world.point_ref}
    since = facts.get(AGE)
    if since is None:
        return facts
    years = now.year - since.year - ((now.month, now.day) < (since.month, since.day))
    return {**facts, AGE: max(years, 0)}


UNKNOWN_PERSON: Mapping[str, Any] = {
    "person.known": False,
    "person.restricted": False,
    "person.erasure_pending": False,
    "person.erased": False,
    "person.held": False,
    "person.zone_known": False,
    "contract.state": "none",
    "subscription.state": "none",
    "contact_point.state": "none",
    "transfer.answer": "none",
    **consent_facts(NOTHING),
}
"""The facts of somebody who is not recorded here."""
