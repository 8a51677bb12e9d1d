"""Receipts: signed, in the terms of the Data Privacy Vocabulary, about nobody by name."""

import base64
import json
import re
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from governance.bootstrap import Runtime
from governance.consent import service as consent
from governance.consent.service import NewConsent
from governance.errors import NotFoundError
from governance.events import Actor
from governance.subjects import service as subjects
from governance.subjects.model import Identifier, SubjectChange

ACTOR = Actor("client_test")
MAIL = Identifier("email", "ada@example.org")

DPV_TERMS = frozenset(
    [
        "Consent",
        "ConsentGiven",
        "ConsentNotice",
        "ConsentReceipt",
        "ConsentRecord",
        "ConsentRefused",
        "ConsentRequested",
        "ConsentUnknown",
        "ConsentWithdrawn",
        "DataController",
        "DataSource",
        "DataSubject",
        "ExpressedConsent",
        "GuardianOfDataSubject",
        "IndeterminateDuration",
        "Marketing",
        "PersonalData",
        "Process",
        "Purpose",
        "StorageDuration",
        "StorageLocation",
        "UntilTimeDuration",
        "WithdrawConsent",
        "hasAddress",
        "hasConsentControl",
        "hasConsentStatus",
        "hasContact",
        "hasDataController",
        "hasDataSource",
        "hasDataSubject",
        "hasDuration",
        "hasEntity",
        "hasIdentifier",
        "hasJurisdiction",
        "hasLegalBasis",
        "hasLocation",
        "hasName",
        "hasNotice",
        "hasPersonalData",
        "hasProcess",
        "hasPurpose",
        "hasRecipient",
        "hasRecordOfActivity",
        "hasStorageCondition",
        "isExercisedAt",
        "isImplementedByEntity",
        "isIndicatedAtTime",
        "isIndicatedBy",
    ]
)
"""Terms of DPV 2.3 (https://w3id.org/dpv, W3C licence) that a receipt may use; each was looked up there."""


def said(
    runtime: Runtime, status: str, method: str = "web_form", **more: Any
) -> tuple[str, consent.ConsentOutcome]:
    with runtime.work("acme", ACTOR) as work:
        ref = subjects.put(work, "crm-ada", SubjectChange(identifiers=[MAIL])).subject_ref
        more.setdefault("evidence", {"ip": "203.0.113.5"})
        new = NewConsent(ref, "marketing", status, method, channel="email", contact_point=MAIL, **more)
        return ref, consent.record(work, new)


def opened(runtime: Runtime, receipt: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(runtime.vault.public_jwks())  # type: ignore[arg-type]
    checked = jws.deserialize_compact(receipt, keys, algorithms=["ES256"])
    claims: dict[str, Any] = json.loads(checked.payload or b"")
    return claims


def terms(document: Any) -> set[str]:
    return set(re.findall(r'"dpv:(\w+)"', json.dumps(document)))


@pytest.mark.parametrize(
    ("status", "term"),
    [
        ("granted", "dpv:ConsentGiven"),
        ("requested", "dpv:ConsentRequested"),
        ("refused", "dpv:ConsentRefused"),
        ("withdrawn", "dpv:ConsentWithdrawn"),
    ],
)
def test_a_receipt_says_what_was_said_in_terms_of_the_vocabulary(
    runtime: Runtime, status: str, term: str
) -> None:
    ref, out = said(runtime, status)
    claims = opened(runtime, out.receipt)
    receipt = claims["receipt"]
    (record,) = receipt["dpv:hasRecordOfActivity"]
    assert receipt["@type"] == "dpv:ConsentReceipt"
    assert claims["jti"] == receipt["dpv:hasIdentifier"] == out.receipt_id
    assert record["dct:identifier"] == out.consent_id
    assert record["dpv:hasConsentStatus"]["@type"] == [term, "dpv:ExpressedConsent"]
    assert record["dpv:hasDataSubject"]["dct:identifier"] == ref
    assert terms(receipt) <= DPV_TERMS


def test_a_receipt_has_the_mandatory_fields_of_the_record(runtime: Runtime) -> None:
    _, out = said(runtime, "granted")
    receipt = opened(runtime, out.receipt)["receipt"]
    record = receipt["dpv:hasRecordOfActivity"][0]
    process, party = record["dpv:hasProcess"][0], record["dpv:hasEntity"][0]
    status = record["dpv:hasConsentStatus"]
    mandatory = {
        "schema_version": receipt["dct:conformsTo"],
        "record_id": record["dct:identifier"],
        "receipt_id": receipt["dpv:hasIdentifier"],
        "pii_principal_id": record["dpv:hasDataSubject"]["dct:identifier"],
        "privacy_notice": record["dpv:hasNotice"],
        "purpose": process["dpv:hasPurpose"]["dct:identifier"],
        "pii_information": process["dpv:hasPersonalData"],
        "pii_controllers": process["dpv:hasDataController"],
        "storage_locations": process["dpv:hasStorageCondition"][0]["dpv:hasLocation"],
        "retention_period": process["dpv:hasStorageCondition"][1]["dct:description"],
        "jurisdiction": process["dpv:hasJurisdiction"],
        "withdrawal_method": process["dpv:hasConsentControl"]["dpv:isExercisedAt"],
        "pii_type": process["dpv:hasPersonalData"]["skos:broader"],
        "party_id": party["dct:identifier"],
        "party_address": party["dpv:hasAddress"],
        "party_name": party["dpv:hasName"],
        "party_contact": party["dpv:hasContact"],
        "party_type": party["@type"],
        "event_time": status["dpv:isIndicatedAtTime"],
        "validity_duration": status["dpv:hasDuration"],
        "entity_id": status["dpv:isImplementedByEntity"],
        "event_type": process["dpv:hasLegalBasis"],
        "event_state": status["@type"],
    }
    assert all(mandatory.values()), mandatory
    assert process["dpv:hasRecipient"] == []
    assert party["dpv:hasName"] == "Acme Inc."


def test_a_receipt_names_nobody(runtime: Runtime) -> None:
    _, out = said(runtime, "granted", guardian={"name": "Grace", "verified_by": "card"})
    plain = json.dumps(opened(runtime, out.receipt))
    for secret in ("ada@", "crm-ada", "203.0.113", "Grace"):
        assert secret not in plain
    assert "GuardianOfDataSubject" in plain


def test_an_unproven_grant_is_no_consent_given(runtime: Runtime) -> None:
    _, out = said(runtime, "granted", evidence=None, method="import")
    record = opened(runtime, out.receipt)["receipt"]["dpv:hasRecordOfActivity"][0]
    assert "dpv:ConsentUnknown" in record["dpv:hasConsentStatus"]["@type"]


def test_a_receipt_can_be_asked_for_again_and_says_the_same(any_runtime: Runtime, clock: Any) -> None:
    _, out = said(any_runtime, "granted")
    clock.forward(__import__("datetime").timedelta(days=9))
    with any_runtime.snapshot("acme", ACTOR) as snap:
        again = consent.receipt(snap, out.receipt_id)
        assert opened(any_runtime, again) == opened(any_runtime, out.receipt)
        for wrong in ("rec_none-1", "rec_", "con_1", out.receipt_id + "0", "rec_x-\u0661"):
            with pytest.raises(NotFoundError):
                consent.receipt(snap, wrong)


def test_a_receipt_that_was_changed_does_not_verify(runtime: Runtime) -> None:
    _, out = said(runtime, "granted")
    head, body, signature = out.receipt.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["iat"] += 1
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    with pytest.raises(Exception, match="signature"):
        opened(runtime, f"{head}.{forged}.{signature}")
