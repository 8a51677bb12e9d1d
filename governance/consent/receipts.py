"""Consent receipts: what was said, for what and to whom, signed, without anything that identifies the person.

The claims follow the guide of the W3C DPV Community Group to ISO/IEC TS 27560:2023 (dpv/guides/consent-27560;
the ISO text itself was not consulted): a `dpv:ConsentReceipt` that holds one `dpv:ConsentRecord`. The person
is named by the random reference only. A receipt is made anew from the event whenever it is asked for.
"""

from collections.abc import Sequence

from governance.clock import wire
from governance.consent import store
from governance.consent.kinds import NIGHT
from governance.consent.projection import ConsentEvent
from governance.errors import NotFoundError
from governance.purposes import service as purposes
from governance.settings import Settings
from governance.subjects.identifiers import CHANNEL_POINT_TYPE
from governance.tenants import store as tenants
from governance.tenants.model import Tenant
from governance.vault.service import Vault
from governance.work import Snapshot

PROFILE = "https://w3id.org/dpv/schema/dpv-27560#receipt"
RECORD_PROFILE = "https://w3id.org/dpv/schema/dpv-27560#record"

CONTEXT: dict[str, object] = {
    "dpv": "https://w3id.org/dpv#",
    "pd": "https://w3id.org/dpv/pd#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "dct": "http://purl.org/dc/terms/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "gov": "urn:governance:",
}

STATE_TERM = {
    "requested": "dpv:ConsentRequested",
    "granted": "dpv:ConsentGiven",
    "confirmed": "dpv:ConsentGiven",
    "refused": "dpv:ConsentRefused",
    "withdrawn": "dpv:ConsentWithdrawn",
}
"""Consent statuses in the terms of DPV 2.3; a grant without proof is `dpv:ConsentUnknown`."""

_POINT_DATA = {
    "email": "pd:EmailAddress",
    "phone": "pd:TelephoneNumber",
    "postal": "pd:PhysicalAddress",
    "device": "pd:DeviceBased",
    "social": "pd:SocialMediaCommunication",
}
_PREFIX = "rec_"


def receipt_id(event: ConsentEvent) -> str:
    """The id of the receipt of an act: the act's own digits and the sequence number of its first event."""
    return f"{_PREFIX}{event.consent_id.partition('_')[2]}-{event.seq}"


def receipt(snap: Snapshot, wanted: str) -> str:
    """Give the signed receipt of this id (compact JWS); NotFoundError if there is none."""
    digits, _, seq = wanted.removeprefix(_PREFIX).partition("-")
    if wanted.startswith(_PREFIX) and seq.isdigit():
        events = store.events_of_act(snap.connection, snap.tenant_id, f"con_{digits}")
        first = [event for event in events if str(event.seq) == seq and event.status in STATE_TERM]
        if first:
            act = [event for event in events if event.event_id == first[0].event_id]
            return sign(snap, act)
    raise NotFoundError("There is no such receipt.")


def sign(snap: Snapshot, events: Sequence[ConsentEvent]) -> str:
    """Sign the receipt of one act."""
    return snap.resource(Vault).sign_receipt(claims(snap, events))


def claims(snap: Snapshot, events: Sequence[ConsentEvent]) -> dict[str, object]:
    """Give the content of an act's receipt: registered JWT claims and the JSON-LD document."""
    first = events[0]
    settings = snap.resource(Settings)
    return {
        "iss": settings.issuer,
        "iat": int(first.recorded_at.timestamp()),
        "jti": receipt_id(first),
        "sub": first.subject_ref,
        "receipt": document(snap, events, settings.public_url),
    }


def document(snap: Snapshot, events: Sequence[ConsentEvent], public_url: str) -> dict[str, object]:
    """Give the receipt as JSON-LD."""
    first = events[0]
    controller = first.controller or snap.tenant_ref
    tenant = tenants.find(snap.connection, snap.tenant_id)
    return {
        "@context": CONTEXT,
        "@id": f"gov:receipt:{receipt_id(first)}",
        "@type": "dpv:ConsentReceipt",
        "dct:conformsTo": PROFILE,
        "dpv:hasIdentifier": receipt_id(first),
        "dct:created": wire(first.recorded_at),
        "dct:publisher": f"gov:controller:{snap.tenant_ref}",
        "dpv:hasRecordOfActivity": [
            {
                "@id": f"gov:event:{first.event_id}",
                "@type": "dpv:ConsentRecord",
                "dct:conformsTo": RECORD_PROFILE,
                "dct:identifier": first.consent_id,
                "dpv:hasDataSubject": {
                    "@id": f"gov:subject:{first.subject_ref}",
                    "@type": "dpv:DataSubject",
                    "dct:identifier": first.subject_ref,
                },
                "dpv:hasNotice": _notice(first),
                "dpv:hasProcess": [_process(snap, first, controller, public_url, tenant)],
                "dpv:hasEntity": [_controller(tenant, controller, public_url)],
                "dpv:hasConsentStatus": _status(first),
            }
        ],
    }


def _notice(event: ConsentEvent) -> dict[str, object]:
    if event.notice_id is None:
        return {"@type": "dpv:ConsentNotice", "dct:description": "none recorded"}
    return {
        "@id": f"gov:notice:{event.notice_id}:{event.notice_version}",
        "@type": "dpv:ConsentNotice",
        "dct:identifier": event.notice_id,
        "dct:hasVersion": event.notice_version,
        "dct:language": event.notice_language,
    }


def _process(
    snap: Snapshot, event: ConsentEvent, controller: str, public_url: str, tenant: Tenant | None
) -> dict[str, object]:
    found = purposes.find(snap, event.purpose) if event.purpose else None
    purpose: dict[str, object] = {"@type": "dpv:Purpose", "dct:identifier": event.purpose or "all"}
    if found is not None and found.title:
        purpose["dct:title"] = found.title
    if event.purpose_version is not None:
        purpose["dct:hasVersion"] = str(event.purpose_version)
    if event.purpose == "marketing":
        purpose["skos:broader"] = "dpv:Marketing"
    data = _POINT_DATA[CHANNEL_POINT_TYPE[event.channel]] if event.channel else "dpv:PersonalData"
    country = tenant.country if tenant else None
    return {
        "@type": "dpv:Process",
        "dpv:hasPurpose": purpose,
        "dpv:hasLegalBasis": "dpv:Consent",
        "dpv:hasPersonalData": {"@type": "dpv:PersonalData", "skos:broader": data},
        "dpv:hasDataController": f"gov:controller:{controller}",
        "dpv:hasDataSource": {"@type": "dpv:DataSource", "dct:description": event.method},
        "dpv:hasStorageCondition": [
            {"@type": "dpv:StorageLocation", "dpv:hasLocation": country or "not stated"},
            {"@type": "dpv:StorageDuration", "dct:description": _retention(event)},
        ],
        "dpv:hasJurisdiction": country or "not stated",
        "dpv:hasRecipient": [],
        "dpv:hasConsentControl": {
            "@type": "dpv:WithdrawConsent",
            "dpv:isExercisedAt": f"{public_url}/privacy/requests",
        },
        "gov:channel": event.channel or "all",
        "gov:topic": event.topic or "all",
        "gov:hours": "night only" if event.kind == NIGHT else "all but night",
    }


def _retention(event: ConsentEvent) -> str:
    if event.expires_at is not None:
        return f"until {wire(event.expires_at)}, or withdrawal if that is earlier"
    return "until withdrawal"


def _controller(tenant: Tenant | None, controller: str, public_url: str) -> dict[str, object]:
    return {
        "@id": f"gov:controller:{controller}",
        "@type": "dpv:DataController",
        "dct:identifier": controller,
        "dpv:hasName": tenant.name if tenant else "not stated",
        "dpv:hasAddress": (tenant.postal_address if tenant else None) or "not stated",
        "dpv:hasContact": f"{public_url}/privacy/requests",
    }


def _status(event: ConsentEvent) -> dict[str, object]:
    state = STATE_TERM[event.status]
    if event.status == "granted" and not event.proven:
        state = "dpv:ConsentUnknown"
    duration: dict[str, object] = {"@type": "dpv:IndeterminateDuration"}
    if event.expires_at is not None:
        duration = {"@type": "dpv:UntilTimeDuration", "rdf:value": wire(event.expires_at)}
    by = "dpv:GuardianOfDataSubject" if event.guardian else "dpv:DataSubject"
    return {
        "@type": [state, "dpv:ExpressedConsent"] if event.by_person else state,
        "dpv:isIndicatedAtTime": wire(event.occurred_at),
        "dpv:isIndicatedBy": by if event.by_person else "dpv:DataController",
        "dpv:isImplementedByEntity": f"gov:subject:{event.subject_ref}"
        if event.by_person
        else "dpv:DataController",
        "dpv:hasDuration": duration,
    }
