"""Proof of who asks: proportionate, one identity at a time, and never for more than is held.

A code and a link go to the address that was named, or to one on file of the person whom the CRM's id names;
the CRM delivers them. Else staff look, with evidence, or the person is in their own account. Whoever asks for
another shows the right to as well. Five wrong answers end a code; five codes end this way of proving.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from governance.communications import link_tokens
from governance.errors import ConflictError, ExpiredError, InvalidError, NotFoundError
from governance.events import Fact
from governance.rights import letters, states, store
from governance.rights.challenges import MOST_ATTEMPTS, USE, code_of
from governance.rights.dossier import Dossier, keep, open_dossier, record
from governance.rights.execution import settle_and_begin
from governance.rights.model import BY_ADDRESS, CLOSED_STATES, CONTROLLER, NOT_ME, PROOFS, Identity
from governance.rights.reach import reached, still_holds
from governance.work import Snapshot, Work


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of an attempt. `refusal`: why it did not do (the attempt is recorded); None if it did."""

    dossier: Dossier
    refusal: str | None = None


def answer(work: Work, request_id: str, identity_id: str, code: str) -> Answered:
    """Try a code. A wrong one is counted and recorded, and the refusal returned, not raised."""
    dossier = open_dossier(work, request_id)
    identity = dossier.identity(identity_id)
    _check_waits(work, identity)
    expected = code_of(work, f"{request_id}/{identity_id}/{identity.challenge}")
    given = "".join(each for each in code if each.isdigit() and each.isascii())
    if not hmac.compare_digest(given, expected):
        tried = identity.attempts + 1
        facts: dict[str, Fact] = {"identity": identity_id, "attempts": tried}
        record(work, dossier, "verification_failed", facts=facts)
        values = {"attempts": tried}
        store.update_part(work.connection, work.tenant_id, Identity, request_id, identity_id, values)
        return Answered(dossier, "wrong-code")
    return Answered(_prove(work, dossier, identity, "code"))


def confirm(work: Work, token: str) -> Dossier:
    """Prove an identity by the link that was sent to it; again changes nothing."""
    dossier, identity = by_link(work, token)
    if identity.state == states.PROVED:
        return dossier
    _check_waits(work, identity)
    return _prove(work, dossier, identity, "link")


def decline(work: Work, token: str) -> Dossier:
    """Whoever holds the address did not ask: the request is closed, and nothing happens.

    What an earlier "yes" began ends; ConflictError `too-late` for an erasure that has begun, `closed`.
    """
    dossier, _ = by_link(work, token)
    case = states.move(dossier.case, states.WITHDRAW)
    return keep(work, dossier, "withdrawn", case=case, facts={"because": NOT_ME}, outcome=NOT_ME)


def by_link(snap: Snapshot, token: str) -> tuple[Dossier, Identity]:
    """The request and identity of a link; NotFoundError, or ExpiredError for an old one."""
    parts = link_tokens.read(snap, USE, token).split("/")
    if len(parts) != 3:
        raise link_tokens.unknown()
    dossier = open_dossier(snap, parts[0])
    identity = dossier.identity(parts[1])
    if str(identity.challenge) != parts[2]:
        raise ExpiredError("A newer message was sent; use the link in that one.")
    return dossier, identity


def check(
    work: Work, request_id: str, identity_id: str, *, method: str, evidence: Mapping[str, Any]
) -> Answered:
    """Staff or the person's own account prove an identity; what was looked at is sealed.

    InvalidError without evidence, or for another method.
    """
    if method not in PROOFS[2:]:
        complaint = f"Use one of: code, {', '.join(PROOFS[2:])}."
        raise InvalidError("The method is not known.", fields={"method": [complaint]})
    if not evidence:
        complaint = "Say what was looked at; documents themselves are better not kept."
        raise InvalidError(complaint, fields={"evidence": [complaint]})
    dossier = open_dossier(work, request_id)
    return Answered(_prove(work, dossier, dossier.identity(identity_id), method, evidence))


def vouch(work: Work, request_id: str, identity_id: str, *, evidence: Mapping[str, Any]) -> Dossier:
    """The controller for whom we process says that an identity is the person's: by OpenDSR only.

    Whom the identity means must still be one person: where it reaches several, staff have to say whom.
    """
    dossier = open_dossier(work, request_id)
    if dossier.request.state in CLOSED_STATES:
        return dossier
    return _prove(work, dossier, dossier.identity(identity_id), CONTROLLER, evidence)


def drop(work: Work, request_id: str, identity_id: str) -> Dossier:
    """Leave an identity out that cannot be proved; what is answered rests on the others."""
    dossier = open_dossier(work, request_id)
    case = states.drop(dossier.case, dossier.identity(identity_id).identity_id)
    dossier = keep(work, dossier, "identity_dropped", case=case, facts={"identity": identity_id})
    return settle_and_begin(work, dossier)


def authorise(work: Work, request_id: str, accepted: bool, evidence: Mapping[str, Any]) -> Dossier:
    """Staff say whether an agent or guardian showed the right to ask; what was looked at is sealed."""
    if not evidence:
        complaint = "Say what was looked at; documents themselves are better not kept."
        raise InvalidError(complaint, fields={"evidence": [complaint]})
    dossier = open_dossier(work, request_id)
    case = states.authorise(dossier.case, accepted)
    kind = "authority_accepted" if accepted else "authority_rejected"
    dossier = keep(work, dossier, kind, case=case, told={"evidence": dict(evidence)})
    return settle_and_begin(work, dossier)


def _prove(
    work: Work, dossier: Dossier, identity: Identity, proof: str, evidence: Mapping[str, Any] | None = None
) -> Dossier:
    case = dossier.case
    if proof in BY_ADDRESS and identity.kind != "id" and identity.subject_ref is not None:
        # The address may have changed hands or been corrected: it proves nobody until staff have looked.
        people = reached(work, identity.blind_index or "")
        if people != {identity.subject_ref} or not still_holds(work, identity):
            case = states.mean(case, identity.identity_id, None, shared=True)
    case = states.prove(case, identity.identity_id)
    values = {"proof": proof, "verified_at": work.now}
    at = (work.connection, work.tenant_id)
    store.update_part(*at, Identity, dossier.request_id, identity.identity_id, values)
    dossier = keep(
        work,
        dossier,
        "identity_verified",
        case=case,
        facts={"identity": identity.identity_id, "method": proof},
        told={"evidence": None if evidence is None else dict(evidence)},
    )
    return settle_and_begin(work, dossier)


def _check_waits(work: Work, identity: Identity) -> None:
    """Refuse an answer to a code that is not out, has run out or was guessed at too often."""
    if identity.state != states.CHALLENGED or identity.challenge_expires_at is None:
        raise ConflictError("No code is out for this identity; send one first.", reason="no-code-sent")
    if identity.challenge_expires_at <= work.now or identity.attempts >= MOST_ATTEMPTS:
        raise ExpiredError("This code no longer works; send another one.")
    if identity.kind == "id" and not still_holds(work, identity):
        raise ExpiredError("This code went to an address that is no longer the person's; send another one.")


def status_of(snap: Snapshot, token: str) -> tuple[Dossier, Identity | None]:
    """The request of a status link, or of a verification link (then with its identity)."""
    try:
        return open_dossier(snap, link_tokens.read(snap, letters.STATUS_USE, token)), None
    except NotFoundError:
        return by_link(snap, token)
