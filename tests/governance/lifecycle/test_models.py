# ruff: noqa: E501 -- a rule a line reads as in its file
"""Every stage model: the journeys beside the relationship, a tenant's own, and what stands for what."""

from pathlib import Path
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.errors import InvalidError
from governance.lifecycle import service as lifecycle
from governance.lifecycle.catalogue import lifecycle_map, models
from governance.lifecycle.service import TransitionOutcome
from governance.policy import service as policies
from governance.policy.complaints import PolicyError
from governance.subjects import service as subjects
from governance.subjects.service import SubjectChange
from tests.conftest import ACTOR

SHIPPED = {
    "relationship": ["lead", "contact", "client", "active_service", "dormant", "churned"],
    "engagement": ["awareness", "engagement", "adoption", "retention", "advocacy"],
    "acquisition": ["awareness", "acquisition", "conversion", "retention", "loyalty"],
    "partnership": ["exploratory", "basic", "collaborative", "interconnected"],
    "campaign": ["marketing", "acquisition", "relationship_management", "loss"],
}
OWN = """model: onboarding
title: Onboarding
stages:
  invited: {means: Was sent the first link.}
  set-up: {means: Has an account.}
because: We count how far people come.
cites: ["House rule 7"]
remedy: Look the moves up.
transitions:
  - {id: is-invited, from: [none], to: invited, because: Everybody is invited first.}
  - {id: sets-up, from: [invited], to: set-up, when: {contract.state: in_force}, because: An account needs a contract.}
"""
OWN_CASES = """pack: onboarding
now: 2026-11-21T15:00:00Z
cases:
  - name: invited
    facts: {transition.model: onboarding, transition.from: none, transition.to: invited}
    expect: {allowed: true, permits: [is-invited]}
  - name: sets up
    facts: {transition.model: onboarding, transition.from: invited, transition.to: set-up, contract.state: in_force}
    expect: {allowed: true, permits: [sets-up]}
"""


def person(runtime: Runtime, external_id: str = "crm-1", **named: Any) -> str:
    with runtime.work("acme", ACTOR) as work:
        return subjects.put(work, external_id, SubjectChange(**named)).subject_ref


def move(runtime: Runtime, ref: str, model: str, to: str, **named: Any) -> TransitionOutcome:
    with runtime.work("acme", ACTOR) as work:
        return lifecycle.transition(work, ref, model=model, to=to, **named)


def happened(runtime: Runtime, ref: str, *events: str) -> None:
    with runtime.work("acme", ACTOR) as work:
        for event in events:
            subjects.record_event(work, ref, event=event)


def stages(runtime: Runtime, ref: str) -> dict[str, str]:
    with runtime.snapshot("acme", ACTOR) as snap:
        return {model: stage for model, (stage, *_) in subjects.stages(snap, ref).items()}


def adopt(runtime: Runtime, folder: Path, **files: str) -> None:
    (folder / "lifecycle").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "lifecycle" / f"{name.replace('__', '.')}.yaml").write_text(text, encoding="utf-8")
    with runtime.work("acme", ACTOR) as work:
        policies.adopt(work, documents=policies.shipped_documents(folder))


def test_the_models_of_the_contract_are_shipped_with_their_stages_in_order(runtime: Runtime) -> None:
    with runtime.snapshot("acme", ACTOR) as snap:
        shown = {each["model"]: [stage["id"] for stage in each["stages"]] for each in models(snap)}
    assert shown == SHIPPED


def test_a_person_has_one_stage_in_each_model(any_runtime: Runtime) -> None:
    ref = person(any_runtime, relationship="lead")
    happened(any_runtime, ref, "notice_given")
    for model, to, more in (
        ("relationship", "contact", {}),
        ("engagement", "awareness", {}),
        ("engagement", "engagement", {}),
        ("acquisition", "awareness", {}),
        ("acquisition", "acquisition", {}),
        ("partnership", "exploratory", {}),
        ("partnership", "basic", {}),
        ("campaign", "marketing", {}),
        ("campaign", "acquisition", {}),
    ):
        done = move(any_runtime, ref, model, to, **more)
        assert done.allowed, (model, to, done.record.codes)
        assert done.consequences.lawful_bases_gained == () or model == "relationship"
    assert stages(any_runtime, ref) == {
        "relationship": "contact",
        "engagement": "engagement",
        "acquisition": "acquisition",
        "partnership": "basic",
        "campaign": "acquisition",
    }


@pytest.mark.parametrize(
    ("model", "first", "to", "evidence"),
    [
        ("acquisition", ["awareness"], "conversion", "contract_reference"),
        ("partnership", ["exploratory"], "collaborative", "contract_reference"),
        ("campaign", ["marketing"], "relationship_management", "contract_reference"),
    ],
)
def test_each_model_asks_for_its_evidence_and_a_dry_run_says_so_too(
    any_runtime: Runtime, model: str, first: list[str], to: str, evidence: str
) -> None:
    ref = person(any_runtime)
    for stage in first:
        assert move(any_runtime, ref, model, stage).allowed
    refused = move(any_runtime, ref, model, to)
    assert refused.record.codes == ("transition-not-allowed",)
    told = move(any_runtime, ref, model, to, evidence={evidence: "X-1"}, dry_run=True)
    assert told.allowed
    assert stages(any_runtime, ref) == {model: first[-1]}
    assert move(any_runtime, ref, model, to, evidence={evidence: "X-1"}).allowed
    assert stages(any_runtime, ref) == {model: to}


def test_who_is_engaged_adopts_only_under_contract_and_leaves_it_without(runtime: Runtime) -> None:
    ref = person(runtime)
    assert move(runtime, ref, "engagement", "engagement").allowed
    assert not move(runtime, ref, "engagement", "adoption").allowed
    happened(runtime, ref, "contract_signed")
    assert move(runtime, ref, "engagement", "adoption").allowed
    assert not move(runtime, ref, "engagement", "engagement").allowed
    happened(runtime, ref, "contract_ended")
    assert move(runtime, ref, "engagement", "engagement").allowed


@pytest.mark.parametrize("model", sorted(SHIPPED))
def test_a_restricted_person_moves_in_no_model(runtime: Runtime, model: str) -> None:
    ref = person(runtime)
    with runtime.work("acme", ACTOR) as work:
        subjects.set_restriction(work, ref, True)
    refused = move(runtime, ref, model, SHIPPED[model][0])
    assert "restricted" in refused.record.codes


def test_a_stage_of_another_model_is_refused_with_the_names_of_this_one(runtime: Runtime) -> None:
    ref = person(runtime)
    with runtime.snapshot("acme", ACTOR) as snap, pytest.raises(InvalidError) as refused:
        lifecycle.check(snap, ref, model="campaign", to="lead")
    assert refused.value.fields == {
        "to": ["Give one of: marketing, acquisition, relationship_management, loss."]
    }
    with runtime.snapshot("acme", ACTOR) as snap, pytest.raises(InvalidError) as refused:
        lifecycle.check(snap, ref, model="campain", to="loss")
    assert "acquisition, campaign, engagement" in refused.value.fields["model"][0]


def test_the_map_says_which_stage_of_one_model_stands_for_which_of_another(runtime: Runtime) -> None:
    with runtime.snapshot("acme", ACTOR) as snap:
        shown = lifecycle_map(snap)
    by_name = {each["model"]: {stage["id"]: stage for stage in each["stages"]} for each in shown["models"]}
    assert by_name["acquisition"]["conversion"]["corresponds_to"]["relationship"] == ["client"]
    assert by_name["relationship"]["churned"]["corresponds_to"] == {"campaign": ["loss"]}
    assert any(row["stages"].get("campaign") == ["loss"] for row in shown["aliases"])
    # A journey shows what the relationship allows there; the gates ask about the relationship alone.
    client, adoption = by_name["relationship"]["client"], by_name["engagement"]["adoption"]
    assert adoption["by_alias"]
    assert not client["by_alias"]
    assert adoption["message_classes"] == client["message_classes"]
    assert adoption["lawful_bases"] == client["lawful_bases"]
    assert "win_back" in by_name["campaign"]["loss"]["message_classes"]
    assert "promotional" not in by_name["campaign"]["loss"]["message_classes"]
    assert {rule["code"] for rule in shown["rules"]} >= {"erased", "restricted", "unknown-subject"}
    lapse = next(each for each in shown["models"] if each["model"] == "relationship")["inactivity"]
    assert [(one["from"], one["to"], one["after"]) for one in lapse] == [("client", "lead", "24 months")]


def test_a_tenant_s_own_model_is_adopted_and_asked_like_any_other(
    any_runtime: Runtime, tmp_path: Path
) -> None:
    ref = person(any_runtime)
    with any_runtime.work("acme", ACTOR) as work, pytest.raises(InvalidError):
        lifecycle.transition(work, ref, model="onboarding", to="invited")
    adopt(any_runtime, tmp_path, onboarding=OWN, onboarding__cases=OWN_CASES)
    assert move(any_runtime, ref, "onboarding", "invited").allowed
    assert not move(any_runtime, ref, "onboarding", "set-up").allowed
    happened(any_runtime, ref, "contract_signed")
    assert move(any_runtime, ref, "onboarding", "set-up").allowed
    assert stages(any_runtime, ref) == {"onboarding": "set-up"}
    # What no model can leave out holds here too.
    with any_runtime.work("acme", ACTOR) as work:
        subjects.set_restriction(work, ref, True)
    assert "restricted" in move(any_runtime, ref, "onboarding", "invited").record.codes
    assert move(any_runtime, person(any_runtime, "crm-2"), "engagement", "awareness").allowed


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("from: [invited]", "from: [invitd]", "unknown stage 'invitd'; did you mean 'invited'?"),
        ("to: set-up", "to: client", "unknown stage 'client'"),
        ("  invited:", "  none:", "'none' stands before the first stage"),
        (
            "contract.state: in_force",
            "transition.from: client",
            "unknown value of 'transition.from': 'client'",
        ),
        (
            "transitions:",
            "inactivity: [{from: set-up, to: invited, after: 30 days, warning: 60 days, grace: 1 day}]\ntransitions:",
            "the warning must come after the last act",
        ),
        (
            "transitions:",
            "inactivity: [{from: set-up, to: invited, after: long, warning: 6 days, grace: 1 day}]\ntransitions:",
            "'after' is a length of time such as '24 months'",
        ),
    ],
)
def test_a_model_that_cannot_be_meant_is_refused_by_name(
    runtime: Runtime, tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    with pytest.raises(PolicyError) as refused:
        adopt(runtime, tmp_path, onboarding=OWN.replace(old, new, 1), onboarding__cases=OWN_CASES)
    assert complaint in refused.value.message


def test_aliases_of_stages_that_nobody_declares_are_refused(runtime: Runtime, tmp_path: Path) -> None:
    text = "aliases: own\nbecause: Ours.\nrows:\n  - {means: One., stages: {campaign: [lost], campain: [loss]}}\n"
    with pytest.raises(PolicyError) as refused:
        adopt(runtime, tmp_path, own=text)
    assert "unknown stage of campaign 'lost'; did you mean 'loss'?" in refused.value.message
    assert "unknown stage model 'campain'; did you mean 'campaign'?" in refused.value.message


def test_a_case_speaks_only_of_its_own_model_s_stages(runtime: Runtime, tmp_path: Path) -> None:
    cases = OWN_CASES.replace("transition.from: none", "transition.from: lead", 1)
    with pytest.raises(PolicyError) as refused:
        adopt(runtime, tmp_path, onboarding=OWN, onboarding__cases=cases)
    assert "unknown value of 'transition.from': 'lead'" in refused.value.message


def test_a_relation_of_organisations_is_no_consent_of_the_people_in_them(runtime: Runtime) -> None:
    from governance.communications import service as communications
    from governance.communications.model import read_check
    from governance.subjects.model import SubjectReference

    ref = person(runtime, country="DE", relationship="lead", customer_type="business")
    move(runtime, ref, "partnership", "exploratory")
    move(runtime, ref, "partnership", "collaborative", evidence={"contract_reference": "P-1"})
    happened(runtime, ref, "contract_signed")
    assert move(runtime, ref, "partnership", "interconnected", because="systems are joined").allowed
    asked = read_check(
        SubjectReference(id="crm-1"),
        {"channel": "email", "message_class": "promotional", "purpose": "marketing"},
        {},
    )
    with runtime.snapshot("acme", ACTOR) as snap:
        answer = communications.check(snap, asked)
    assert not answer.allowed
    assert "consent-missing" in answer.codes
