"""Whoever left is a stage of their own: what may still reach them, and how they come back."""

from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.communications import service as communications
from governance.communications.model import read_check
from governance.consent import service as consents
from governance.consent.service import NewConsent, NewObjection
from governance.decisions.record import DecisionRecord
from governance.lifecycle import service as lifecycle
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectReference
from governance.subjects.service import SubjectChange
from tests.conftest import ACTOR


def churned(runtime: Runtime, country: str = "DE") -> str:
    """A client whose contract ended and who left."""
    email = Identifier("email", "former@example.org")
    change = SubjectChange(relationship="lead", country=country, identifiers=[email])
    with runtime.work("acme", ACTOR) as work:
        ref = subjects.put(work, "crm-1", change).subject_ref
    move(runtime, ref, "client", evidence={"contract_reference": "C-1"})
    move(runtime, ref, "churned")
    return ref


def move(runtime: Runtime, ref: str, to: str, **named: Any) -> None:
    with runtime.work("acme", ACTOR) as work:
        assert lifecycle.transition(work, ref, model="relationship", to=to, **named).allowed


def may(runtime: Runtime, message_class: str, purpose: str = "marketing") -> DecisionRecord:
    asked = read_check(
        SubjectReference(id="crm-1"),
        {"channel": "email", "message_class": message_class, "purpose": purpose},
        {},
    )
    with runtime.snapshot("acme", ACTOR) as snap:
        return communications.check(snap, asked)


def said(runtime: Runtime, ref: str, status: str) -> None:
    # German law wants a confirmed sign-up as proof of an e-mail consent.
    with runtime.work("acme", ACTOR) as work:
        double = status == "granted"
        made = consents.record(
            work,
            NewConsent(
                ref,
                "marketing",
                status,
                "web_form",
                channel="email",
                contact_point=Identifier("email", "former@example.org"),
                double_opt_in=double,
            ),
        )
    if made.confirmation is not None:
        with runtime.work("acme", ACTOR) as work:
            consents.confirm(work, made.confirmation.token)


def test_leaving_ends_the_contract_and_says_what_stops(runtime: Runtime) -> None:
    ref = churned(runtime)
    with runtime.snapshot("acme", ACTOR) as snap:
        left = subjects.get_by_ref(snap, ref)
    assert (left.stage_relationship, left.contract_state) == ("churned", "ended")
    assert "stage-mismatch" in may(runtime, "promotional").codes
    assert "stage-mismatch" in may(runtime, "customer_offer").codes
    assert may(runtime, "service", "service").codes == ("stage-mismatch",)


def test_who_left_is_won_back_only_with_consent_where_the_law_asks_for_it(any_runtime: Runtime) -> None:
    ref = churned(any_runtime)
    refused = may(any_runtime, "win_back")
    assert not refused.allowed
    assert "consent-missing" in refused.codes
    assert "stage-mismatch" not in refused.codes
    said(any_runtime, ref, "granted")
    assert may(any_runtime, "win_back").allowed
    assert not may(any_runtime, "promotional").allowed, "consent does not open what the stage closes"
    said(any_runtime, ref, "withdrawn")
    assert "consent-withdrawn" in may(any_runtime, "win_back").codes


def test_an_objection_ends_win_back_everywhere(runtime: Runtime) -> None:
    ref = churned(runtime, "US")
    assert may(runtime, "win_back").allowed, "American law lets e-mail go until somebody says no"
    with runtime.work("acme", ACTOR) as work:
        consents.object_(work, NewObjection(ref, "all", method="phone"))
    assert "objection" in may(runtime, "win_back").codes


@pytest.mark.parametrize("stage", ["lead", "contact", "client", "active_service"])
def test_nobody_is_won_back_who_has_not_left(runtime: Runtime, stage: str) -> None:
    with runtime.work("acme", ACTOR) as work:
        email = Identifier("email", "former@example.org")
        change = SubjectChange(relationship=stage, country="US", identifiers=[email])
        subjects.put(work, "crm-1", change)
    assert "stage-mismatch" in may(runtime, "win_back").codes


def test_who_comes_back_is_a_lead_again_by_an_act_that_is_named(any_runtime: Runtime) -> None:
    ref = churned(any_runtime)
    with any_runtime.work("acme", ACTOR) as work:
        refused = lifecycle.transition(work, ref, model="relationship", to="lead")
    assert refused.record.codes == ("transition-not-allowed",)
    move(any_runtime, ref, "lead", because="answered the win-back letter")
    assert "stage-mismatch" in may(any_runtime, "win_back").codes
