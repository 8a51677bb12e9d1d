"""What the access gate looks up of a person: standing, stage, and what the person said about a purpose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from governance.consent import store as consents
from governance.consent.kinds import OBJECTION, PROFILING
from governance.consent.model import LIMIT_SENSITIVE, Cell, Question
from governance.consent.resolving import resolve
from governance.purposes.model import Purpose
from governance.subjects import service as subjects
from governance.subjects.model import Subject
from governance.work import Snapshot

AGE = "person.age"
_NOES = ("withdrawn", "refused")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody about whom is asked, as this snapshot sees them."""

    row: Subject
    refs: tuple[str, ...]
    cells: tuple[Cell, ...]

    @property
    def stage(self) -> str | None:
        """The stage of the relationship."""
        return self.row.stage_relationship

    def standing(self) -> dict[str, Any]:
        """The facts that hold whatever is asked."""
        row = self.row
        return {
            "person.known": True,
            "person.restricted": row.restricted,
            "person.erasure_pending": row.erasure_pending,
            "person.erased": row.erased,
            "person.held": row.held,
            "person.country": row.country,
            "person.region": row.region,
            "person.customer_type": row.customer_type,
            AGE: _born(row.birth_month),
            "stage.relationship": row.stage_relationship,
        }

    def said(self, purpose: Purpose | None, now: datetime) -> dict[str, Any]:
        """What the person said that bears on a purpose."""
        purpose_id = "" if purpose is None else purpose.purpose_id
        controller = "" if purpose is None else purpose.controller or ""
        asked = Question(purpose_id, controller)
        status, guardian = _consent(self.cells, asked, now)
        return {
            "consent.status": status,
            "consent.guardian": guardian,
            "objection.to_marketing": _objected(self.cells, asked, "marketing", now),
            "objection.to_purpose": _objected(self.cells, asked, "purpose", now),
            "objection.to_profiling": _objected(self.cells, asked, "profiling", now),
            "objection.to_sensitive": _objected(self.cells, Question(LIMIT_SENSITIVE), "purpose", now),
        }


NOBODY: Mapping[str, Any] = {
    "person.known": False,
    "person.restricted": False,
    "person.erasure_pending": False,
    "person.erased": False,
    "person.held": False,
    "consent.status": "none",
    "consent.guardian": False,
    "objection.to_marketing": False,
    "objection.to_purpose": False,
    "objection.to_profiling": False,
    "objection.to_sensitive": False,
}
"""The facts of somebody who has no record here."""


_NO_PURPOSE: Mapping[str, Any] = {
    "purpose.id": "none",
    "purpose.state": "missing",
    "purpose.basis": "none",
    "purpose.profiling": False,
    "purpose.messages": frozenset({"none"}),
    "purpose.special_categories": False,
    "purpose.solely_automated": False,
    "purpose.impact_assessed": False,
}


def of_purpose(purpose: Purpose | None, person: Person | None) -> Mapping[str, Any]:
    """The facts of a purpose, as its record has them for this person; of none, that it is missing."""
    if purpose is None:
        return _NO_PURPOSE
    country, stage = (None, None) if person is None else (person.row.country, person.stage)
    return {
        "purpose.id": purpose.purpose_id,
        "purpose.state": purpose.state,
        "purpose.basis": purpose.basis_for(country=country, stage=stage) or "none",
        "purpose.profiling": purpose.profiling,
        "purpose.messages": frozenset(purpose.message_classes) or frozenset({"none"}),
        "purpose.special_categories": purpose.special_categories,
        "purpose.solely_automated": bool(purpose.body.get("solely_automated")),
        "purpose.impact_assessed": bool(purpose.body.get("impact_assessment")),
    }


def find(snap: Snapshot, subject_ref: str | None) -> Person | None:
    """What is known of a person; None for nobody."""
    row = None if subject_ref is None else subjects.find_by_ref(snap, subject_ref)
    if row is None:
        return None
    cells = consents.cells_of(snap.connection, snap.tenant_id, row.subject_ref)
    return Person(row, subjects.group(snap, row.subject_ref), tuple(cells.values()))


def told(facts: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Facts as a decision keeps them: of a birthday only the age in whole years."""
    since = facts.get(AGE)
    if since is None:
        return dict(facts)
    years = now.year - since.year - ((now.month, now.day) < (since.month, since.day))
    return {**facts, AGE: max(years, 0)}


def _consent(cells: Sequence[Cell], asked: Question, now: datetime) -> tuple[str, bool]:
    """What holds for a purpose on any channel: a yes anywhere, else the plainest no, else what there is.

    What was said about everything stands against every yes that it covers (`consent.resolving.resolve`).
    """
    places = dict.fromkeys(
        Question(asked.purpose, asked.controller, cell.channel, cell.topic, cell.point_ref or None)
        for cell in cells
        if cell.pos_status or cell.neg_status in _NOES
    )
    found = [resolve(cells, each, (), now) for each in (asked, *places)]
    statuses = [each.status for each in found]
    guardian = any(each.guardian for each in found)
    for status in ("granted", *_NOES, "requested", "expired", "unproven"):
        if status in statuses:
            return status, guardian
    return "none", guardian


def _objected(cells: Sequence[Cell], asked: Question, scope: str, now: datetime) -> bool:
    """Whether an objection of one scope stands, whatever others there are."""
    heard = [each for each in cells if each.kind not in (OBJECTION, PROFILING) or each.neg_status == scope]
    return resolve(heard, asked, (), now).objection == scope


def _born(birth_month: str | None) -> datetime | None:
    """The end of the month of birth: nobody is taken to be older than they are."""
    if birth_month is None:
        return None
    year, month = int(birth_month[:4]), int(birth_month[5:7])
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
