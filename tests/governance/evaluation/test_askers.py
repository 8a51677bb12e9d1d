"""Whoever left is told no by every gate, at the next check; so is a stranger, if the tenant wants that."""

from collections.abc import Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher

from governance.access import service as access
from governance.bootstrap import COMMAND_LINE, Runtime, assemble
from governance.callers import passwords, users
from governance.callers import service as callers
from governance.decisions import replay as replays
from governance.errors import InvalidError
from governance.evaluation import actions, search
from governance.evaluation import service as evaluation
from governance.evaluation.model import read_request
from governance.evaluation.search_model import read_search
from governance.policy import service as policies
from governance.subjects import service as subjects
from governance.subjects.service import SubjectChange
from governance.tenants import service as tenants
from tests.conftest import ACTOR

SEND = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}
GATES: dict[str, dict[str, Any]] = {
    "communication.send": SEND,
    "lifecycle.transition": {"to": "dormant"},
    "data.transfer": {"destination": "US"},
    "data.erase": {"data_class": "preferences", "occasion": "erasure"},
    "data.read": {"fields": ["email"], "purpose": "customer_care"},
    "data.use": {"purpose": "customer_care"},
    "can_read": {},
}
PERSON = {"type": "data_subject", "id": "crm-1"}
ROLES = {"staff": "support_agent", "component": "call_centre"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords.nobodys.cache_clear()
    yield
    passwords.nobodys.cache_clear()


@pytest.fixture
def people(runtime: Runtime) -> Runtime:
    with runtime.work("acme", COMMAND_LINE) as work:
        subjects.put(work, "crm-1", SubjectChange(country="US", relationship="client"))
        access.put(work, "staff", "st-1", {"roles": ["support_agent"]})
        access.put(work, "component", "desk", {"kind": "human_operated", "roles": ["call_centre"]})
    return runtime


def ask(runtime: Runtime, kind: str, who: str, action: str) -> tuple[bool, set[str]]:
    resource = {"type": "archive" if action == "can_read" else "data_subject", "id": "crm-1"}
    body = {
        "subject": {"type": kind, "id": who},
        "action": {"name": action, "properties": GATES[action]},
        "resource": resource,
    }
    with runtime.snapshot("acme", ACTOR) as snap:
        record = evaluation.evaluate(snap, read_request(body))
    runtime.decision_log.append("acme", [record])
    for reason in record.verdict.reasons:
        assert reason.text
        assert reason.remedy or reason.effect == "permit"
    return record.allowed, set(record.codes)


def leave_by_record(runtime: Runtime, kind: str, who: str) -> None:
    body = {"status": "left"} if kind == "staff" else {"kind": "human_operated", "status": "left"}
    with runtime.work("acme", COMMAND_LINE) as work:
        access.put(work, kind, who, body)


@pytest.mark.parametrize(("kind", "who"), [("staff", "st-1"), ("component", "desk")])
def test_whoever_left_is_told_no_by_every_gate_at_the_next_check_in_every_process(
    people: Runtime, kind: str, who: str
) -> None:
    other = assemble(people.settings, clock=people.clock)  # as another process of the same installation
    try:
        before = {gate: ask(other, kind, who, gate) for gate in GATES}
        assert all("asker-left" not in codes for _, codes in before.values())
        allowed = {gate for gate, (yes, _) in before.items() if yes}
        assert {
            "communication.send",
            "lifecycle.transition",
            "data.transfer",
            "data.erase",
            "data.read",
        } <= allowed
        leave_by_record(people, kind, who)
        for runtime in (people, other):
            after = {gate: ask(runtime, kind, who, gate) for gate in GATES}
            assert {gate for gate, (yes, codes) in after.items() if yes or "asker-left" not in codes} == set()
    finally:
        other.close()
    # Somebody else is answered as before.
    with people.work("acme", COMMAND_LINE) as work:
        access.put(
            work,
            kind,
            "another",
            {"roles": [ROLES[kind]]} | ({"kind": "human_operated"} if kind != "staff" else {}),
        )
    assert {gate for gate in GATES if ask(people, kind, "another", gate)[0]} == allowed


def test_a_credential_ends_with_itself_and_with_whom_it_belongs_to(people: Runtime) -> None:
    with people.work("acme", COMMAND_LINE) as work:
        mine, alone = (
            callers.create_client(work, name=name, scopes=["evaluate"]).component.client_id
            for name in ("a", "b")
        )
        access.put(work, "staff", "st-1", {"clients": [mine]})
    assert ask(people, "component", mine, "communication.send")[0]
    assert ask(people, "component", alone, "communication.send")[0]
    leave_by_record(people, "staff", "st-1")
    assert ask(people, "component", mine, "communication.send") == (False, {"asker-left"})
    with people.work("acme", COMMAND_LINE) as work:
        callers.let_go(work, alone)
    assert ask(people, "component", alone, "lifecycle.transition")[1] >= {"asker-left"}


def test_an_account_that_was_taken_away_asks_no_more(people: Runtime) -> None:
    with people.work("acme", COMMAND_LINE) as work:
        for staff in ("st-1", "st-2"):
            users.create(work, staff_id=staff, login=staff, password="four plain words here")
    for staff in ("st-1", "st-2"):
        assert ask(people, "staff", staff, "communication.send")[0]
        with people.work("acme", COMMAND_LINE) as work:
            users.disable(work, staff)
        assert ask(people, "staff", staff, "communication.send") == (False, {"asker-left"})
    allowed, codes = ask(people, "staff", "st-1", "data.read")
    assert (allowed, codes) == (False, {"asker-left"})
    body = {
        "subject": {"type": "staff", "id": "st-1"},
        "action": {"name": "data.read", "properties": GATES["data.read"]},
        "resource": {"type": "data_subject", "id": "crm-1"},
    }
    with people.snapshot("acme", ACTOR) as snap:
        context = evaluation.evaluate(snap, read_request(body)).answer()["context"]
    assert (context["fields"], context["denied"]) == ({"email": "deny"}, {"email": ["asker-left"]})


def test_only_registered_askers_are_answered_where_the_tenant_says_so(people: Runtime) -> None:
    strangers = [
        ("component", "campaign-engine"),
        ("staff", "st-9"),
        ("user", "anna"),
        ("component", "client_" + "0" * 32),
    ]
    assert all(ask(people, *each, "communication.send")[0] for each in strangers)
    with people.work("acme", COMMAND_LINE) as work:
        assert tenants.declare_askers(work, "registered").askers == "registered"
        made = callers.create_client(work, name="crm", scopes=["evaluate"])
    for each in strangers:
        for gate in GATES:
            allowed, codes = ask(people, *each, gate)
            assert not allowed
            assert "asker-unknown" in codes
    for known in (("staff", "st-1"), ("component", "desk"), ("component", made.component.client_id)):
        assert ask(people, *known, "communication.send")[0]
    with people.work("acme", COMMAND_LINE) as work:
        tenants.declare_askers(work, "anybody")
        with pytest.raises(InvalidError, match="anybody, registered"):
            tenants.declare_askers(work, "everyone")
    assert ask(people, *strangers[0], "communication.send")[0]


def test_whoever_left_finds_nobody_and_is_found_by_nobody(people: Runtime) -> None:
    def found(kind: str, who: dict[str, str]) -> list[Any]:
        body = {
            "subject": who,
            "action": {"name": "communication.send", "properties": SEND},
            "resource": {"type": "data_subject", "id": "crm-1"},
        }
        with people.snapshot("acme", ACTOR) as snap:
            page, _ = search.search(snap, read_search(kind, body))
        return page.results

    one = {"type": "staff", "id": "st-1"}
    assert found("resource", one) == [{"type": "data_subject", "id": "crm-1"}]
    assert found("subject", one) == [one]
    leave_by_record(people, "staff", "st-1")
    assert found("resource", one) == found("subject", one) == []


def test_a_replay_knows_that_whoever_left_stays_refused(people: Runtime) -> None:
    leave_by_record(people, "staff", "st-1")
    for gate in ("communication.send", "lifecycle.transition"):
        assert ask(people, "staff", "st-1", gate)[0] is False
    with people.snapshot("acme", ACTOR) as snap:
        told = replays.replay(snap, policies.active(snap.connection, "acme", snap.now))
    assert (told["read"], told["decided"], told["newly_allowed"]) == (2, 2, 0)


def _brute_force(runtime: Runtime, kind: str, ids: list[str], action: dict[str, Any]) -> list[str]:
    """Who may, each asked about alone."""
    with runtime.snapshot("acme", ACTOR) as snap:
        desk = actions.Desk(snap)
        return sorted(
            each
            for each in ids
            if evaluation.answer(
                desk,
                read_request({"subject": {"type": kind, "id": each}, "action": action, "resource": PERSON}),
            ).allowed
        )


def _searched(runtime: Runtime, kind: str, action: dict[str, Any], limit: int | None) -> list[str]:
    """Whom a search names, page by page."""
    body: dict[str, Any] = {"subject": {"type": kind}, "action": action, "resource": PERSON}
    asked = read_search("subject", body if limit is None else {**body, "page": {"limit": limit}})
    found: list[str] = []
    position = None
    while True:
        with runtime.snapshot("acme", ACTOR) as snap:
            page, _ = search.search(snap, asked, position)
        found += [each["id"] for each in page.results]
        position = page.position
        if position is None:
            return found


def _everybody(runtime: Runtime) -> dict[str, list[str]]:
    """Staff, accounts, components and credentials, half of which have left."""
    staff: list[str] = []
    components: list[str] = []

    def account(staff_id: str) -> None:
        users.create(work, staff_id=staff_id, login=staff_id, password="four plain words here")

    with runtime.work("acme", COMMAND_LINE) as work:
        subjects.put(work, "crm-1", SubjectChange(country="US", relationship="client"))
        for role in ("support_agent", "marketer", "sales", "analyst", "compliance_officer"):
            for state in ("active", "left"):
                staff.append(f"{role}-{state}")
                access.put(work, "staff", staff[-1], {"roles": [role], "status": state})
        for kind, role in (("ai", "ai_agent"), ("human_operated", "call_centre")):
            for state in ("active", "left"):
                components.append(f"{role}-{state}")
                access.put(
                    work, "component", components[-1], {"kind": kind, "roles": [role], "status": state}
                )
        for number in range(4):
            made = callers.create_client(work, name=str(number), scopes=["evaluate"])
            components.append(made.component.client_id)
            staff.append(f"account-{number}")
            account(staff[-1])
            if number % 2:
                callers.let_go(work, components[-1])
                users.disable(work, staff[-1])
        # One with an account and a record, and one whose account alone was taken away.
        account("sales-active")
        account("marketer-active")
        users.disable(work, "marketer-active")
    return {"staff": staff, "component": components}


def test_a_search_for_subjects_gives_whom_single_evaluations_permit_of_all_that_there_are(
    any_runtime: Runtime,
) -> None:
    everybody = _everybody(any_runtime)
    counts: dict[tuple[str, str], int] = {}
    for name, properties in GATES.items():
        for kind, ids in everybody.items():
            action = {"name": name, "properties": properties}
            expected = _brute_force(any_runtime, kind, ids, action)
            counts[name, kind] = len(expected)
            for limit in (None, 2):
                assert _searched(any_runtime, kind, action, limit) == expected, (name, kind, limit)
    assert (counts["communication.send", "staff"], counts["communication.send", "component"]) == (6, 4)
    assert (counts["data.read", "staff"], counts["data.read", "component"]) == (1, 2)
