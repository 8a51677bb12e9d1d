"""Taking a request in. What is done here is the same for everybody: nobody is looked up.

Whom a request means is looked at afterwards (`matching`): at once for a component of the controller, by a job
for the public form, so that neither words nor time tell whether somebody is known.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from governance.clock import wire
from governance.errors import InvalidError, NotFoundError
from governance.happened import SKEW
from governance.rights import noes, sealing, store
from governance.rights.dossier import Dossier, keep, open_dossier
from governance.rights.letter_files import LANGUAGES, language_of
from governance.rights.model import (
    ABOUT_AN_ANSWER,
    ACT_ON_RECEIPT,
    APPEAL,
    BEHALVES,
    CHANNELS,
    OPENDSR,
    TYPES,
    Identity,
    Request,
)
from governance.rights.regime_files import law
from governance.rights.regimes import Chosen, choose
from governance.rights.states import ASKED, OPEN
from governance.settings import Settings
from governance.subjects.identifiers import Identifier, check_external_id
from governance.subjects.lookups import read_value
from governance.subjects.model import SubjectReference
from governance.subjects.places import check_country, check_region, country_of_region
from governance.tenants import store as tenants
from governance.work import Snapshot, Work

MOST_IDENTITIES = 10
LONGEST_DETAILS = 20_000
OLDEST = timedelta(days=3653)


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A request as it came in. `identities`: who asks, named one by one.

    `behalf`: `{"kind": authorised_agent | guardian, …}`, who asks for them, with evidence; sealed, as are
    `details` and `name`. `country` and `region`: where the person says to live. `received_at`: now if absent.
    """

    type: str
    identities: Sequence[SubjectReference]
    behalf: Mapping[str, Any] | None = None
    regime: str | None = None
    country: str | None = None
    region: str | None = None
    language: str | None = None
    received_at: datetime | None = None
    channel: str = "api"
    details: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    appeal_of: str | None = None


def take(work: Work, new: NewRequest) -> Dossier:
    """Take a request in: keep it sealed, start its clock, and let a no act at once.

    Raises InvalidError for what makes no sense: unknown type or regime, no identity, an impossible date.
    """
    received_at = _checked(work, new)
    country, region = _place(new)
    chosen = first_choice(work, new.type, received_at, country, region, new.regime)
    request_id = work.new_id("rrq")
    behalf = None if new.behalf is None else str(new.behalf["kind"])
    content = {
        "details": dict(new.details),
        "on_behalf_of": new.behalf,
        "name": new.name,
        "language": new.language,
    }
    event_id = work.new_id("evt")
    request = Request(
        request_id=request_id,
        type=new.type,
        state="received",
        regime=chosen.regime.id,
        regime_given=new.regime is not None,
        country=country,
        region=region,
        zone=chosen.zone,
        holidays_of=chosen.holidays_of,
        language=language_of(new.language) or LANGUAGES[0],
        channel=new.channel,
        received_at=received_at,
        recorded_at=work.now,
        content_sealed=sealing.seal(work, request_id, sealing.content_place(request_id), content),
        behalf=behalf,
        authority=None if behalf is None else ASKED,
        appeal_of=new.appeal_of,
        duplicate_of=None,
        waits_for=None,
        outcome=None,
        matched_at=None,
        acted_at=None,
        verified_at=None,
        acknowledged_at=work.now if new.channel == OPENDSR else None,
        closed_at=None,
        acknowledge_by=chosen.reading.acknowledge_by,
        due_at=chosen.reading.due_at,
        proof_until=None,
        reminded=0,
        overdue_at=None,
        event_id=event_id,
        opened_by=work.actor.ref,
    )
    # Ids in order, so that identities stay in the order in which they were named.
    ids = sorted(work.new_id("idn") for _ in new.identities)
    named = zip(ids, new.identities, strict=True)
    identities = [_identity(work, request_id, each, one, country) for each, one in named]
    work.record(
        "rights.received",
        facts={
            "request": request_id,
            "type": new.type,
            "regime": request.regime,
            "channel": new.channel,
            "identities": len(identities),
            "behalf": behalf,
            "received_at": wire(received_at),
            "due_at": wire(request.due_at),
        },
        event_id=event_id,
    )
    store.add(work.connection, work.tenant_id, request)
    for identity in identities:
        store.add(work.connection, work.tenant_id, identity)
    if new.type in ACT_ON_RECEIPT:
        noes.at_address(work, request, identities, new.details)
    return open_dossier(work, request_id)


def add_details(work: Work, dossier: Dossier, details: Mapping[str, Any]) -> Dossier:
    """Keep what was said again of an open request, beside what was said first; the same is kept once."""
    request = dossier.request
    content = content_of(work, request)
    known = [content.get("details") or {}, *(each["details"] for each in content.get("added", []))]
    if not details or dict(details) in known:
        return dossier
    added = [*content.get("added", []), {"at": wire(work.now), "details": dict(details)}]
    if len(json.dumps(added)) > LONGEST_DETAILS:
        complaint = f"All that was added has at most {LONGEST_DETAILS} characters."
        raise InvalidError(complaint, fields={"details": [complaint]})
    content["added"] = added
    sealed = sealing.seal(work, request.request_id, sealing.content_place(request.request_id), content)
    return keep(work, dossier, "details_added", content_sealed=sealed)


def content_of(snap: Snapshot, request: Request) -> dict[str, Any]:
    """What the person wrote: `details`, `on_behalf_of`, `name`, `language`; nothing once it was forgotten."""
    place = sealing.content_place(request.request_id)
    return sealing.reveal(snap, request.request_id, place, request.content_sealed) or {}


def value_of(snap: Snapshot, identity: Identity) -> str | None:
    """The identifier that was named; None once it was forgotten."""
    place = sealing.identity_place(identity.identity_id)
    found = sealing.reveal(snap, identity.request_id, place, identity.value_sealed)
    return None if found is None else str(found["value"])


def kept_address(snap: Snapshot, identity: Identity) -> dict[str, str] | None:
    """Where answers to one whom an id names go, if that was kept with the request (before an erasure)."""
    place = sealing.identity_place(identity.identity_id)
    found = sealing.reveal(snap, identity.request_id, place, identity.value_sealed) or {}
    address: dict[str, str] | None = found.get("address")
    return address


def first_choice(
    snap: Snapshot,
    type_: str,
    received_at: datetime,
    country: str | None,
    region: str | None,
    given: str | None,
) -> Chosen:
    """The regime by what the person said, before anybody is looked up."""
    tenant = tenants.find(snap.connection, snap.tenant_id)
    return choose(
        law(snap.resource(Settings).policies_dir).regimes,
        type_,
        received_at,
        [(country, region)],
        snap.now,
        given=given,
        home=None if tenant is None else tenant.country,
    )


def _checked(work: Work, new: NewRequest) -> datetime:
    """See that a request makes sense; gives the instant of its receipt."""
    wrong: dict[str, list[str]] = {}
    if new.type not in TYPES:
        wrong["type"] = [f"Use one of: {', '.join(TYPES)}."]
    if new.channel not in CHANNELS:
        wrong["channel"] = [f"Use one of: {', '.join(CHANNELS)}."]
    if not 1 <= len(new.identities) <= MOST_IDENTITIES:
        wrong["identities"] = [f"Name 1 to {MOST_IDENTITIES} identifiers of the person."]
    if len(set(new.identities)) != len(new.identities):
        wrong["identities"] = ["Name each identifier once."]
    if new.behalf is not None and new.behalf.get("kind") not in BEHALVES:
        wrong["on_behalf_of.kind"] = [f"Use one of: {', '.join(BEHALVES)}."]
    received_at = min(new.received_at or work.now, work.now)
    ahead = new.received_at is not None and new.received_at > work.now + SKEW
    if ahead and new.type not in ACT_ON_RECEIPT:  # a no is taken all the same, as received now
        wrong["received_at"] = ["A request cannot have been received later than now."]
    elif received_at < work.now - OLDEST:
        wrong["received_at"] = ["A request cannot have been received more than ten years ago."]
    for name, told in (("details", new.details), ("on_behalf_of", new.behalf or {})):
        if len(json.dumps(dict(told))) > LONGEST_DETAILS:
            wrong[name] = [f"Write at most {LONGEST_DETAILS} characters."]
    if (new.type == APPEAL and new.appeal_of is None) or (
        new.appeal_of is not None and new.type not in ABOUT_AN_ANSWER
    ):
        wrong["appeal_of"] = [
            "An appeal names the request that it is about, a complaint may, nothing else does."
        ]
    if wrong:
        raise InvalidError("This request cannot be taken in.", fields=wrong)
    noes.check_details(work, new.type, new.details)
    if new.appeal_of is not None and store.find(work.connection, work.tenant_id, new.appeal_of) is None:
        raise NotFoundError("There is no request of the id that `appeal_of` names.")
    return received_at


def _place(new: NewRequest) -> tuple[str | None, str | None]:
    country = None if new.country is None else check_country(new.country, "country")
    if new.region is None:
        return country, None
    region = check_region(new.region, country)
    return country or country_of_region(region), region


def _identity(
    work: Work, request_id: str, identity_id: str, named: SubjectReference, country: str | None
) -> Identity:
    """Seal an identifier and make its keyed hashes, by which it is found later."""
    index = suppression = None
    if named.id is not None:
        kind, value = "id", check_external_id(named.id)
    else:
        kind = "email" if named.email is not None else "phone"
        found = read_value(work, Identifier(kind, named.email or named.phone or ""), country)
        value, index, suppression = found.value, found.blind_index, found.suppression_hash
    return Identity(
        request_id=request_id,
        identity_id=identity_id,
        kind=kind,
        value_sealed=sealing.seal(
            work, request_id, sealing.identity_place(identity_id), {"kind": kind, "value": value}
        ),
        blind_index=index,
        suppression_hash=suppression,
        state=OPEN,
    )
