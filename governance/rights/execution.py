"""What is done for a verified request. Everything that discloses, corrects or deletes passes `people_of`.

Each type has its starter; what is carried out by another room or by hand later is named in `waits_for`.
"""

from collections.abc import Callable, Mapping

from governance.events import Fact
from governance.rights import challenges, clocks, erasures, letters, recipients, states
from governance.rights.dossier import Dossier, keep
from governance.rights.intake import content_of
from governance.rights.letter_files import language_of
from governance.rights.model import (
    ACCESS,
    BY_ADDRESS,
    ERASURE,
    HUMAN_REVIEW,
    IN_PROGRESS,
    PORTABILITY,
    RECTIFICATION,
    RESTRICTION,
    VERIFIED,
    Identity,
)
from governance.rights.reach import still_holds
from governance.rights.states import PROVED
from governance.subjects import service as subjects
from governance.systems.model import CORRECT, RESTRICT
from governance.work import Work

Starter = Callable[[Work, Dossier, tuple[str, ...]], str]
"""Begins on a request for these people; gives the code of what it waits for."""

BECAUSE = "rights-request"
REVIEW = "review"
"""Staff see to it: also to what was opened again for a part only, since no machine knows which."""
PROOF = "proof"
"""What a request waits for that has to be verified anew."""


def people_of(
    work: Work, dossier: Dossier, *, begins: bool = False
) -> tuple[Dossier, tuple[str, ...] | None]:
    """The people whom a request may be answered about, now; None if it has to be verified anew.

    A record that was merged into another since it was proved is proved anew: whoever proved to be one person
    has not proved to be the other. Whoever proved it by an address is written to, with the whole time again.
    `begins`: something is begun on an earlier proof; that of an address which is the person's no longer does
    not do for it. Raises ConflictError `not-verified`.
    """
    case = dossier.case
    states.entitled(case)
    anew: list[Identity] = []
    because = "merged"
    for identity in dossier.identities:
        if identity.state != PROVED or identity.subject_ref is None:
            continue
        person = subjects.find_by_ref(work, identity.subject_ref)
        if person is not None and person.subject_ref != identity.subject_ref:
            case = states.mean(case, identity.identity_id, person.subject_ref)
            anew.append(identity)
        elif begins and identity.proof in BY_ADDRESS and not still_holds(work, identity):
            case, because = states.unsettle(case, identity.identity_id), "address-changed"
            anew.append(identity)
    if case == dossier.case:
        return dossier, states.entitled(case)
    dossier = keep(work, dossier, "unsettled", case=case, facts={"because": because}, waits_for=PROOF)
    return challenges.challenge_again(work, dossier, anew), None


def settle_and_begin(work: Work, dossier: Dossier) -> Dossier:
    """Begin on a request that has just become verified; else leave it as it is."""
    if dossier.request.state != VERIFIED:
        return dossier
    dossier, people = people_of(work, dossier, begins=True)
    if people is None:
        return dossier
    language = _language(work, dossier, people)
    facts: dict[str, Fact] = {"people": len(people), "language": language}
    dossier = keep(work, dossier, "verified", facts=facts, verified_at=work.now, language=language)
    case = states.begin(dossier.case)
    if not people:
        dossier = keep(work, dossier, "begun", case=case, facts={"people": 0})
        case = states.fulfil(dossier.case)
        dossier = keep(
            work, dossier, "fulfilled", case=case, facts={"outcome": "nothing-held"}, outcome="nothing-held"
        )
        letters.send(work, dossier, letters.NOTHING_HELD)
        return dossier
    waits = _is_held_back(dossier)
    waits_for = _start(work, dossier, people) if not waits else erasures.WAITS
    facts = {"people": len(people), "waits_for": waits_for}
    dossier = keep(work, dossier, "begun", case=case, facts=facts, waits_for=waits_for)
    return keep(work, dossier, "waits", case=states.move(dossier.case, states.WAIT)) if waits else dossier


def go_on(work: Work, dossier: Dossier) -> Dossier:
    """Go on with an erasure request that waited for the person: order anew what was taken back meanwhile.

    Or what was never ordered because the person was restricted, once that was lifted.
    """
    if dossier.request.type != ERASURE or dossier.request.state != IN_PROGRESS:
        return dossier
    dossier, people = people_of(work, dossier, begins=True)
    if people is None:
        return dossier
    waits_for = _start(work, dossier, people)
    if waits_for == dossier.request.waits_for:
        return dossier
    return keep(work, dossier, "delayed", facts={"waits_for": waits_for}, waits_for=waits_for)


def _start(work: Work, dossier: Dossier, people: tuple[str, ...]) -> str:
    return REVIEW if dossier.is_part else STARTERS[dossier.request.type](work, dossier, people)


def _is_held_back(dossier: Dossier) -> bool:
    """Whether an erasure waits for more of the person than proof: then it is not ordered before that came."""
    awaited = {each.reason for each in dossier.asks if each.answered_at is None}
    return dossier.request.type == ERASURE and bool(awaited - {clocks.IDENTITY})


def _language(work: Work, dossier: Dossier, people: tuple[str, ...]) -> str:
    """The language of letters from proof on: the one asked for, else that on file (sooner it would tell).

    Who asked for none, or for one that is not shipped, gets that of the people if they have one in common.
    """
    content = content_of(work, dossier.request)
    if "language" not in content or language_of(content["language"]) is not None:
        return dossier.request.language
    found = {None if (one := subjects.find_by_ref(work, ref)) is None else one.language for ref in people}
    on_file = language_of(found.pop()) if len(found) == 1 else None
    return on_file or dossier.request.language


def _correct(work: Work, dossier: Dossier, people: tuple[str, ...]) -> str:
    """Wait for staff to decide what is put right; who was not told of it before is told now."""
    if dossier.taken_up is not None:
        recipients.tell_dropped(work, dossier, CORRECT)
    return "correction"


def _restrict(work: Work, dossier: Dossier, people: tuple[str, ...]) -> str:
    """Restrict at once here, and have the systems that hold copies told (Art. 19 GDPR)."""
    for subject_ref in people:
        subjects.set_restriction(work, subject_ref, True, because=BECAUSE)
    if dossier.taken_up is not None:  # what was marked before may have been released since
        recipients.tell_again(work, dossier, RESTRICT, None)
    return recipients.plan(work, dossier, people, RESTRICT)


STARTERS: Mapping[str, Starter] = {
    ACCESS: lambda work, dossier, people: "package",
    PORTABILITY: lambda work, dossier, people: "package",
    ERASURE: erasures.start,
    RECTIFICATION: _correct,
    RESTRICTION: _restrict,
    HUMAN_REVIEW: lambda work, dossier, people: REVIEW,
}
"""How each type that needs proof begins; the rest begins in `matching`."""
