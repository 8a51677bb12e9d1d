"""Erasures over HTTP: ordered, undone, looked at; what frozen people are kept from."""

import base64
import json

from governance.bootstrap import Runtime
from governance.egress.signatures import sign
from governance.erasure import replay
from governance.subjects import service as subjects
from governance.vault.model import OPERATIONAL
from retention_jobs import run_erasures
from tests.api.conftest import Caller, new_component
from tests.conftest import ACTOR
from tests.fixtures.far_system import Answer, Request, serving
from tests.governance.systems.conftest import allowing

KEY = b"thirty-two bytes of webhook key."

PERSON = {"identifiers": [{"type": "email", "value": "anna@example.org"}], "attributes": {"country": "US"}}
ORDER = {"subject": {"id": "crm-1"}}


def approve(caller: Caller, runtime: Runtime, erasure_id: str) -> None:
    """A second person ends the undo window."""
    second = Caller(caller.client, new_component(runtime, "erasures:read", "erasures:approve"))
    assert second.post(f"/v1/erasures/{erasure_id}/approve").status_code == 200


def _may_send(caller: Caller, message_class: str) -> bool:
    question = {
        "subject": {"type": "component", "id": "crm"},
        "action": {
            "name": "communication.send",
            "properties": {"channel": "email", "message_class": message_class, "purpose": "service"},
        },
        "resource": {"type": "data_subject", "id": "crm-1"},
    }
    answer = caller.post("/access/v1/evaluation", question).get_json()
    return bool(answer["decision"])


def test_an_order_freezes_the_person_and_the_job_erases(any_caller: Caller, any_runtime: Runtime) -> None:
    any_caller.put("/v1/subjects/crm-1", {**PERSON, "relationship": "client"})
    assert _may_send(any_caller, "security")
    ordered = any_caller.post("/v1/erasures", {**ORDER, "undo_hours": 24})
    assert ordered.status_code == 202
    told = ordered.get_json()
    assert (told["status"], told["subject"]) == ("undo_window", "crm-1")
    assert [step["system"] for step in told["steps"]] == ["governance"]
    assert not _may_send(any_caller, "security"), "a frozen person gets nothing"
    other = {"identifiers": [*PERSON["identifiers"], {"type": "email", "value": "anna@other.example.org"}]}
    any_caller.put("/v1/subjects/crm-2", {})
    for refused in (
        any_caller.put("/v1/subjects/crm-1", other),
        any_caller.post("/v1/subjects/crm-2/merge", {"into": "crm-1"}),
    ):
        assert refused.status_code == 409
        assert refused.get_json()["type"].endswith("/erasure-pending")
    undone = any_caller.post(f"/v1/erasures/{told['id']}/cancel", {})
    assert undone.get_json()["status"] == "cancelled"
    assert _may_send(any_caller, "security")

    told = any_caller.post("/v1/erasures", ORDER).get_json()
    alone = any_caller.post(f"/v1/erasures/{told['id']}/approve")
    assert (alone.status_code, alone.get_json()["type"].rsplit("/", 1)[1]) == (403, "second-person-needed")
    assert run_erasures.run(any_runtime) == 0
    approve(any_caller, any_runtime, told["id"])
    assert run_erasures.run(any_runtime) == 1
    done = any_caller.get(f"/v1/erasures/{told['id']}").get_json()
    assert done["status"] == "complete"
    assert done["subject"] is None
    assert done["certificate"].count(".") == 2
    assert any_caller.get("/v1/subjects/crm-1").status_code == 404
    back = any_caller.put("/v1/subjects/crm-1", PERSON)
    assert back.status_code == 409
    assert back.get_json()["type"].endswith("/resurrection-blocked")
    again = any_caller.post(
        "/v1/captures", {"capture_point": "web-form", "subject": {"id": "crm-1", **PERSON}}
    )
    assert again.status_code == 201, again.get_json()
    listed = any_caller.get("/v1/erasures?status=complete").get_json()["items"]
    assert [each["id"] for each in listed] == [told["id"]]


def test_a_hold_on_whoever_was_erased_is_placed_by_the_case(any_caller: Caller, any_runtime: Runtime) -> None:
    any_caller.put("/v1/subjects/crm-1", PERSON)
    told = any_caller.post("/v1/erasures", ORDER).get_json()
    approve(any_caller, any_runtime, told["id"])
    run_erasures.run(any_runtime)
    said = {"matter": "M-1", "reason": "a claim"}
    assert any_caller.post("/v1/holds", {**said, "scope": ORDER}).status_code == 404, "all of it is done"
    placed = any_caller.post("/v1/holds", {**said, "scope": {"erasure": told["id"]}})
    assert placed.status_code == 201, "the evidence is still to be destroyed"
    held = placed.get_json()
    assert (held["matter"], held["scope"]) == ("M-1", {"subject": None, "erasure": told["id"]})
    assert any_caller.get(f"/v1/erasures/{told['id']}").get_json()["holds"] == [held["id"]]
    second = Caller(any_caller.client, new_component(any_runtime, "holds:read", "holds:release"))
    assert second.post(f"/v1/holds/{held['id']}/release").status_code == 200
    assert any_caller.get(f"/v1/erasures/{told['id']}").get_json()["holds"] == []
    unknown = any_caller.post("/v1/holds", {**said, "scope": {"erasure": "era_1"}})
    assert unknown.status_code == 404


def test_what_cannot_be_ordered_is_named(any_caller: Caller, any_runtime: Runtime) -> None:
    any_caller.put("/v1/subjects/crm-1", PERSON)
    unknown = any_caller.post("/v1/erasures", {"subject": {"id": "crm-9"}})
    assert unknown.status_code == 404
    for body, field in (
        ({**ORDER, "reason": "Because Anna asked"}, "reason"),
        ({**ORDER, "undo_hours": 721}, "undo_hours"),
        ({**ORDER, "undo_hours": 0}, "undo_hours"),
        ({**ORDER, "undo_hours": "soon"}, "undo_hours"),
        ({**ORDER, "scope": {"data_classes": ["shoe_size"]}}, "scope.data_classes"),
        ({**ORDER, "scope": {}}, "scope"),
    ):
        refused = any_caller.post("/v1/erasures", body)
        assert refused.status_code == 422, body
        assert field.split(".")[0] in repr(refused.get_json()["errors"]), body
    assert any_caller.get("/v1/erasures/era_none").status_code == 404
    ordered = any_caller.post("/v1/erasures", ORDER).get_json()
    approve(any_caller, any_runtime, ordered["id"])
    late = any_caller.post(f"/v1/erasures/{ordered['id']}/cancel", {})
    assert (late.status_code, late.get_json()["type"].rsplit("/", 1)[1]) == (409, "too-late")
    early = any_caller.post(f"/v1/erasures/{ordered['id']}/retry", {})
    assert early.get_json()["type"].rsplit("/", 1)[1] == "nothing-failed"


def test_a_repeat_under_the_same_key_orders_once(any_caller: Caller) -> None:
    any_caller.put("/v1/subjects/crm-1", PERSON)
    first = any_caller.post("/v1/erasures", ORDER, headers={"Idempotency-Key": '"one"'}).get_json()
    again = any_caller.post("/v1/erasures", ORDER, headers={"Idempotency-Key": '"one"'})
    assert (again.status_code, again.get_json()["id"]) == (202, first["id"])


def test_a_system_reports_its_share_and_is_believed_only_with_its_signature(
    any_caller: Caller, any_runtime: Runtime
) -> None:
    """The report ends the wait at once; one that is not believed leaves a trace, and changes nothing."""

    def later(request: Request) -> Answer:
        return 202, {}, b"{}"

    with serving(later) as shop:
        allowing(any_runtime, shop.place)
        config = {"url": shop.url, "secret": "whsec_" + base64.b64encode(KEY).decode()}
        body = {"kind": "webhook", "config": config, "data_classes": ["contact_details"]}
        assert any_caller.put("/v1/systems/shop", body).status_code == 201
        any_caller.put("/v1/subjects/crm-1", PERSON)
        any_caller.put("/v1/subjects/crm-2", {"attributes": {"country": "US"}})
        ordered, other = (
            any_caller.post("/v1/erasures", {"subject": {"id": each}}).get_json()["id"]
            for each in ("crm-1", "crm-2")
        )
        approve(any_caller, any_runtime, ordered)
        run_erasures.run(any_runtime)
        step = any_caller.get(f"/v1/erasures/{ordered}").get_json()["steps"]
        assert {each["system"]: each["status"] for each in step}["shop"] == "waiting"
        order = next(each for each in shop.requests if json.loads(each.body)["verb"] == "erase")
        rows = {"data_class": "contact_details", "outcome": "erased", "rows": {"people": 1}}
        report = {"operation": json.loads(order.body)["operation"], "status": "done", "steps": [rows]}

        given = json.loads(order.body)["callback_url"].removeprefix("https://privacy.example.org")

        def post(
            erasure: str, key: bytes, system: str = "shop", said: object = report, to: str | None = None
        ) -> tuple[int, str]:
            raw = said if isinstance(said, bytes) else json.dumps(said).encode()
            headers = {"Content-Type": "application/json", **sign([key], "msg-1", any_runtime.clock(), raw)}
            path = to or f"/v1/erasures/{erasure}/systems/{system}/callback"
            answer = any_caller.post(path, data=raw, headers=headers)
            return answer.status_code, answer.get_json().get("type", "").rsplit("/", 1)[-1]

        assert post(ordered, b"another key of thirty-two bytes.") == (403, "bad-signature")
        assert post(other, KEY) == (404, "unknown-request"), "an order of another erasure"
        assert post(ordered, KEY, said={"status": "done"}) == (400, "malformed")
        assert post(ordered, KEY, system="governance")[0] == 404
        assert post("era_none", KEY)[0] == 404
        for said, key, answer in (  # the address that the order gave answers in the same way
            (report, b"another key of thirty-two bytes.", (403, "bad-signature")),
            (b"{not json", b"another key of thirty-two bytes.", (403, "bad-signature")),
            (b"{not json", KEY, (400, "malformed")),
            ({**report, "operation": "op-none"}, KEY, (404, "unknown-request")),
        ):
            assert post(ordered, key, said=said, to=given) == answer
        events = any_caller.get("/v1/events?limit=500").get_json()["items"]
        refused = [each["data"] for each in events if each["type"].endswith("system.callback_refused")]
        assert len(refused) == 7
        assert run_erasures.run(any_runtime) == 0, "nothing that was refused moved anything"

        shop.answer = lambda request: (200, {}, b'{"status": "done", "counts": {"people": 0}}')
        assert post(ordered, KEY)[0] == 202
        assert run_erasures.run(any_runtime) == 1, "at once, not at the next look in six hours"
        done = any_caller.get(f"/v1/erasures/{ordered}").get_json()
        assert (done["status"], len(shop.requests)) == ("complete", 2)
        assert post(ordered, KEY)[0] == 202, "told again, it changes nothing"


def test_what_ended_is_told_of_the_case_once_the_person_is_erased(
    any_caller: Caller, any_runtime: Runtime
) -> None:
    any_caller.put("/v1/subjects/crm-1", {**PERSON, "relationship": "client"})
    ordered = any_caller.post("/v1/erasures", ORDER).get_json()["id"]
    path, ended = f"/v1/erasures/{ordered}/events", {"event": "contract_ended"}
    here = any_caller.post(path, ended)
    assert (here.status_code, here.get_json()["type"].rsplit("/", 1)[1]) == (409, "still-here")
    approve(any_caller, any_runtime, ordered)
    run_erasures.run(any_runtime)
    told = any_caller.post(path, {**ended, "occurred_at": "2025-03-01T10:00:00Z"})
    assert (told.status_code, told.get_json()["undated_since"]) == (200, None)
    for body in ({}, {"event": "contract_signed"}, {**ended, "occurred_at": "2999-01-01T00:00:00Z"}):
        assert any_caller.post(path, body).status_code == 422, body
    assert any_caller.post("/v1/erasures/era_none/events", ended).status_code == 404
    reader = Caller(any_caller.client, new_component(any_runtime, "erasures:read"))
    assert reader.post(path, ended).status_code == 403


def test_nothing_is_ready_while_a_restored_database_holds_the_erased(
    any_caller: Caller, any_runtime: Runtime
) -> None:
    any_caller.put("/v1/subjects/crm-1", PERSON)
    with any_runtime.snapshot("acme", ACTOR) as snap:
        ref = subjects.get(snap, "crm-1").subject_ref
    any_runtime.vault.shred("acme", ref, OPERATIONAL, any_runtime.clock())
    answer = any_caller.get("/readyz")
    assert answer.status_code == 503
    assert "governance erasures replay" in answer.get_json()["checks"]["erasures"]
    assert replay.replay(any_runtime, "acme") == 1
    assert any_caller.get("/readyz").get_json()["checks"]["erasures"] == "ok"
