"""Whoever leaves is listed with all that needs another owner: what waits, and what they set going."""

from datetime import timedelta
from typing import Any

from flask import Flask

from governance.bootstrap import Runtime
from governance.callers.model import staff_ref
from governance.events import Actor
from governance.policy import change_store
from governance.policy.service import active
from governance.retention import holds
from governance.retention.model import HoldScope
from tests.api.conftest import Caller, new_component
from tests.api.test_policy_changes import NEW
from tests.conftest import HandClock

OLD = "2015-03-04T10:00:00Z"
KINDS = {
    "retention_run",
    "dispositions",
    "break_glass",
    "erasure",
    "override",
    "policy_proposal",
    "tenant_deletion",
}


def draft(caller: Caller, pack: str, **proposal: Any) -> tuple[str, dict[str, str]]:
    """Write and propose a pack; its address, and the header that names it."""
    url = f"/v1/policies/{pack}/draft"
    text = NEW.replace("no-fridays", pack).encode()
    written = caller.put(url, data=text, headers={"Content-Type": "application/yaml"})
    match = {"If-Match": written.headers["ETag"]}
    made = caller.post(f"{url}/propose", proposal, headers=match)
    assert made.status_code == 201, made.get_json()
    return url, match


def proposed(runtime: Runtime, by: str) -> None:
    """A change of the pack `no-mondays` that waits, as it is kept (proving one more would take seconds)."""
    with runtime.work("acme", Actor(by)) as work:
        event = work.record("policy.proposed", facts={"pack": "no-mondays"})
        digest = active(work.connection, "acme", work.now).digest
        row = {
            "tenant_id": "acme", "proposal_id": "prp_1", "pack": "no-mondays", "state": "open",
            "draft": "sha256:1", "base": digest, "candidate": digest, "proposed_by": by,
            "proposed_at": work.now, "notes": "", "changes": {}, "event_id": event.id,
        }  # fmt: skip
        change_store.add_proposal(work.connection, row)


def ok(answer: Any) -> dict[str, Any]:
    assert answer.status_code in (200, 201, 202), answer.get_json()
    return dict(answer.get_json())


def test_whoever_leaves_is_listed_with_all_that_needs_another_owner(
    app: Flask, caller: Caller, runtime: Runtime, clock: HandClock
) -> None:
    boss, client = caller, app.test_client()
    theirs, others = (Caller(client, new_component(runtime)) for _ in range(2))
    staff = {"roles": ["support_agent"], "clients": [theirs.made.component.client_id]}
    ok(boss.put("/v1/staff/st-1", staff))
    ok(boss.put("/v1/staff/st-3", {"clients": [others.made.component.client_id]}))
    for name in ("crm-1", "crm-2", "crm-3"):
        ok(boss.put(f"/v1/subjects/{name}", {"attributes": {"country": "DE"}, "relationship": "lead"}))
    record = {"subject": {"id": "crm-1"}, "data_class": "invoices", "created_at": OLD, "jurisdiction": "DE"}
    ok(boss.put("/v1/records/crm/inv-1", record))

    # What waits for somebody else.
    hold = ok(theirs.post("/v1/holds", {"matter": "M", "scope": {"subject": {"id": "crm-3"}}, "reason": "R"}))
    run = ok(theirs.post("/v1/retention/runs", {"dry_run": False}))
    assert run["status"] == "awaiting_approval"
    glass = ok(
        theirs.post(
            "/v1/access/break-glass", {"subject": {"id": "crm-1"}, "fields": ["iban"], "reason": "Fraud."}
        )
    )
    erasure = ok(theirs.post("/v1/erasures", {"subject": {"id": "crm-2"}, "undo_hours": 48}))
    until = (clock.at + timedelta(days=2)).isoformat()
    wish = {"rule": "everywhere.dead-contact-points-rest", "reason": "She asked.", "expires_at": until}
    override = ok(theirs.post("/v1/overrides", {**wish, "subject": {"id": "crm-1"}}))
    proposed(runtime, theirs.made.component.client_id)
    deletion = ok(theirs.post("/v1/tenant/deletion", {}))
    asked = {"type": "access", "identities": [{"id": "crm-1"}]}
    opened, seen_to, handed_on, done = (
        ok(each.post("/v1/rights-requests", asked)) for each in (theirs, boss, theirs, theirs)
    )
    ok(boss.put(f"/v1/rights-requests/{seen_to['id']}/owner", {"owner": "st-1"}))
    ok(boss.put(f"/v1/rights-requests/{handed_on['id']}/owner", {"owner": "st-2"}))
    ok(boss.post(f"/v1/rights-requests/{done['id']}/withdraw", {}))
    closed = boss.put(f"/v1/rights-requests/{done['id']}/owner", {"owner": "st-1"})
    assert (closed.status_code, closed.get_json()["type"].rsplit("/", 1)[-1]) == (409, "closed")
    assert (
        boss.put(f"/v1/rights-requests/{opened['id']}/owner", {"owner": "a@example.org"}).status_code == 422
    )

    # What they approved, and is not over.
    granted = ok(others.post("/v1/overrides", {**wish, "subject": {"id": "crm-2"}}))
    ok(theirs.post(f"/v1/overrides/{granted['id']}/approve", {}))
    ended = ok(others.post("/v1/erasures", {"subject": {"id": "crm-1"}, "undo_hours": 48}))
    ok(theirs.post(f"/v1/erasures/{ended['id']}/approve", {}))
    url, match = draft(others, "no-sundays", activate_at=until)
    ok(theirs.post(f"{url}/approve", {}, headers=match))

    left = ok(boss.put("/v1/staff/st-1", {"status": "left"}))["left_behind"]
    assert [each["id"] for each in left["holds"]] == [hold["id"]]
    waiting = {each["kind"]: each for each in left["approvals"]}
    assert waiting.keys() == KINDS
    named = {"retention_run": run, "break_glass": glass, "erasure": erasure, "override": override}
    assert {kind: waiting[kind]["id"] for kind in named} == {kind: each["id"] for kind, each in named.items()}
    assert (waiting["dispositions"]["id"], waiting["dispositions"]["count"]) == (run["id"], 1)
    assert waiting["policy_proposal"]["pack"] == "no-mondays"
    assert waiting["tenant_deletion"]["id"] == deletion["id"]
    assert {each["id"] for each in left["requests"]} == {opened["id"], seen_to["id"]}
    given = {each["kind"]: each for each in left["given"]}
    assert {kind: each["id"] for kind, each in given.items()} == {
        "override": granted["id"],
        "erasure": ended["id"],
    }
    (coming,) = left["activations"]
    assert (coming["pack"], coming["proposed"], coming["approved"]) == ("no-sundays", False, True)
    assert boss.get("/v1/staff/st-1").get_json()["left_behind"] == left
    assert theirs.get("/v1/holds").status_code == 401

    # Nothing of it is anybody else's, and what is over is not listed any more.
    ok(boss.put("/v1/staff/st-2", {"status": "left"}))
    nobodys = boss.get("/v1/staff/st-2").get_json()["left_behind"]
    assert [each["id"] for each in nobodys.pop("requests")] == [handed_on["id"]]
    assert not any(nobodys.values())
    clock.forward(timedelta(days=3))
    later = Caller(client, boss.made).get("/v1/staff/st-1").get_json()["left_behind"]
    kinds = {each["kind"] for each in (*later["approvals"], *later["given"])}
    assert kinds.isdisjoint({"override"})
    assert later["activations"] == []


def test_what_a_member_of_staff_did_when_signed_in_is_theirs(
    any_runtime: Runtime, any_caller: Caller
) -> None:
    scope = HoldScope("data_class", values={"data_class": ("invoices",)})
    with any_runtime.work("acme", Actor(staff_ref("st-1"), "staff")) as work:
        held = holds.place(work, matter="M", scope=scope, reason="R")
    left = ok(any_caller.put("/v1/staff/st-1", {"status": "left"}))["left_behind"]
    assert [each["id"] for each in left["holds"]] == [held.hold_id]
