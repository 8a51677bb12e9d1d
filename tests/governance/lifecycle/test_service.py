from datetime import timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.decisions import service as decisions
from governance.errors import InvalidError
from governance.ledger import service as ledger
from governance.lifecycle import service as lifecycle
from governance.lifecycle import store
from governance.lifecycle.catalogue import lifecycle_map, models
from governance.lifecycle.service import TransitionOutcome
from governance.subjects import service as subjects
from governance.subjects.service import SubjectChange
from governance.vault.model import EVIDENCE, Place
from governance.vault.service import Vault
from tests.conftest import ACTOR, HandClock

SECRET = "Erika Mustermann wants it"


def person(runtime: Runtime, external_id: str = "crm-1", stage: str | None = "lead", **named: Any) -> str:
    with runtime.work("acme", ACTOR) as work:
        return subjects.put(work, external_id, SubjectChange(relationship=stage, **named)).subject_ref


def move(runtime: Runtime, ref: str | None, to: str, **named: Any) -> TransitionOutcome:
    with runtime.work("acme", ACTOR) as work:
        return lifecycle.transition(work, ref, model="relationship", to=to, **named)


def happened(runtime: Runtime, ref: str, event: str) -> None:
    with runtime.work("acme", ACTOR) as work:
        subjects.record_event(work, ref, event=event)


def stage_of(runtime: Runtime, ref: str) -> str | None:
    with runtime.snapshot("acme", ACTOR) as snap:
        return subjects.get_by_ref(snap, ref).stage_relationship


def kinds(runtime: Runtime, ref: str | None = None) -> list[str]:
    with runtime.snapshot("acme", ACTOR) as snap:
        found = ledger.entries(snap.connection, "acme", subject_ref=ref, limit=500)
        return [entry.kind for entry in found]


def test_a_lead_with_a_contract_becomes_a_client_and_everything_is_kept(any_runtime: Runtime) -> None:
    ref = person(any_runtime)
    done = move(any_runtime, ref, "client", evidence={"contract_reference": "C-17"}, because=SECRET)
    assert done.allowed
    assert (done.from_stage, done.to_stage) == ("lead", "client")
    assert done.consequences.records == ("contract_signed",)
    assert "contract" in done.consequences.lawful_bases_gained
    assert "onboarding" in done.consequences.messages_now_allowed
    assert stage_of(any_runtime, ref) == "client"
    assert kinds(any_runtime, ref)[-2:] == [
        "lifecycle.moved",
        "subject.event-recorded",
    ] or "lifecycle.moved" in (kinds(any_runtime, ref))
    with any_runtime.snapshot("acme", ACTOR) as snap:
        (row,) = store.of_subject(snap.connection, "acme", ref)
        assert row.transition_id == done.id
        assert decisions.find(snap, row.decision_id).allowed
        assert subjects.get_by_ref(snap, ref).contract_state == "in_force"
        assert row.because_sealed is not None
        place = Place("transition", "because_sealed", row.transition_id)
        vault = snap.resource(Vault)
        assert vault.reveal("acme", ref, EVIDENCE, place, row.because_sealed).decode() == SECRET


def test_nothing_that_was_written_as_evidence_is_readable_in_the_database(runtime: Runtime) -> None:
    ref = person(runtime)
    move(runtime, ref, "client", evidence={"contract_reference": "C-canary"}, because=SECRET)
    for file in runtime.settings.data_dir.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert SECRET.encode() not in content
            assert b"C-canary" not in content


def test_a_dry_run_says_the_same_and_changes_nothing(any_runtime: Runtime) -> None:
    ref = person(any_runtime)
    before = kinds(any_runtime)
    asked: dict[str, Any] = {"evidence": {"contract_reference": "C-17"}}
    told = move(any_runtime, ref, "client", dry_run=True, **asked)
    assert told.allowed
    assert told.id is None
    assert kinds(any_runtime) == before
    assert stage_of(any_runtime, ref) == "lead"
    done = move(any_runtime, ref, "client", **asked)
    assert done.consequences == told.consequences


def test_a_move_without_its_evidence_is_denied_with_reasons_and_leaves_a_trace(any_runtime: Runtime) -> None:
    ref = person(any_runtime)
    refused = move(any_runtime, ref, "client")
    assert not refused.allowed
    assert refused.id is None
    assert refused.record.codes == ("transition-not-allowed",)
    assert refused.record.verdict.reasons[0].text
    assert stage_of(any_runtime, ref) == "lead"
    assert kinds(any_runtime, ref)[-1] == "lifecycle.denied"
    with any_runtime.snapshot("acme", ACTOR) as snap:
        assert not decisions.find(snap, refused.record.id).allowed
        assert store.of_subject(snap.connection, "acme", ref) == []


@pytest.mark.parametrize(
    ("to", "sent", "named"),
    [
        ("client", {}, "Send with the move: evidence.contract_reference."),
        ("client", {"evidence": {"contract_reference": "C-1"}}, None),
        ("active_service", {"evidence": {"fulfilment_reference": "O-1"}}, ""),
        ("contact", {}, "record the event notice_given"),
    ],
)
def test_a_refused_move_says_what_to_send_with_it(
    runtime: Runtime, to: str, sent: dict[str, Any], named: str | None
) -> None:
    answer = move(runtime, person(runtime), to, **sent)
    assert answer.allowed is (named is None)
    if named is not None:
        (reason,) = answer.record.document()["reasons"]
        assert named in reason["remedy"]
        assert ("Send with the move" in reason["remedy"]) is named.startswith("Send")


def test_a_refused_return_asks_for_the_reason(runtime: Runtime) -> None:
    ref = person(runtime)
    move(runtime, ref, "churned")
    (reason,) = move(runtime, ref, "lead").record.document()["reasons"]
    assert reason["remedy"].endswith("Send with the move: because.")
    assert move(runtime, ref, "lead", because="Wrote to us.").allowed


def test_a_client_returns_to_lead_only_with_a_reason_and_never_with_a_contract_in_force(
    runtime: Runtime,
) -> None:
    ref = person(runtime)
    move(runtime, ref, "client", evidence={"contract_reference": "C-1"})
    assert not move(runtime, ref, "lead", because="requirements changed").allowed
    happened(runtime, ref, "contract_ended")
    assert not move(runtime, ref, "lead").allowed
    happened(runtime, ref, "invoice_opened")
    assert not move(runtime, ref, "lead", because="requirements changed").allowed
    happened(runtime, ref, "invoice_closed")
    back = move(runtime, ref, "lead", because="requirements changed")
    assert back.allowed, back.record.verdict.reasons
    assert "contract" in back.consequences.lawful_bases_lost
    assert "onboarding" in back.consequences.messages_now_blocked
    assert stage_of(runtime, ref) == "lead"


def test_a_restricted_person_does_not_become_a_client(runtime: Runtime) -> None:
    ref = person(runtime)
    with runtime.work("acme", ACTOR) as work:
        subjects.set_restriction(work, ref, True)
    refused = move(runtime, ref, "client", evidence={"contract_reference": "C-1"})
    assert "restricted" in refused.record.codes


def test_nobody_cannot_move(any_runtime: Runtime) -> None:
    refused = move(any_runtime, None, "lead")
    assert not refused.allowed
    assert "unknown-subject" in refused.record.codes
    assert kinds(any_runtime)[-1] == "lifecycle.denied"


def test_a_move_is_never_dated_in_the_future(runtime: Runtime, clock: HandClock) -> None:
    ref = person(runtime)
    asked: dict[str, Any] = {"evidence": {"contract_reference": "C-1"}}
    with pytest.raises(InvalidError, match="happened yet"):
        move(runtime, ref, "client", occurred_at=clock.now() + timedelta(days=3), **asked)
    move(runtime, ref, "client", occurred_at=clock.now() + timedelta(minutes=3), **asked)
    with runtime.snapshot("acme", ACTOR) as snap:
        (row,) = store.of_subject(snap.connection, "acme", ref)
        assert row.occurred_at == clock.now()


def test_a_check_agrees_with_the_act_and_records_nothing(runtime: Runtime) -> None:
    ref = person(runtime)
    before = kinds(runtime)
    with runtime.snapshot("acme", ACTOR) as snap:
        refused = lifecycle.check(snap, ref, model="relationship", to="client")
        allowed = lifecycle.check(
            snap, ref, model="relationship", to="client", evidence={"contract_reference": "C"}
        )
        unknown = lifecycle.check(snap, None, model="relationship", to="lead")
    assert (refused.allowed, allowed.allowed, unknown.allowed) == (False, True, False)
    assert refused.ledger_position == len(before)
    assert refused.stage == {"relationship": "lead"}
    assert kinds(runtime) == before


@pytest.mark.parametrize(
    ("model", "to", "field"), [("friendship", "lead", "model"), ("relationship", "vip", "to")]
)
def test_a_model_or_stage_that_does_not_exist_is_named(
    runtime: Runtime, model: str, to: str, field: str
) -> None:
    with runtime.snapshot("acme", ACTOR) as snap, pytest.raises(InvalidError) as refused:
        lifecycle.check(snap, None, model=model, to=to)
    assert field in refused.value.fields


def test_the_map_shows_every_transition_with_its_sentence_and_the_whole_matrix(runtime: Runtime) -> None:
    with runtime.snapshot("acme", ACTOR) as snap:
        model = next(each for each in models(snap) if each["model"] == "relationship")
        shown = lifecycle_map(snap)
    assert [stage["id"] for stage in model["stages"]] == [
        "lead",
        "contact",
        "client",
        "active_service",
        "dormant",
        "churned",
    ]
    relationship = next(each for each in shown["models"] if each["model"] == "relationship")
    moves = {(origin, move["to"]) for move in relationship["transitions"] for origin in move["from"]}
    assert {("lead", "contact"), ("lead", "client"), ("client", "lead")} <= moves
    assert all(move["text"] for move in relationship["transitions"])
    assert all(rule["code"] for rule in relationship["rules"] if rule["effect"] == "forbid")
    promotional = next(row for row in shown["matrix"]["rows"] if row["message_class"] == "promotional")
    assert promotional["stages"]["lead"]
    assert not promotional["stages"]["active_service"]
    assert next(row for row in shown["matrix"]["rows"] if row["message_class"] == "security")["everyone"]
