"""Appeals against refusals and complaints about requests: taken in once, and what a granted one leads to.

A granted one opens the request again, whole or for a part, as far as it was proved and no further; an
unproved one has to be proved first. What is done then is due when the decision on the appeal was due (see
`regimes.after_appeal`). Whoever locks a request and its appeal locks the request first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from governance.clock import wire
from governance.errors import ConflictError, InvalidError
from governance.events import Fact
from governance.rights import challenges, letters, package_store, states, store
from governance.rights.dossier import (
    Dossier,
    keep,
    open_dossier,
    reading_of,
    record,
    regime_of,
    rewind,
    since,
)
from governance.rights.execution import settle_and_begin
from governance.rights.intake import NewRequest, add_details, take, value_of
from governance.rights.matching import PUBLIC, act, match
from governance.rights.model import (
    ABOUT_AN_ANSWER,
    ACT_ON_RECEIPT,
    APPEAL,
    GRANTED,
    LATE_ACKNOWLEDGEMENT,
    NEED_PROOF,
    OPEN_STATES,
    OPENDSR,
    RECEIVED,
    REFUSED,
    REOPENABLE,
    VERIFIED,
    VERIFYING,
    Reopening,
    Request,
)
from governance.rights.periods import local_day
from governance.subjects.model import SubjectReference
from governance.work import Work


@dataclass(frozen=True, slots=True)
class Appealed:
    """An appeal that was taken in now (`new`), or the open one that it repeats."""

    dossier: Dossier
    new: bool


def appeal(
    work: Work,
    request_id: str,
    *,
    details: Mapping[str, Any] | None = None,
    received_at: datetime | None = None,
) -> Appealed:
    """Take an appeal against a refusal in, with its own clock; a second one joins the one that is open.

    ConflictError `not-closed`, `not-refused`, `no-appeal`, `decided` (this answer was looked at again
    already), `forgotten`.
    """
    dossier = open_dossier(work, request_id)
    before = [each for each in store.about(work.connection, work.tenant_id, request_id) if _is_appeal(each)]
    for each in before:
        if each.state in OPEN_STATES:
            return Appealed(add_details(work, open_dossier(work, each.request_id), details or {}), False)
    _check(work, dossier, before)
    closed_at = dossier.request.closed_at
    if received_at is not None and closed_at is not None and received_at < closed_at:
        complaint = "An appeal cannot have been received before the answer was given."
        raise InvalidError(complaint, fields={"received_at": [complaint]})
    request = dossier.request
    new = NewRequest(
        APPEAL,
        _named(work, dossier),
        regime=request.regime,
        country=request.country,
        region=request.region,
        language=request.language,
        received_at=received_at,
        channel=request.channel if request.channel != PUBLIC else "api",
        details=details or {},
        appeal_of=request_id,
    )
    return Appealed(_take(work, dossier, new), True)


def complain(work: Work, new: NewRequest) -> Dossier:
    """Take a complaint about a request in, under the law of that request unless another is named.

    Who complains is whoever made the request, unless named. InvalidError for a complaint about an appeal.
    """
    assert new.appeal_of is not None
    dossier = open_dossier(work, new.appeal_of)
    request = dossier.request
    if request.type in ABOUT_AN_ANSWER:
        complaint = "Name the request itself, not the appeal or complaint about it."
        raise InvalidError(complaint, fields={"appeal_of": [complaint]})
    place = (new.country, new.region) if new.country or new.region else (request.country, request.region)
    new = replace(
        new,
        identities=new.identities or _named(work, dossier),
        regime=new.regime or request.regime,
        country=place[0],
        region=place[1],
        language=new.language or request.language,
    )
    return _take(work, dossier, new)


def to_reopen(work: Work, request_id: str, *, reopen: bool = True) -> Dossier | None:
    """The refused request that this appeal or complaint opens again if it is granted; locked, and first.

    None if it is about none, or about one that is open, was answered otherwise or was forgotten. `reopen`
    False: a complaint that is right about something else than the answer, which stands; InvalidError for an
    appeal.
    """
    said = store.find(work.connection, work.tenant_id, request_id)
    if said is None or said.appeal_of is None:
        return None
    if not reopen and said.type == APPEAL:
        complaint = "An appeal that is granted opens the request again; refuse it if the answer stands."
        raise InvalidError(complaint, fields={"reopen": [complaint]})
    dossier = open_dossier(work, said.appeal_of)
    kept = dossier.request.content_sealed is not None
    return dossier if reopen and kept and dossier.request.state in REOPENABLE else None


def grant(work: Work, dossier: Dossier, original: Dossier, *, partly: bool, because: str | None) -> Dossier:
    """Decide an appeal or complaint for the person: the refused request is open again, and goes on.

    `partly`: for a part, which `because` names and staff see to; InvalidError without it, and for a no, which
    has no parts. The letter about it is one of the request that it opens.
    """
    request = original.request
    if partly and request.type in ACT_ON_RECEIPT:
        complaint = "A no is followed as it was said: grant it whole, or refuse."
        raise InvalidError(complaint, fields={"partly": [complaint]})
    if partly and not (because or "").strip():
        complaint = "Say which part is granted, and why the rest is not."
        raise InvalidError(complaint, fields={"because": [complaint]})
    kind = "partly_fulfilled" if partly else "fulfilled"
    case = states.fulfil(dossier.case, partly=partly)
    facts: dict[str, Fact] = {"reopens": original.request_id}
    told, outcome = {"because": because}, GRANTED[partly]
    dossier = keep(work, dossier, kind, case=case, facts=facts, told=told, outcome=outcome)
    again = _reopen(work, original, dossier, partly)
    _go_on(work, again)
    # Written last: only now it is known whether what was proved still does.
    again = open_dossier(work, original.request_id)
    proof = request.type in NEED_PROOF and again.request.state in (RECEIVED, VERIFYING)
    goes_on = again.request.state in OPEN_STATES and not proof
    letters.send(
        work,
        again,
        letters.REOPENED,
        appealed=_day(work, again, local_day(dossier.request.received_at, again.request.zone)),
        appeal_reference=dossier.request_id,
        because=because or "",
        partly=partly,
        whole=not partly,
        acted=request.type in ACT_ON_RECEIPT,
        proof=proof,
        due=_day(work, again, reading_of(work, again).due_on) if goes_on else "",
    )
    return open_dossier(work, dossier.request_id)


def _check(work: Work, dossier: Dossier, before: list[Request]) -> None:
    """Refuse an appeal that the law does not give, or that was decided."""
    request = dossier.request
    if request.state in OPEN_STATES or request.type in ABOUT_AN_ANSWER:
        raise ConflictError("Only an answer can be appealed against.", reason="not-closed")
    if request.state not in REOPENABLE:
        raise ConflictError(
            "Only a refusal, whole or in part, can be appealed against; a new request may be made.",
            reason="not-refused",
        )
    if regime_of(work, request).appeal is None:
        raise ConflictError(
            "The law that applies gives no appeal to the controller; the person may complain instead.",
            reason="no-appeal",
        )
    if any(_denied(each, request) for each in before):
        raise ConflictError(
            "An appeal against this answer was refused; the person may turn to the authority that the letter "
            "names.",
            reason="decided",
        )


def _denied(appeal: Request, request: Request) -> bool:
    """Whether an appeal against the answer that stands now was refused. Any other led on to a new answer."""
    if appeal.state != REFUSED or appeal.closed_at is None or request.closed_at is None:
        return False
    return appeal.closed_at >= request.closed_at


def _take(work: Work, dossier: Dossier, new: NewRequest) -> Dossier:
    """Take in what is about a request, and note it there too."""
    made = take(work, new)
    facts: dict[str, Fact] = {"by": made.request_id, "as": new.type}
    record(work, dossier, "contested", facts=facts)
    return match(work, made.request_id)


def _named(work: Work, dossier: Dossier) -> list[SubjectReference]:
    """The identifiers that a request names, without those that were left out of it."""
    among = [each for each in dossier.identities if each.state != states.DROPPED]
    named = [(each.kind, value_of(work, each)) for each in among]
    if any(value is None for _, value in named):
        raise _forgotten()
    return [SubjectReference(**{kind: value}) for kind, value in named]


def _forgotten() -> ConflictError:
    return ConflictError(
        "The request was forgotten at the end of its term; take what is asked in as a new one.",
        reason="forgotten",
    )


def _is_appeal(request: Request) -> bool:
    return request.type == APPEAL


def _reopen(work: Work, original: Dossier, granted: Dossier, partly: bool) -> Dossier:
    """Open a refused request again: its answer is kept beside it, its clock is that of the appeal."""
    request = original.request
    assert request.closed_at is not None
    case = states.reopen(original.case)
    new = Reopening(
        request.request_id,
        granted.request_id,
        work.now,
        partly,
        request.state,
        request.outcome,
        request.closed_at,
        request.due_at,
        "",
    )
    running = since(work, replace(original, request=replace(request, closed_at=None)), new)
    facts: dict[str, Fact] = {
        "by": granted.request_id,
        "partly": partly,
        "was": request.state,
        "ground": request.outcome,
        "due_at": wire(reading_of(work, running).due_at),
    }
    if request.state == REFUSED:  # it was begun perhaps, and is made anew; nobody had a link to it
        package_store.remove(work.connection, work.tenant_id, request.request_id)
    dossier = keep(
        work,
        original,
        "reopened",
        case=case,
        facts=facts,
        closed_at=None,
        outcome=None,
        waits_for=None,
        overdue_at=None,
        proof_until=None,
        verified_at=request.verified_at if case.state == VERIFIED else None,
        reminded=request.reminded & LATE_ACKNOWLEDGEMENT,
    )
    store.add(work.connection, work.tenant_id, replace(new, event_id=dossier.request.event_id))
    store.update(work.connection, work.tenant_id, request.request_id, {"reopened_at": work.now})
    return rewind(work, open_dossier(work, request.request_id))


def _go_on(work: Work, dossier: Dossier) -> None:
    """Do what follows: a no acts now, what is proved goes on, the rest is to be proved."""
    request = dossier.request
    if request.matched_at is None:
        match(work, dossier.request_id)
    elif request.type in ACT_ON_RECEIPT:
        act(work, dossier)
    else:
        dossier = settle_and_begin(work, dossier)
        if dossier.request.state == VERIFYING and request.channel != OPENDSR:
            _ask_for_proof(work, dossier)


def _ask_for_proof(work: Work, dossier: Dossier) -> None:
    """Write a code to each identity that has to be proved, can be by one, and was sent none just now."""
    for identity in dossier.identities:
        if identity.challenge_expires_at == work.now + challenges.LASTS:
            continue
        offered = challenges.methods(work, dossier, identity)
        if any(each["method"] == "code" for each in offered):
            challenges.challenge(work, dossier.request_id, identity.identity_id)


def _day(work: Work, dossier: Dossier, day: date) -> str:
    return letters.words_of(work, dossier).day(day)
