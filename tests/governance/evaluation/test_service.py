"""AuthZEN's own examples, and the questions of the two gates, through one door."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from governance.access import service as access_records
from governance.bootstrap import Runtime
from governance.errors import InvalidError
from governance.evaluation import service as evaluation
from governance.evaluation.model import read_batch, read_request
from governance.policy import service as policies
from governance.retention import holds
from governance.retention.model import HoldScope
from governance.subjects import service as subjects
from governance.subjects.service import SubjectChange
from tests.conftest import ACTOR

ROOT = Path(__file__).parents[3]
ALICE = {"type": "user", "id": "alice@example.com"}
Ask = Callable[[dict[str, Any]], dict[str, Any]]
AskAll = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def access(runtime: Runtime, tmp_path: Path) -> Runtime:
    """A tenant that has adopted a pack with the specification's users and records."""
    extra = tmp_path / "packs"
    shutil.copytree(ROOT / "tests" / "fixtures" / "access", extra / "access")
    with runtime.work("acme", ACTOR) as work:
        policies.adopt(work, documents=policies.shipped_documents(extra))
    return runtime


def ask(runtime: Runtime, body: dict[str, Any]) -> dict[str, Any]:
    with runtime.snapshot("acme", ACTOR) as snap:
        record = evaluation.evaluate(snap, read_request(body))
    runtime.decision_log.append("acme", [record])
    return record.answer()


def ask_all(runtime: Runtime, body: dict[str, Any]) -> list[dict[str, Any]]:
    with runtime.snapshot("acme", ACTOR) as snap:
        return [each.answer() for each in evaluation.evaluate_all(snap, read_batch(body))]


def document(number: str) -> dict[str, Any]:
    return {"resource": {"type": "document", "id": number}}


def read_three(semantic: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "subject": ALICE,
        "action": {"name": "read"},
        "evaluations": [document("1"), document("2"), document("3")],
    }
    return body if semantic is None else {**body, "options": {"evaluations_semantic": semantic}}


def decisions(answers: list[dict[str, Any]]) -> list[bool]:
    return [each["decision"] for each in answers]


def test_the_example_of_a_single_evaluation_is_permitted(access: Runtime) -> None:
    body = {
        "subject": ALICE,
        "resource": {"type": "account", "id": "123"},
        "action": {"name": "can_read", "properties": {"method": "GET"}},
        "context": {"time": "1985-10-26T01:22-07:00"},
    }
    answer = ask(access, body)
    assert answer["decision"] is True
    assert answer["context"]["permits"] == ["authzen-example.departments-read-accounts"]


def test_the_three_semantics_answer_as_the_specification_shows(access: Runtime) -> None:
    assert decisions(ask_all(access, read_three())) == [True, False, True]
    assert decisions(ask_all(access, read_three("execute_all"))) == [True, False, True]
    assert decisions(ask_all(access, read_three("deny_on_first_deny"))) == [True, False]
    assert decisions(ask_all(access, read_three("permit_on_first_permit"))) == [True]


def test_properties_of_entities_beat_those_that_a_caller_claims(access: Runtime) -> None:
    body = {
        "subject": {"type": "user", "id": "mallory@example.com", "properties": {"department": "Sales"}},
        "action": {"name": "can_read"},
        "resource": {"type": "account", "id": "123"},
    }
    assert ask(access, body)["decision"] is False


def test_odd_properties_never_break_an_evaluation(access: Runtime) -> None:
    odd = {"department": [{}], "classification": {"a": 1}, "archived": "no", "type": "account", "id": 5}
    body = {
        "subject": {**ALICE, "properties": odd},
        "action": {"name": "can_read", "properties": odd},
        "resource": {"type": "thing", "id": "9", "properties": odd},
        "context": odd,
    }
    assert ask(access, body)["decision"] is False


def test_without_an_access_pack_nothing_is_permitted(runtime: Runtime) -> None:
    body = {"subject": ALICE, "action": {"name": "can_read"}, "resource": {"type": "account", "id": "123"}}
    answer = ask(runtime, body)
    assert answer["decision"] is False
    assert [reason["code"] for reason in answer["context"]["reasons"]] == ["no-permit"]


def test_nobody_who_asked_or_was_asked_about_stands_in_the_log(access: Runtime) -> None:
    body = {
        "subject": {"type": "user", "id": "alice@example.com", "properties": {"name": "Alice Canary"}},
        "action": {"name": "can_read"},
        "resource": {"type": "account", "id": "canary@example.com"},
    }
    ask(access, body)
    for file in access.settings.data_dir.rglob("decisions*"):
        held = file.read_bytes()
        assert b"canary@example.com" not in held
        assert b"Canary" not in held
        assert b"alice@example.com" not in held
    (kept,) = access.decision_log.page("acme")
    assert kept.body is not None
    assert kept.body["asked_for"]["id"].startswith("mac:")


def test_messages_and_transitions_go_to_their_gates(runtime: Runtime) -> None:
    with runtime.work("acme", ACTOR) as work:
        subjects.put(work, "crm-1", SubjectChange(country="US", relationship="lead"))
    engine = {"type": "component", "id": "campaign-engine"}
    person = {"type": "data_subject", "id": "crm-1"}
    send = {
        "name": "communication.send",
        "properties": {"channel": "email", "message_class": "promotional", "purpose": "marketing"},
    }
    assert ask(runtime, {"subject": engine, "action": send, "resource": person})["decision"] is True
    move = {"name": "lifecycle.transition", "properties": {"model": "relationship", "to": "client"}}
    refused = ask(runtime, {"subject": engine, "action": move, "resource": person})
    assert refused["decision"] is False
    move["properties"] = {"to": "client", "evidence": {"contract_reference": "C-1"}}
    assert ask(runtime, {"subject": engine, "action": move, "resource": person})["decision"] is True
    stranger = {"type": "data_subject", "id": "crm-404"}
    unknown = ask(runtime, {"subject": engine, "action": move, "resource": stranger})
    assert "unknown-subject" in [reason["code"] for reason in unknown["context"]["reasons"]]
    other = ask(runtime, {"subject": engine, "action": {"name": "data.read"}, "resource": person})
    assert other["decision"] is False
    logged = {each.action for each in runtime.decision_log.page("acme")}
    assert logged == {"communication.send", "lifecycle.transition", "data.read"}


def test_whether_data_may_be_erased_is_asked_of_holds_and_schedules(runtime: Runtime) -> None:
    with runtime.work("acme", ACTOR) as work:
        person = subjects.put(work, "crm-1", SubjectChange(country="US", relationship="lead")).subject_ref
    question = {
        "subject": {"type": "component", "id": "crm"},
        "action": {"name": "data.erase", "properties": {"data_class": "preferences"}},
        "resource": {"type": "data_subject", "id": "crm-1"},
    }
    assert ask(runtime, question)["decision"] is True
    scope = HoldScope("subject", person)
    with runtime.work("acme", ACTOR) as work:
        holds.place(work, matter="Smith v. Acme", scope=scope, reason="Litigation", expires_at=None)
    held = ask(runtime, question)
    assert held["decision"] is False
    assert [reason["code"] for reason in held["context"]["reasons"]] == ["legal-hold"]
    stranger = {**question, "resource": {"type": "data_subject", "id": "crm-404"}}
    assert ask(runtime, stranger)["context"]["reasons"][0]["code"] == "unknown-subject"
    wrong = {"name": "data.erase", "properties": {"data_class": "shoe_sizes", "occasion": "whim"}}
    with pytest.raises(InvalidError) as caught:
        ask(runtime, {**question, "action": wrong})
    assert set(caught.value.fields) == {"data_class", "occasion"}


def test_a_question_without_sense_is_an_error_alone_and_an_answer_in_a_batch(runtime: Runtime) -> None:
    with runtime.work("acme", ACTOR) as work:
        subjects.put(work, "crm-1", SubjectChange(country="US", relationship="lead"))
    send = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}
    good: dict[str, Any] = {
        "subject": ALICE,
        "action": {"name": "communication.send", "properties": send},
        "resource": {"type": "data_subject", "id": "crm-1"},
    }
    bad = {**good, "action": {"name": "communication.send", "properties": {**send, "channel": "fax"}}}
    email = {**good, "resource": {"type": "data_subject", "id": "someone@example.org"}}
    odd = {**good, "action": {"name": "lifecycle.transition", "properties": {"to": 5}}}
    with runtime.snapshot("acme", ACTOR) as snap, pytest.raises(InvalidError):
        evaluation.evaluate(snap, read_request(bad))
    answers = ask_all(runtime, {"evaluations": [good, bad, email, odd, good]})
    assert decisions(answers) == [True, False, False, False, True]
    assert [each["context"].get("error", {}).get("status") for each in answers] == [None, 400, 400, 400, None]
    assert "someone" not in str(answers[2])
    stopped = {"evaluations": [bad, good], "options": {"evaluations_semantic": "deny_on_first_deny"}}
    assert decisions(ask_all(runtime, stopped)) == [False]


def test_all_questions_of_a_batch_see_one_position(any_runtime: Runtime) -> None:
    with any_runtime.work("acme", ACTOR) as work:
        subjects.put(work, "crm-1", SubjectChange(country="US", relationship="lead"))
    body = {"subject": ALICE, "action": {"name": "can_read"}, "evaluations": [document("1"), document("2")]}
    assert len({each["context"]["ledger_position"] for each in ask_all(any_runtime, body)}) == 1


OWN = """
pack: archive
title: The archive
speaks_about: ["*"]
layer: access
declares:
  principal.roles: {type: set, values: [compliance_officer, analyst]}
rules:
  - id: officers-open-the-archive
    effect: permit
    when: {principal.roles: compliance_officer, resource.type: archive, action.name: open}
    because: Compliance officers look after the archive.
"""
OWN_CASES = """
pack: archive
now: 2026-11-21T15:00:00Z
cases:
  - name: an officer
    facts: {principal.roles: [compliance_officer], resource.type: archive, action.name: open}
    expect: {allowed: true}
"""


def test_roles_on_own_resources_are_those_of_the_register_and_end_with_who_left(
    runtime: Runtime, tmp_path: Path
) -> None:
    folder = tmp_path / "packs" / "access"
    folder.mkdir(parents=True)
    (folder / "archive.yaml").write_text(OWN)
    (folder / "archive.cases.yaml").write_text(OWN_CASES)
    with runtime.work("acme", ACTOR) as work:
        policies.adopt(work, documents=policies.shipped_documents(folder.parent))
        access_records.put(work, "staff", "st-1", {"roles": ["compliance_officer"]})
        access_records.put(work, "staff", "st-2", {"roles": ["analyst"]})

    def opens(staff: str) -> dict[str, Any]:
        claimed = {"roles": ["compliance_officer"]}
        return ask(
            runtime,
            {
                "subject": {"type": "staff", "id": staff, "properties": claimed},
                "action": {"name": "open"},
                "resource": {"type": "archive", "id": "a-1"},
            },
        )

    assert opens("st-1")["decision"] is True
    assert opens("st-2")["decision"] is False, "a claim does not beat the register"
    with runtime.work("acme", ACTOR) as work:
        access_records.put(work, "staff", "st-1", {"status": "left"})
    assert [each["code"] for each in opens("st-1")["context"]["reasons"]] == ["asker-left"]
