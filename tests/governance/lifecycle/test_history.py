"""The history of stages outlives every move and is readable only for purposes that are valid now."""

from datetime import timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.consent import service as consents
from governance.consent.service import NewConsent, NewObjection
from governance.errors import InvalidError
from governance.lifecycle import service as lifecycle
from governance.lifecycle.history import lifecycle as history_of
from governance.purposes import service as purposes
from governance.subjects import service as subjects
from governance.subjects.service import SubjectChange
from tests.conftest import ACTOR, HandClock


def person(runtime: Runtime, external_id: str = "crm-1") -> str:
    with runtime.work("acme", ACTOR) as work:
        change = SubjectChange(relationship="lead", country="DE")
        return subjects.put(work, external_id, change).subject_ref


def move(runtime: Runtime, ref: str, to: str, model: str = "relationship", **named: Any) -> None:
    assert isinstance(runtime.clock, HandClock)
    runtime.clock.forward(timedelta(minutes=1))
    with runtime.work("acme", ACTOR) as work:
        assert lifecycle.transition(work, ref, model=model, to=to, **named).allowed


def former_client(runtime: Runtime, external_id: str = "crm-1") -> str:
    """Lead, client with a journey beside, contract ended, lead again."""
    ref = person(runtime, external_id)
    move(runtime, ref, "client", evidence={"contract_reference": "C-1"})
    move(runtime, ref, "engagement", "engagement")
    with runtime.work("acme", ACTOR) as work:
        subjects.record_event(work, ref, event="contract_ended")
    move(runtime, ref, "lead", because="requirements changed")
    return ref


def read(runtime: Runtime, ref: str, purpose: str | None = None) -> dict[str, Any]:
    with runtime.snapshot("acme", ACTOR) as snap:
        return history_of(snap, subjects.get_by_ref(snap, ref), purpose=purpose)


def shown(document: dict[str, Any]) -> list[str]:
    """Each entry as `model:stage`, or the code for which it is withheld."""
    return [
        each["withheld"]["code"] if "withheld" in each else f"{each['model']}:{each['to']}"
        for each in document["history"]
    ]


def test_the_history_survives_every_move_and_the_reset(any_runtime: Runtime) -> None:
    ref = former_client(any_runtime)
    told = read(any_runtime, ref)
    assert shown(told) == [
        "relationship:lead",
        "relationship:client",
        "engagement:engagement",
        "relationship:lead",
    ]
    assert told["history"][0]["asserted"]
    assert {each["model"]: each["stage"] for each in told["stages"]} == {
        "relationship": "lead",
        "engagement": "engagement",
    }
    assert "sales" in told["history"][1]["readable_under"]
    assert "service" not in told["history"][1]["readable_under"]


def test_after_the_reset_no_purpose_of_the_contract_reads_it(runtime: Runtime) -> None:
    ref = person(runtime)
    move(runtime, ref, "client", evidence={"contract_reference": "C-1"})
    assert shown(read(runtime, ref, "service")) == ["purpose-incompatible", "relationship:client"]
    with runtime.work("acme", ACTOR) as work:
        subjects.record_event(work, ref, event="contract_ended")
    move(runtime, ref, "lead", because="requirements changed")
    withheld = read(runtime, ref, "service")
    assert shown(withheld) == ["purpose-incompatible"] * 3
    assert set(withheld["history"][1]) == {"model", "withheld"}
    assert "client" not in str(withheld["history"])


def test_a_legal_duty_reads_what_it_covers_and_no_more(runtime: Runtime) -> None:
    ref = former_client(runtime)
    assert shown(read(runtime, ref, "legal")) == [
        "purpose-incompatible",
        "relationship:client",
        "engagement:engagement",
        "purpose-incompatible",
    ]


def test_a_purpose_that_rests_on_consent_reads_while_the_consent_holds(any_runtime: Runtime) -> None:
    ref = former_client(any_runtime)
    assert set(shown(read(any_runtime, ref, "newsletter"))) == {"consent-missing"}
    for status, readable in (("granted", True), ("withdrawn", False)):
        with any_runtime.work("acme", ACTOR) as work:
            consents.record(work, NewConsent(ref, "newsletter", status, "web_form", channel="email"))
        assert ("relationship:client" in shown(read(any_runtime, ref, "newsletter"))) == readable


def test_an_objection_ends_the_reading_for_that_purpose(runtime: Runtime) -> None:
    ref = former_client(runtime)
    with runtime.work("acme", ACTOR) as work:
        consents.object_(work, NewObjection(ref, "purpose", purpose="sales", method="phone"))
    assert set(shown(read(runtime, ref, "sales"))) == {"objection"}
    assert "relationship:client" in shown(read(runtime, ref, "customer_care"))


def test_restricted_data_are_read_for_legal_duties_only(runtime: Runtime) -> None:
    ref = former_client(runtime)
    with runtime.work("acme", ACTOR) as work:
        subjects.set_restriction(work, ref, True)
    assert set(shown(read(runtime, ref, "sales"))) == {"restricted"}
    assert "relationship:client" in shown(read(runtime, ref, "legal"))
    assert read(runtime, ref)["history"][1]["readable_under"] == ["legal"]


def test_an_inactive_purpose_reads_nothing_and_an_unknown_one_is_named(runtime: Runtime) -> None:
    ref = former_client(runtime)
    with runtime.work("acme", ACTOR) as work:
        purposes.put(work, "idle", {"title": "Idle"}, None)
    assert set(shown(read(runtime, ref, "idle"))) == {"purpose-missing"}
    with pytest.raises(InvalidError) as refused:
        read(runtime, ref, "slaes")
    assert "sales" in refused.value.fields["purpose"][0]


def test_the_history_of_a_merged_record_is_the_survivor_s(runtime: Runtime) -> None:
    gone, stays = former_client(runtime, "crm-1"), person(runtime, "crm-2")
    with runtime.work("acme", ACTOR) as work:
        subjects.move_to(work, gone, stays)
    assert "relationship:client" in shown(read(runtime, stays))
