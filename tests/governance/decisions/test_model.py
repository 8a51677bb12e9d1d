"""Verdicts: every reason, in the published order, with text, clause and remedy."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from governance.decisions.model import Verdict, decide, failed, waterfall_code
from governance.policy.compiled import CompiledPolicy, compile_policy
from governance.policy.loader import load

NOW = datetime(2026, 11, 21, 15, tzinfo=UTC)
SEND = "communication.send"
HARMLESS: dict[str, Any] = {
    "message.channel": "email",
    "message.class": "promotional",
    "message.commercial": True,
    "message.contains_promotion": False,
    "message.in_reply_to": False,
    "purpose.state": "active",
    "purpose.allows_class": True,
    "person.known": True,
    "person.country": "US",
    "person.restricted": False,
    "person.erasure_pending": False,
    "person.erased": False,
    "stage.relationship": "lead",
    "contact_point.state": "none",
    "consent.status": "none",
    "objection.state": "none",
    "suppression.marketing": False,
    "suppression.all": False,
    "suppression.undeliverable": False,
    "contract.state": "none",
    "subscription.state": "none",
}


@pytest.fixture(scope="module")
def policy() -> CompiledPolicy:
    return compile_policy(load(Path(__file__).parents[3] / "policies"))


def ask(policy: CompiledPolicy, changes: dict[str, Any]) -> Verdict:
    return decide(policy, SEND, policy.bucketed(SEND, {**HARMLESS, **changes}, NOW))


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def test_an_allowed_answer_has_no_reasons_but_a_permit_and_obligations(policy: CompiledPolicy) -> None:
    verdict = ask(policy, {})
    assert verdict.allowed
    assert verdict.reasons == ()
    assert verdict.permits == ("matrix.promotional",)
    assert verdict.obligations[:3] == ("tone-inform", "identify-sender", "postal-address")
    assert len(set(verdict.obligations)) == len(verdict.obligations)


def test_a_question_with_four_forbids_gets_all_four_in_the_published_order(policy: CompiledPolicy) -> None:
    verdict = ask(
        policy,
        {
            "contact_point.state": "undeliverable",
            "consent.status": "withdrawn",
            "objection.state": "marketing",
            "suppression.marketing": True,
        },
    )
    assert not verdict.allowed
    assert codes(verdict) == ["suppressed", "objection", "consent-withdrawn", "undeliverable"]
    assert waterfall_code(verdict.reasons) == "suppressed"
    assert waterfall_code(reversed(verdict.reasons)) == "suppressed"
    assert all(reason.text and reason.cites and reason.remedy for reason in verdict.reasons)


def test_a_forbid_beats_every_permit_and_keeps_the_permits_visible(policy: CompiledPolicy) -> None:
    verdict = ask(policy, {"person.country": "DE"})
    assert not verdict.allowed
    assert verdict.permits == ("matrix.promotional",)
    assert codes(verdict) == ["consent-missing", "consent-missing"]
    assert {reason.verified for reason in verdict.reasons} == {True, False}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("none", "consent-missing"),
        ("requested", "consent-unconfirmed"),
        ("expired", "consent-expired"),
        ("unproven", "consent-unproven"),
        ("invalidated", "consent-missing"),
    ],
)
def test_a_missing_consent_is_named_as_exactly_as_it_is_known(
    status: str, code: str, policy: CompiledPolicy
) -> None:
    assert set(codes(ask(policy, {"person.country": "GB", "consent.status": status}))) == {code}


@pytest.mark.parametrize(
    ("changes", "code", "needs"),
    [
        ({"stage.relationship": "active_service"}, "stage-mismatch", "the relationship stage is lead"),
        ({"stage.relationship": None}, "stage-mismatch", "the relationship stage is lead"),
        ({"purpose.state": "inactive"}, "purpose-missing", "the state of the purpose is active"),
        ({"purpose.state": "missing", "purpose.allows_class": False}, "purpose-missing", "is active"),
        ({"purpose.allows_class": False}, "no-permit", "the purpose lists the message class"),
        ({"message.class": "carrier_pigeon"}, "no-permit", "the message class is"),
    ],
)
def test_silence_is_named_by_what_the_nearest_permit_lacks(
    changes: dict[str, Any], code: str, needs: str, policy: CompiledPolicy
) -> None:
    verdict = ask(policy, changes)
    assert codes(verdict) == [code]
    assert needs in verdict.reasons[0].text
    assert verdict.reasons[0].rule.startswith("matrix.")
    assert verdict.reasons[0].cites


def test_somebody_without_a_stage_is_not_told_to_wait_for_another_one(policy: CompiledPolicy) -> None:
    waits, stageless = (
        ask(policy, {"stage.relationship": stage}).reasons[0].remedy for stage in ("active_service", None)
    )
    assert "in this stage" in waits
    assert stageless.startswith("The person has no stage of the relationship yet")
    assert "record one" in stageless


def test_a_move_that_the_stage_model_lacks_says_so(policy: CompiledPolicy) -> None:
    facts = {
        "transition.model": "relationship",
        "transition.from": "lead",
        "transition.to": "client",
        "transition.evidence.contract_reference": False,
        "person.known": True,
        "person.erased": False,
        "person.erasure_pending": False,
        "person.restricted": False,
        "contract.state": "none",
    }
    action = "lifecycle.transition"
    verdict = decide(policy, action, policy.bucketed(action, facts, NOW))
    assert codes(verdict) == ["transition-not-allowed"]
    assert verdict.reasons[0].rule == "relationship.lead-becomes-client"
    assert "a contract is named as evidence" in verdict.reasons[0].text


def test_nothing_known_is_nothing_allowed(policy: CompiledPolicy) -> None:
    verdict = decide(policy, SEND, policy.bucketed(SEND, {}, NOW))
    assert not verdict.allowed
    ranks = [reason.rank for reason in verdict.reasons]
    assert ranks == sorted(ranks)


def test_a_failure_is_a_no_with_its_own_code() -> None:
    verdict = failed("The question could not be evaluated; ask again.")
    assert not verdict.allowed
    assert codes(verdict) == ["evaluation-failed"]
    assert waterfall_code(verdict.reasons) == "evaluation-failed"
    assert waterfall_code(()) is None


def test_a_reason_goes_over_the_wire_without_its_rank(policy: CompiledPolicy) -> None:
    reason = ask(policy, {"consent.status": "withdrawn"}).reasons[0]
    assert reason.to_dict() == {
        "code": "consent-withdrawn",
        "rule": "everywhere.withdrawn-means-no",
        "effect": "forbid",
        "text": "The person withdrew the consent, and a withdrawal holds until the person consents anew.",
        "cites": ["Regulation (EU) 2016/679 Art. 7(3)"],
        "verified": True,
        "remedy": "Wait for a new consent by the person's own act.",
    }
