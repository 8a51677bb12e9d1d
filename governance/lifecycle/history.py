"""What stages somebody went through, readable only for purposes that are valid now.

The history outlives every move. An entry rests on the lawful bases of the relationship stage that it belongs
to. It is readable for a purpose if that purpose is active, its basis holds for the person today, and the
entry rests on that basis too. What nothing covers any more is withheld, and why is said in its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.clock import wire
from governance.consent import service as consents
from governance.errors import InvalidError
from governance.lifecycle import store
from governance.policy import service as policies
from governance.purposes import service as purposes
from governance.purposes.model import ACTIVE, Purpose
from governance.subjects import service as subjects
from governance.subjects.model import RELATIONSHIP, Subject
from governance.work import Snapshot

CONSENT, LEGAL, INTERESTS = "consent", "legal_obligation", "legitimate_interests"

TEXTS: Mapping[str, str] = {
    "purpose-missing": "The purpose is not active; nothing may rest on it.",
    "consent-missing": "The purpose rests on consent, and the person has given none that holds.",
    "objection": "The person objected to this purpose.",
    "restricted": "Processing is restricted: what is stored is read for legal duties or with consent only.",
    "erased": "The person's data are erased or being erased; what must be kept serves legal duties only.",
    "purpose-incompatible": "No lawful basis that holds now covers this entry; what it rested on has lapsed.",
}
"""Why something is withheld, by reason code."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One step. `bases`: those of the relationship stage then; `asserted`: told by the CRM at creation."""

    id: str | None
    model: str
    from_stage: str | None
    to_stage: str
    at: datetime
    decision_id: str | None
    event_id: str | None
    bases: frozenset[str]
    asserted: bool = False


def lifecycle(snap: Snapshot, person: Subject, *, purpose: str | None = None) -> dict[str, Any]:
    """The answer of `GET /v1/subjects/{id}/lifecycle`: present stages, and the history as far as readable.

    With `purpose`, readable for that one; without, for any. InvalidError for a purpose that there is not.
    """
    refs = subjects.group(snap, person.subject_ref)
    policy = policies.active(snap.connection, snap.tenant_id, snap.now)
    own = policy.models.get(RELATIONSHIP)
    bases = {stage.id: frozenset(stage.bases) for stage in own.stages} if own is not None else {}
    known = purposes.every(snap)
    if purpose is not None and purpose not in {each.purpose_id for each in known}:
        names = ", ".join(each.purpose_id for each in known)
        raise InvalidError("There is no such purpose.", fields={"purpose": [f"Give one of: {names}."]})
    asked = [each for each in known if purpose in (None, each.purpose_id)]
    refusals = _refusals(snap, person, asked, bases.get(person.stage_relationship or "", frozenset()))
    stages = subjects.stages(snap, person.subject_ref)
    return {
        "id": person.external_id,
        "stages": [
            {"model": model, "stage": stage, "since": wire(since)}
            for model, (stage, since, _) in sorted(stages.items())
        ],
        "purpose": purpose,
        "history": [
            _shown(entry, asked, refusals, person) for entry in _entries(snap, person, refs, stages, bases)
        ],
    }


def _refusals(
    snap: Snapshot, person: Subject, asked: Sequence[Purpose], present: frozenset[str]
) -> dict[str, str | None]:
    """Why each purpose is not valid for the person now, None if it is."""
    said = consents.state(snap, person.subject_ref)
    granted = {each.purpose for each in said.consents if each.status == "granted"}
    objected = {each.purpose for each in said.objections if each.kind == "objection"}

    def refusal(one: Purpose) -> str | None:
        basis = one.basis_for(country=person.country, stage=person.stage_relationship)
        if one.state != ACTIVE:
            return "purpose-missing"
        if basis == LEGAL:
            return None  # A legal duty lasts as long as the law says, whatever became of the relationship.
        if person.erased or person.erasure_pending:
            return "erased"
        if basis == CONSENT:
            return None if granted & {one.purpose_id, None} else "consent-missing"
        if person.restricted:
            return "restricted"
        if basis == INTERESTS and one.purpose_id in objected:
            return "objection"
        return None if basis in present else "purpose-incompatible"

    return {each.purpose_id: refusal(each) for each in asked}


def _entries(
    snap: Snapshot,
    person: Subject,
    refs: Sequence[str],
    stages: Mapping[str, tuple[str, datetime, str]],
    bases: Mapping[str, frozenset[str]],
) -> list[Entry]:
    """Every step in all models, oldest first; those of records that were merged into this one too."""
    moves = [move for ref in refs for move in store.of_subject(snap.connection, snap.tenant_id, ref)]
    moves.sort(key=lambda move: (move.occurred_at, move.transition_id))
    walked = [move for move in moves if move.model == RELATIONSHIP]

    def rests_on(model: str, to_stage: str, at: datetime) -> frozenset[str]:
        if model == RELATIONSHIP:
            return bases.get(to_stage, frozenset())
        before = [move.to_stage for move in walked if move.occurred_at <= at]
        first = walked[0].from_stage if walked else person.stage_relationship
        return bases.get((before[-1] if before else first) or "", frozenset())

    opening = walked[0].from_stage if walked else person.stage_relationship
    found: list[Entry] = []
    if opening is not None:
        set_by = None if walked else stages.get(RELATIONSHIP)
        since = person.created_at if set_by is None else set_by[1]
        event_id = None if set_by is None else set_by[2]
        own = bases.get(opening, frozenset())
        found.append(Entry(None, RELATIONSHIP, None, opening, since, None, event_id, own, asserted=True))
    found += [
        Entry(
            move.transition_id,
            move.model,
            move.from_stage,
            move.to_stage,
            move.occurred_at,
            move.decision_id,
            move.event_id,
            rests_on(move.model, move.to_stage, move.occurred_at),
        )
        for move in moves
    ]
    return found


def _shown(
    entry: Entry, asked: Sequence[Purpose], refusals: Mapping[str, str | None], person: Subject
) -> dict[str, Any]:
    under = [
        one.purpose_id
        for one in asked
        if refusals[one.purpose_id] is None
        and (
            not entry.bases
            or one.basis_for(country=person.country, stage=person.stage_relationship) in entry.bases
        )
    ]
    if not under:
        single = refusals[asked[0].purpose_id] if len(asked) == 1 else None
        code = single or "purpose-incompatible"
        return {"model": entry.model, "withheld": {"code": code, "text": TEXTS[code]}}
    return {
        "id": entry.id,
        "model": entry.model,
        "from": entry.from_stage,
        "to": entry.to_stage,
        "occurred_at": wire(entry.at),
        "asserted": entry.asserted,
        "decision": entry.decision_id,
        "event_id": entry.event_id,
        "readable_under": under,
    }
