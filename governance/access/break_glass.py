"""Breaking the glass: fields of one person for a quarter of an hour, with a reason and a review by another.

What is read under it is read by `data.read` checks like anything else, and stands in the decision log with
the id of the grant. It opens no restriction, no erasure and nothing sensitive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from governance import persons
from governance.access import askers, facts, parties, store
from governance.access.gate import ALLOW, open_gate
from governance.access.model import AI, Asker
from governance.access.questions import READ, DataQuestion
from governance.access.store import Glass
from governance.errors import ConflictError, InvalidError, NotFoundError, UnreadableError
from governance.subjects import service as subjects
from governance.vault.model import EVIDENCE, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work

LASTS = timedelta(minutes=15)
MOST_FIELDS = 50
CLOSED = "nothing-to-open"
PENDING, JUSTIFIED, NOT_JUSTIFIED = "pending", "justified", "not_justified"
REVIEWS = (PENDING, JUSTIFIED, NOT_JUSTIFIED)
OUTCOMES = (JUSTIFIED, NOT_JUSTIFIED)


@dataclass(frozen=True, slots=True)
class Told:
    """Reason and note of a grant in clear; None once they cannot be read any more."""

    reason: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An act that was refused and left its trace."""

    code: str
    sentence: str


def open_(
    work: Work,
    subject_ref: str,
    fields: Sequence[str],
    reason: str,
    *,
    asker: tuple[str, str] | None = None,
) -> Glass:
    """Break the glass for fields of a person; the grant ends after a quarter of an hour.

    `asker` (type, id): for whom; None: for whoever the acting credential belongs to. Raises InvalidError for
    fields that are not declared, for an asker that is not registered and for one that has left; ConflictError
    `nothing-to-open` if a field would stay closed for whatever purpose the asker works for, or if all of them
    are open without it.
    """
    known = askers.fields_of(work)
    unknown = [f"fields.{place}" for place, name in enumerate(fields) if name not in known]
    if unknown or not fields:
        sentence = "Give the names of declared fields; see /v1/data-fields."
        raise InvalidError(sentence, fields={each: [sentence] for each in unknown or ["fields"]})
    who = askers.asker(work, *(asker or parties.acting(work)))
    if not who.active:
        sentence = "Who asks is not registered here, or has left."
        raise InvalidError(sentence, fields={"asker": [sentence]})
    person = subjects.lock(work, subject_ref)
    _check_opens(work, who, tuple(dict.fromkeys(fields)), person.subject_ref)
    grant_id = work.new_id("bgl")
    event = work.record(
        "access.glass_broken",
        subject_ref=person.subject_ref,
        facts={"grant": grant_id, who.type: who.id, "fields": sorted(set(fields))},
    )
    new = Glass(
        grant_id=grant_id,
        subject_ref=person.subject_ref,
        asker_type=who.type,
        asker_id=who.id,
        opened_by=work.actor.ref,
        fields=tuple(dict.fromkeys(fields)),
        reason_sealed=_seal(work, person.subject_ref, "reason_sealed", grant_id, reason),
        opened_at=work.now,
        expires_at=work.now + LASTS,
        review=PENDING,
        reviewed_by=None,
        reviewed_at=None,
        note_sealed=None,
        event_id=event.id,
    )
    store.add_glass(work.connection, work.tenant_id, new)
    return new


def _check_opens(work: Work, who: Asker, fields: tuple[str, ...], subject_ref: str) -> None:
    """Refuse what broken glass does not open, or is open without it, and say why.

    Nothing of it waits for a review then. Fields that are open anyway may be named beside one that is not.
    """
    if who.kind == AI:
        raise ConflictError("No machine breaks the glass; let a colleague look.", reason=CLOSED)
    gate, person = open_gate(work), facts.find(work, subject_ref)
    works_for = sorted({purpose for grant in who.grants for purpose in grant.purposes})
    opened: set[str] = set()
    more = False
    because: dict[str, str] = {}
    for purpose in works_for:
        question = DataQuestion(READ, fields, purpose)
        whole = {each.name for each in gate.look(question, who, person, work.now) if each.answer == ALLOW}
        for sight in gate.look(question, who, person, work.now, fields):
            if sight.verdict.allowed:
                opened.add(sight.name)
                more = more or sight.name not in whole
            elif sight.verdict.reasons:
                because.setdefault(sight.name, sight.verdict.reasons[0].text)
    closed = [name for name in fields if name not in opened]
    if closed:
        why = because.get(closed[0], "Who asks has no role that works for any purpose.")
        raise ConflictError(f"Broken glass does not open {', '.join(closed)}. {why}", reason=CLOSED)
    if not more:
        sentence = f"Whoever asks sees {', '.join(fields)} without breaking the glass."
        raise ConflictError(sentence, reason=CLOSED)


def get(snap: Snapshot, grant_id: str) -> Glass:
    """The grant of this id; NotFoundError."""
    found = store.find_glass(snap.connection, snap.tenant_id, grant_id)
    if found is None:
        raise NotFoundError("There is no such grant.")
    return found


def listed(snap: Snapshot, *, review: str | None = None, after: str = "", limit: int = 50) -> list[Glass]:
    """The review queue, the oldest first."""
    return store.list_glass(snap.connection, snap.tenant_id, review=review, after=after, limit=limit)


def about(snap: Snapshot, subject_refs: Sequence[str], limit: int = 500) -> list[Glass]:
    """Every grant about a person."""
    return store.list_glass(snap.connection, snap.tenant_id, subject_refs=subject_refs, limit=limit)


def told(snap: Snapshot, glass: Glass) -> Told:
    """Reason and note in clear, for those who may review."""

    def reveal(column: str, sealed: bytes | None) -> str | None:
        if sealed is None:
            return None
        try:
            place = Place("break_glass", column, glass.grant_id)
            vault = snap.resource(Vault)
            return vault.reveal(snap.tenant_id, glass.subject_ref, EVIDENCE, place, sealed).decode()
        except UnreadableError:
            return None

    return Told(reveal("reason_sealed", glass.reason_sealed), reveal("note_sealed", glass.note_sealed))


def review(work: Work, grant_id: str, outcome: str, note: str) -> Glass | Refusal:
    """Say whether it was justified: another person than who broke the glass, or for whom it was broken.

    What was not justified ends at once. NotFoundError; ConflictError `reviewed` if somebody did already.
    """
    glass = store.find_glass(work.connection, work.tenant_id, grant_id, lock=True)
    if glass is None:
        raise NotFoundError("There is no such grant.")
    if glass.review != PENDING:
        raise ConflictError("This grant was reviewed already.", reason="reviewed")
    same = "Whoever broke the glass cannot review it; ask a second person."
    asker = parties.ref_of(glass.asker_type, glass.asker_id)
    why_not = persons.not_second(work, glass.opened_by, asker, otherwise=same)
    if why_not is not None:
        work.record(
            "access.glass_review_refused",
            subject_ref=glass.subject_ref,
            facts={"grant": grant_id, "because": persons.CODE},
        )
        return Refusal(persons.CODE, why_not)
    event = work.record(
        "access.glass_reviewed",
        subject_ref=glass.subject_ref,
        facts={"grant": grant_id, "outcome": outcome},
    )
    values = {
        "review": outcome,
        "reviewed_by": work.actor.ref,
        "reviewed_at": work.now,
        "note_sealed": _seal(work, glass.subject_ref, "note_sealed", grant_id, note),
        "event_id": event.id,
    }
    store.update_glass(work.connection, work.tenant_id, grant_id, values)
    return get(work, grant_id)


def _seal(work: Work, subject_ref: str, column: str, grant_id: str, text: str) -> bytes:
    place = Place("break_glass", column, grant_id)
    return work.resource(Vault).seal(work.tenant_id, subject_ref, EVIDENCE, place, text.encode())
