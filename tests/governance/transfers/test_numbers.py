"""Laws that go by how many people: who counts, by our record and what was declared."""

from datetime import timedelta

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.subjects import erasing
from governance.subjects import service as subjects
from governance.subjects.model import SubjectChange, SubjectReference
from governance.transfers import flows, reviewing
from governance.transfers.gate import open_gate
from governance.transfers.model import Question
from tests.conftest import HandClock


def record(runtime: Runtime, tenant: str, **countries: str | None) -> None:
    with runtime.work(tenant, COMMAND_LINE) as work:
        for name, country in countries.items():
            subjects.put(work, name, SubjectChange(country=country))


def declare(runtime: Runtime, tenant: str, origin: str, people: int) -> None:
    body = {
        "origin": origin,
        "destination": "SG",
        "recipient": "warehouse",
        "data_classes": ["contact_details"],
        "people_per_year": people,
    }
    with runtime.work(tenant, COMMAND_LINE) as work:
        flows.put(work, "warehouse", body)


def count_anew(runtime: Runtime, tenant: str) -> None:
    with runtime.work(tenant, COMMAND_LINE) as work:
        reviewing.review(work)


def codes(runtime: Runtime, tenant: str, name: str, destination: str, data_class: str) -> list[str]:
    with runtime.snapshot(tenant, COMMAND_LINE) as snap:
        person = subjects.resolve_existing(snap, SubjectReference(id=name))
        asked = Question(destination, None, frozenset({data_class}))
        return list(dict.fromkeys(open_gate(snap).answer(asked, person.subject_ref).codes))


def erase(runtime: Runtime, tenant: str, name: str) -> None:
    with runtime.work(tenant, COMMAND_LINE) as work:
        person = subjects.resolve_existing(work, SubjectReference(id=name))
        erasing.set_erasure_pending(work, person.subject_ref, True)
        erasing.bury(work, person.subject_ref)
        work.record("subject.erased", subject_ref=person.subject_ref)


def test_of_a_controller_in_china_everybody_counts_wherever_they_live_and_for_a_year_after_they_were_erased(
    runtime: Runtime, clock: HandClock
) -> None:
    tenant = "peking"
    runtime.create_tenant(tenant, name="Peking", country="CN", address=None)
    record(runtime, tenant, li="CN", mei="SG", wu=None)
    declare(runtime, tenant, "CN", 99_996)
    for name in ("li", "mei", "wu"):
        assert codes(runtime, tenant, name, "SG", "contact_details") == [], "99,999 people"
    record(runtime, tenant, tan="SG")
    count_anew(runtime, tenant)
    for name in ("li", "mei", "wu"):
        assert codes(runtime, tenant, name, "SG", "contact_details") == ["transfer-no-mechanism"], name
    with runtime.snapshot(tenant, COMMAND_LINE) as snap:
        assert flows.get(snap, "warehouse").people == 99_997, "those who live there, and who is declared"
    erase(runtime, tenant, "tan")
    count_anew(runtime, tenant)
    assert codes(runtime, tenant, "mei", "SG", "contact_details") == ["transfer-no-mechanism"]
    clock.forward(timedelta(days=367))
    count_anew(runtime, tenant)
    assert codes(runtime, tenant, "mei", "SG", "contact_details") == []


def test_of_a_controller_in_the_united_states_those_count_who_may_live_there(any_runtime: Runtime) -> None:
    runtime = any_runtime
    declare(runtime, "acme", "US", 98)
    record(runtime, "acme", hans="DE", greta="DE", ann="US", bob=None)
    for name in ("ann", "bob"):
        assert codes(runtime, "acme", name, "CN", "special_categories") == [], "a hundred people"
    record(runtime, "acme", eve=None)
    count_anew(runtime, "acme")
    for name in ("ann", "bob"):
        assert codes(runtime, "acme", name, "CN", "special_categories") == ["transfer-threshold"], name
    erase(runtime, "acme", "eve")
    count_anew(runtime, "acme")
    assert codes(runtime, "acme", "ann", "CN", "special_categories") == ["transfer-threshold"]


def test_numbers_that_were_never_counted_are_counted_at_the_check(runtime: Runtime) -> None:
    record(runtime, "acme", **{f"us-{number}": "US" for number in range(100)}, bob=None)
    assert codes(runtime, "acme", "bob", "CN", "special_categories") == ["transfer-threshold"]
    erase(runtime, "acme", "us-1")
    erase(runtime, "acme", "us-2")
    assert codes(runtime, "acme", "bob", "CN", "special_categories") == ["transfer-threshold"]
