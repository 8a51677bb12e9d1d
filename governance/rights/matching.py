"""Whom a request means: looked at after it was taken in, and settled identity by identity.

An identifier that reaches exactly one person through an open contact point that was on file before the
request means that person. One that reaches several, or only through a closed or newer contact point, means
nobody until staff have said whom. Nothing here proves anything.
"""

from datetime import timedelta

from governance.consent import service as consent
from governance.errors import ConflictError, NotFoundError
from governance.rights import challenges, letters, noes, states, store
from governance.rights.dossier import Dossier, keep, open_dossier
from governance.rights.execution import settle_and_begin
from governance.rights.intake import content_of
from governance.rights.model import (
    ACT_ON_RECEIPT,
    NEED_PROOF,
    OPEN_STATES,
    PROOFS,
    Match,
    Request,
)
from governance.rights.reach import meaning, reached
from governance.rights.regime_files import law
from governance.rights.regimes import choose
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.subjects.identifiers import check_external_id
from governance.subjects.model import Subject
from governance.subjects.places import is_time_zone, known_place
from governance.tenants import store as tenants
from governance.work import Work

PUBLIC = "web_form"
_NEWEST = 20
_QUIET = timedelta(days=1)
_MOST_LETTERS = 3
"""Letters to one address in a day that a public form may cause: nobody is flooded through us."""


def match(work: Work, request_id: str) -> Dossier:
    """Look whom a new request means, let a no act for them, and write the first letter.

    Again changes nothing.
    """
    dossier = open_dossier(work, request_id)
    if dossier.request.matched_at is not None or dossier.request.state not in OPEN_STATES:
        return dossier
    case, found = dossier.case, []
    for identity in dossier.identities:
        meant = meaning(work, identity, dossier.request.recorded_at)
        found += [(identity.identity_id, person) for person in meant.people]
        sure = meant.people[0].subject_ref if meant.sure else None
        shared = bool(meant.people) and not meant.sure
        case = states.mean(case, identity.identity_id, sure, shared=shared)
    settled = {each.subject for each in case.proofs if each.subject is not None}
    people = list({person.subject_ref: person for _, person in found}.values())
    dossier = _choose(work, dossier, people)
    others = _others(work, dossier, tuple(settled))
    own = (dossier.request.recorded_at, request_id)
    alike = [each for each in others if _is_alike(each, dossier.request)]
    first = min(((each.recorded_at, each.request_id) for each in alike), default=own)
    if first < own:
        case = states.join(case, first[1])
    dossier = keep(
        work,
        dossier,
        "matched",
        case=case,
        facts={"people": len(people), "settled": len(settled), "repeats": case.repeats},
        matched_at=work.now,
        regime=dossier.request.regime,
        zone=dossier.request.zone,
        holidays_of=dossier.request.holidays_of,
        country=dossier.request.country,
        region=dossier.request.region,
    )
    for identity_id, person in found:
        state = "confirmed" if person.subject_ref in settled else "proposed"
        new = Match(request_id, identity_id, person.subject_ref, state, dossier.request.event_id)
        store.add(work.connection, work.tenant_id, new)
    dossier = open_dossier(work, request_id)
    if (content_of(work, dossier.request).get("details") or {}).get("gpc"):
        for subject_ref in sorted(settled):
            consent.object_by_signal(work, subject_ref)
    recent = sum(each.recorded_at > work.now - _QUIET for each in others)
    return _first_steps(work, dossier, quiet=dossier.request.channel == PUBLIC and recent >= _MOST_LETTERS)


def _is_alike(other: Request, new: Request) -> bool:
    """Whether an open request asks for the same; two appeals do if they are about the same answer."""
    return other.type == new.type and other.appeal_of == new.appeal_of and other.state in OPEN_STATES


def decide(work: Work, request_id: str, identity_id: str, external_id: str, confirmed: bool) -> Dossier:
    """Staff say whether an identity means a person. Confirming settles whom it means; it proves nothing.

    NotFoundError for an unknown identity or person; ConflictError if the request is closed.
    """
    dossier = open_dossier(work, request_id)
    identity = dossier.identity(identity_id)
    person = subjects.get(work, check_external_id(external_id))
    if dossier.request.state not in OPEN_STATES:
        raise ConflictError("This request is closed; a new one may be made.", reason="closed")
    known = [each for each in dossier.matches if each.identity_id == identity_id]
    case = dossier.case
    if confirmed:
        case = states.mean(case, identity_id, person.subject_ref)
        by_address = identity.state == states.PROVED and identity.proof in PROOFS[:2]
        if by_address and person.subject_ref not in reached(work, identity.blind_index or ""):
            # A code shows who holds an address; not that the address is this person's.
            case = states.unsettle(case, identity_id)
    elif identity.subject_ref == person.subject_ref or identity.shared:
        left = [
            each.subject_ref
            for each in known
            if each.state != "rejected" and each.subject_ref != person.subject_ref
        ]
        case = states.mean(case, identity_id, None, shared=bool(left))
    elif all(each.subject_ref != person.subject_ref for each in known):
        raise NotFoundError("This person was not proposed for this identity.")
    kind = "match_confirmed" if confirmed else "match_rejected"
    dossier = keep(work, dossier, kind, case=case, facts={"identity": identity_id})
    _note(work, dossier, identity_id, person.subject_ref, "confirmed" if confirmed else "rejected")
    return settle_and_begin(work, open_dossier(work, request_id))


def _note(work: Work, dossier: Dossier, identity_id: str, subject_ref: str, state: str) -> None:
    """Write what was decided of each person whom the identity may mean."""
    known = {each.subject_ref for each in dossier.matches if each.identity_id == identity_id}
    at = (work.connection, work.tenant_id)
    if subject_ref not in known:
        new = Match(dossier.request_id, identity_id, subject_ref, state, dossier.request.event_id)
        store.add(*at, new)
    else:
        values = {"state": state, "event_id": dossier.request.event_id}
        store.update_match(*at, dossier.request_id, identity_id, subject_ref, values)


def _choose(work: Work, dossier: Dossier, people: list[Subject]) -> Dossier:
    """Choose the regime again, by where the person says to live and where those live who are meant."""
    said = dossier.request
    tenant = tenants.find(work.connection, work.tenant_id)
    places = [(said.country, said.region), *(known_place(each.country, each.region) for each in people)]
    zones = {each.time_zone for each in people if each.time_zone is not None and is_time_zone(each.time_zone)}
    chosen = choose(
        law(work.resource(Settings).policies_dir).regimes,
        said.type,
        said.received_at,
        places,
        work.now,
        given=said.regime if said.regime_given else None,
        zone=zones.pop() if len(zones) == 1 and len(people) == 1 else None,
        home=None if tenant is None else tenant.country,
    )
    home = places[1] if said.country is None and len(people) == 1 else None
    return dossier.under(
        regime=chosen.regime.id,
        zone=chosen.zone,
        holidays_of=chosen.holidays_of,
        country=said.country if home is None else home[0],
        region=said.region if home is None else home[1],
    )


def _others(work: Work, dossier: Dossier, subject_refs: tuple[str, ...]) -> list[Request]:
    indexes = tuple(each.blind_index for each in dossier.identities if each.blind_index is not None)
    at = (work.connection, work.tenant_id)
    ids = store.sharing(*at, indexes, subject_refs, limit=_NEWEST)
    found = [store.find(*at, each) for each in ids if each != dossier.request_id]
    return [each for each in found if each is not None]


def _first_steps(work: Work, dossier: Dossier, *, quiet: bool) -> Dossier:
    """What follows from the type: a no acts, a complaint begins, the rest waits for proof."""
    request = dossier.request
    if request.type in ACT_ON_RECEIPT:
        dossier = act(work, dossier)
    elif request.type not in NEED_PROOF:
        case = states.begin(dossier.case)
        dossier = keep(work, dossier, "begun", case=case, facts={"waits_for": "review"}, waits_for="review")
    if quiet:
        return dossier
    if request.channel == PUBLIC and request.type in NEED_PROOF:
        for identity in dossier.identities:
            challenges.challenge(work, dossier.request_id, identity.identity_id)
        return open_dossier(work, dossier.request_id)
    letters.send(
        work,
        dossier,
        letters.ACKNOWLEDGEMENT,
        link=letters.status_link(work, request.request_id),
        acted=request.type in ACT_ON_RECEIPT,
        proof=request.type in NEED_PROOF,
    )
    return dossier


def act(work: Work, dossier: Dossier) -> Dossier:
    """Record the no for everybody whom the request means for sure, and close it as done."""
    details = content_of(work, dossier.request).get("details") or {}
    people = dict.fromkeys(each.subject_ref for each in dossier.identities if each.subject_ref is not None)
    events = [noes.for_person(work, dossier.request, ref, details) for ref in people]
    case = states.begin(dossier.case)
    dossier = keep(
        work, dossier, "acted", case=case, facts={"people": len(people), "events": events}, acted_at=work.now
    )
    return keep(work, dossier, "fulfilled", case=states.fulfil(dossier.case), outcome="acted")
