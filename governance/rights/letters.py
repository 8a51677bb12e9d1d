"""Letters about a request: written from templates in the person's language, kept sealed, sent by the CRM.

A letter is announced by the event `rights.letter_written`; the CRM fetches it with its address, hands it over
as `rights_correspondence`, and says when it was sent. Before anybody is proved a letter repeats nothing that
the request says but its type: whoever wrote the request may not be the one who reads the letter.
"""

from collections.abc import Mapping
from typing import Any

from governance.clock import wire
from governance.communications import link_tokens
from governance.errors import NotFoundError
from governance.rights import sealing, store
from governance.rights.dossier import Dossier, record, regime_of
from governance.rights.intake import content_of, kept_address, value_of
from governance.rights.letter_files import Words, words, write
from governance.rights.model import ABOUT_AN_ANSWER, BY_ADDRESS, OPENDSR, Identity, Letter
from governance.rights.periods import local_day
from governance.rights.reach import still_holds
from governance.rights.reasons import reasons
from governance.rights.states import PROVED
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.tenants import store as tenants
from governance.work import Snapshot, Work

STATUS_USE = "rights-status"
ACKNOWLEDGEMENT, VERIFICATION, EXTENSION = "acknowledgement", "verification", "extension"
REFUSAL, FULFILMENT, NOTHING_HELD, PACKAGE = "refusal", "fulfilment", "nothing_held", "package"
HELD, RESTRICTED = "held", "restricted"
RESTRICTION_OVER, REOPENED = "restriction_over", "reopened"
KINDS = (
    ACKNOWLEDGEMENT,
    VERIFICATION,
    EXTENSION,
    REFUSAL,
    FULFILMENT,
    NOTHING_HELD,
    PACKAGE,
    HELD,
    RESTRICTED,
    RESTRICTION_OVER,
    REOPENED,
)
MESSAGE_CLASS, PURPOSE = "rights_correspondence", "legal"
_SILENT: Mapping[str, object] = dict.fromkeys(
    [
        "name",
        "address",
        "link",
        "code",
        "until",
        "due",
        "acted",
        "proof",
        "because",
        "complaint",
        "cites",
        "lawless",
        "model",
        "ground",
        "appeal",
        "partly",
        "told",
        "untold",
        "held",
        "whole",
        "appealed",
        "appeal_reference",
    ],
    "",
)


def send(
    work: Work, dossier: Dossier, kind: str, *, identity: Identity | None = None, **values: object
) -> Letter | None:
    """Write a letter of a kind, keep it sealed and announce it. `identity`: to whom, else whoever asks.

    Without an address the letter is kept for the CRM to hand over in another way. None where another
    controller asked for the person: that controller writes to them.
    """
    request = dossier.request
    if request.channel == OPENDSR:
        return None
    said = words_of(work, dossier)
    to = identity or addressee(dossier)
    letter_id = work.new_id("ltr")
    written = write(said, kind, {**_SILENT, **_facts(work, dossier, said, proved=to), **values})
    content = {
        "to": None if to is None else address_of(work, _as_proved(work, dossier, to)),
        "subject": written.subject,
        "text": written.text,
        "html": written.html,
    }
    facts = {"letter": letter_id, "kind": kind, "language": said.language}
    event = record(work, dossier, "letter_written", facts=facts)
    letter = Letter(
        request.request_id,
        letter_id,
        kind,
        said.language,
        None if to is None else to.identity_id,
        sealing.seal(work, request.request_id, sealing.letter_place(letter_id), content),
        work.now,
        None,
        event.id,
    )
    store.add(work.connection, work.tenant_id, letter)
    return letter


def listed(snap: Snapshot, request_id: str) -> list[dict[str, Any]]:
    """The letters of a request, oldest first, opened for the CRM to send."""
    found = store.parts_of(snap.connection, snap.tenant_id, request_id, Letter)
    return [document(snap, each) for each in found]


def document(snap: Snapshot, letter: Letter) -> dict[str, Any]:
    """One letter with its address and text; both are null once the request was forgotten."""
    place = sealing.letter_place(letter.letter_id)
    content = sealing.reveal(snap, letter.request_id, place, letter.content_sealed) or {}
    return {
        "id": letter.letter_id,
        "kind": letter.kind,
        "language": letter.language,
        "to": content.get("to"),
        "subject": content.get("subject"),
        "text": content.get("text"),
        "html": content.get("html"),
        "message_class": MESSAGE_CLASS,
        "purpose": PURPOSE,
        "written_at": wire(letter.written_at),
        "sent_at": None if letter.sent_at is None else wire(letter.sent_at),
    }


def has(snap: Snapshot, dossier: Dossier, kind: str) -> bool:
    """Whether a letter of this kind was written already."""
    written = store.parts_of(snap.connection, snap.tenant_id, dossier.request_id, Letter)
    return any(each.kind == kind for each in written)


def words_of(snap: Snapshot, dossier: Dossier) -> Words:
    """What the person's language says."""
    return words(dossier.request.language, snap.resource(Settings).policies_dir)


def sent(work: Work, dossier: Dossier, letter_id: str) -> Letter:
    """Note that a letter went out; told again it changes nothing. The first answers the duty to acknowledge.

    NotFoundError if the request has no such letter.
    """
    for each in store.parts_of(work.connection, work.tenant_id, dossier.request_id, Letter):
        if each.letter_id == letter_id:
            letter = each
            break
    else:
        raise NotFoundError("This request has no such letter.")
    if letter.sent_at is None:
        record(work, dossier, "letter_sent", facts={"letter": letter_id, "kind": letter.kind})
        at = (work.connection, work.tenant_id)
        store.update_part(*at, Letter, dossier.request_id, letter_id, {"sent_at": work.now})
        if dossier.request.acknowledged_at is None:
            store.update(*at, dossier.request_id, {"acknowledged_at": work.now})
    return next(
        each
        for each in store.parts_of(work.connection, work.tenant_id, dossier.request_id, Letter)
        if each.letter_id == letter_id
    )


def addressee(dossier: Dossier) -> Identity | None:
    """To whom letters go: a proved identity if there is one; e-mail before telephone before the CRM's id."""
    order = ("email", "phone", "id")
    proved = [each for each in dossier.identities if each.state == PROVED]
    among = proved or [each for each in dossier.identities if each.state != "dropped"]
    return min(among, key=lambda each: order.index(each.kind), default=None)


def address_of(snap: Snapshot, identity: Identity) -> dict[str, str] | None:
    """Where an identity is reached: the address given, or one on file of the person that the id names."""
    if identity.kind != "id":
        proved = identity.state == PROVED and identity.proof in BY_ADDRESS
        if proved and identity.subject_ref is not None and not still_holds(snap, identity):
            # Proved once, and corrected since: whoever reads there may be anybody.
            return reached_at(snap, identity.subject_ref)
        value = value_of(snap, identity)
        return None if value is None else {"type": identity.kind, "value": value}
    kept = kept_address(snap, identity)
    if kept is not None:
        return kept
    if identity.subject_ref is None:
        return None
    return reached_at(snap, identity.subject_ref, first=identity.point_ref)


def _as_proved(snap: Snapshot, dossier: Dossier, identity: Identity) -> Identity:
    """An identity of an appeal or complaint as that of the request that it is about: letters go there too."""
    about = dossier.request.appeal_of
    if about is None or identity.blind_index is None:
        return identity
    of_request = store.parts_of(snap.connection, snap.tenant_id, about, Identity)
    return next((each for each in of_request if each.blind_index == identity.blind_index), identity)


def reached_at(snap: Snapshot, subject_ref: str, *, first: str | None = None) -> dict[str, str] | None:
    """Where a person is reached by letter, `first` before others; None if nowhere by e-mail or telephone."""
    person = subjects.find_by_ref(snap, subject_ref)
    points = [
        point
        for point in subjects.points(snap, subject_ref if person is None else person.subject_ref)
        if point.state == "open" and point.type in ("email", "phone")
    ]
    points.sort(key=lambda point: (point.point_ref != first, point.type, not point.verified, point.since))
    for point in points:
        return {"type": point.type, "value": subjects.reveal_point(snap, point)}
    return None


def status_link(snap: Snapshot, request_id: str) -> str:
    """The address of a request's status page."""
    token = link_tokens.write(snap, STATUS_USE, request_id)
    return f"{snap.resource(Settings).public_url}/privacy/requests/{token}"


def _facts(snap: Snapshot, dossier: Dossier, said: Words, *, proved: Identity | None) -> dict[str, object]:
    request = dossier.request
    tenant = tenants.find(snap.connection, snap.tenant_id)
    regime = regime_of(snap, request)
    certain = proved is not None and proved.state == PROVED
    # The zone may be that of somebody who is known: before proof dates are those of UTC for everybody.
    zone = request.zone if certain else "UTC"
    return {
        "name": (content_of(snap, request).get("name") or "") if certain else "",
        "controller": "" if tenant is None else tenant.name,
        "address": "" if tenant is None else tenant.postal_address or "",
        "reference": request.request_id,
        "received": said.day(local_day(request.received_at, zone)),
        "what": said.types[request.type],
        "complaint": reasons(said.language, snap.resource(Settings).policies_dir).say(regime.complaint or ""),
        "appeal": regime.appeal is not None and request.type not in ABOUT_AN_ANSWER,
    }
