"""The codes and links that prove who asks: to which address, how often, for how long.

A code and a link go to the address that was named, or to one on file of the person whom the CRM's id names;
the CRM delivers them. They show who reads what goes there, and prove only while the address is that person's:
one that was corrected meanwhile was never theirs (`reach.still_holds`).
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from governance.communications import link_tokens
from governance.errors import ConflictError
from governance.events import Fact
from governance.rights import letters, states, store
from governance.rights.dossier import Dossier, keep, open_dossier
from governance.rights.letter_files import words
from governance.rights.model import BY_ADDRESS, NEED_PROOF, Identity
from governance.rights.periods import local_day
from governance.rights.reach import still_holds
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.vault.service import Vault
from governance.work import Snapshot, Work

USE = "rights-verify"
_CODE_USE = "rights-code"
CODE_DIGITS = 8
LASTS = timedelta(days=7)
PROVABLE_FOR = timedelta(days=30)
MOST_CHALLENGES, MOST_ATTEMPTS = 5, 5


def methods(snap: Snapshot, dossier: Dossier, identity: Identity) -> list[dict[str, Any]]:
    """How this identity may be proved, the least first: only by what is held about the person already."""
    if dossier.request.type not in NEED_PROOF or identity.state in (states.PROVED, states.DROPPED):
        return []
    offered: list[dict[str, Any]] = []
    if identity.challenge < MOST_CHALLENGES:
        if identity.kind != "id":
            offered.append({"method": "code", "contact_point": None, "type": identity.kind})
        elif identity.subject_ref is not None:
            offered += [
                {"method": "code", "contact_point": point.point_ref, "type": point.type}
                for point in subjects.points(snap, identity.subject_ref)
                if point.type in ("email", "phone")
                and point.state == "open"
                and point.since <= dossier.request.recorded_at
            ]
    return [*offered, {"method": "account"}, {"method": "staff"}]


def challenge(work: Work, request_id: str, identity_id: str, *, point_ref: str | None = None) -> Dossier:
    """Write a code and a link to the address of an identity; the one before them stops working.

    `point_ref`: to which contact point on file, for an identity that is the CRM's id; one of `methods`.
    """
    dossier = open_dossier(work, request_id)
    identity = dossier.identity(identity_id)
    offered = [each for each in methods(work, dossier, identity) if each["method"] == "code"]
    refs = [each["contact_point"] for each in offered]
    if not offered:
        raise ConflictError(
            "No code can be sent for this identity; let staff check it, or refuse.", reason="no-code"
        )
    if point_ref is not None and point_ref not in refs:
        raise ConflictError("No code can be sent to this contact point.", reason="no-code")
    case = states.challenge(dossier.case, identity_id)
    number = identity.challenge + 1
    values = {
        "challenge": number,
        "attempts": 0,
        "challenge_expires_at": work.now + LASTS,
        "point_ref": point_ref or refs[0],
    }
    store.update_part(work.connection, work.tenant_id, Identity, request_id, identity_id, values)
    until = dossier.request.proof_until or work.now + PROVABLE_FOR
    facts: dict[str, Fact] = {"identity": identity_id, "number": number}
    dossier = keep(work, dossier, "challenged", case=case, facts=facts, proof_until=until)
    named = f"{request_id}/{identity_id}/{number}"
    said = words(dossier.request.language, work.resource(Settings).policies_dir)
    letters.send(
        work,
        dossier,
        letters.VERIFICATION,
        identity=dossier.identity(identity_id),
        link=f"{work.resource(Settings).public_url}/privacy/requests/{link_tokens.write(work, USE, named)}",
        code=code_of(work, named),
        until=said.day(local_day(work.now + LASTS, "UTC")),
    )
    return dossier


def challenge_again(work: Work, dossier: Dossier, identities: Sequence[Identity]) -> Dossier:
    """Write to those who proved an address by code or link, and have to prove it anew: who waits is told.

    `identities`: as they were when proved. One that no code can be sent to any more, or whose address is not
    the person's any more, is left to staff.
    """
    for before in identities:
        if before.proof not in BY_ADDRESS or (before.kind != "id" and not still_holds(work, before)):
            continue
        identity = dossier.identity(before.identity_id)
        refs = [
            each["contact_point"] for each in methods(work, dossier, identity) if each["method"] == "code"
        ]
        if refs:
            same = before.point_ref if before.point_ref in refs else None
            dossier = challenge(work, dossier.request_id, identity.identity_id, point_ref=same)
    return dossier


def code_of(snap: Snapshot, named: str) -> str:
    """The digits of a challenge; made again from its name, never stored."""
    mac = snap.resource(Vault).mac(snap.tenant_id, _CODE_USE, named.encode())
    return str(int.from_bytes(mac[:8], "big") % 10**CODE_DIGITS).zfill(CODE_DIGITS)
