"""The fence of an erasure at every entrance: what is from before it brings nobody back, and no no is lost."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.clock import wire
from governance.erasure import own
from governance.subjects import service as subjects
from governance.subjects import store
from governance.subjects.model import NewSubject, SubjectChange, SubjectReference
from governance.vault.model import OPERATIONAL
from governance.work import Snapshot
from tests.api.conftest import Caller
from tests.conftest import ACTOR, HandClock

ANNA = {"type": "email", "value": "anna@example.org"}
PHONE = {"type": "phone", "value": "+493012345678"}
PERSON = {"identifiers": [ANNA, PHONE], "attributes": {"country": "DE"}, "relationship": "lead"}
WEEKS = timedelta(weeks=4)


def _order(caller: Caller, person: str, errand: str, *classes: str) -> tuple[bool, list[str]]:
    said = {"destination": "IN", "recipient": "mailer", "errand": errand, "data_classes": classes}
    question = {
        "subject": {"type": "component", "id": "crm"},
        "action": {"name": "data.transfer", "properties": said},
        "resource": {"type": "data_subject", "id": person},
    }
    answer = caller.post("/access/v1/evaluation", question).get_json()
    return answer["decision"], [each["code"] for each in answer["context"]["reasons"]]


@pytest.fixture
def fence(any_caller: Caller, any_runtime: Runtime, clock: HandClock) -> datetime:
    """The fence of the erasure of `crm-1`; the clock stands 25 minutes after it."""
    any_caller.put("/v1/subjects/crm-1", PERSON)
    fence = clock.now()
    clock.forward(timedelta(minutes=5))  # a step that was held buries later than the fence
    with any_runtime.snapshot("acme", ACTOR) as snap:
        ref = subjects.get(snap, "crm-1").subject_ref
        own.shred(snap, ref)
    with any_runtime.work("acme", ACTOR) as work:
        own.bury(work, ref, fence=fence)
    clock.forward(timedelta(minutes=20))
    assert any_runtime.vault.shredded_at("acme", ref, OPERATIONAL) == fence + timedelta(minutes=5)
    return fence


def _capture(at: datetime | None, event_at: datetime | None = None, **more: Any) -> dict[str, Any]:
    event = {"event": "inquiry", **({} if event_at is None else {"occurred_at": wire(event_at)})}
    body = {"capture_point": "web-form", "subject": {"id": "crm-1", "identifiers": [ANNA]}}
    return {**body, "events": [event], **({} if at is None else {"occurred_at": wire(at)}), **more}


def _consent(status: str, at: datetime | None, subject: Any = None, **more: Any) -> dict[str, Any]:
    body = {"purpose": "marketing", "status": status, "method": "web_form", "channel": "email"}
    told = {} if at is None else {"occurred_at": wire(at)}
    return {**body, **told, "subject": subject or {"id": "crm-1"}, **more}


def _code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json().get("type", "").rsplit("/", 1)[-1]


def _bars(caller: Caller, point: dict[str, str] = ANNA) -> list[tuple[str, str | None]]:
    found = caller.post("/v1/suppressions/lookup", {"contact_point": point}).get_json()["items"]
    return sorted((each["scope"], each["purpose"]) for each in found)


def _batch(caller: Caller, *lines: dict[str, Any]) -> list[int]:
    body = b"\n".join(json.dumps(each).encode() for each in lines)
    answer = caller.post("/v1/consents/batch", data=body, content_type="application/x-ndjson")
    return [json.loads(each)["status"] for each in answer.get_data().splitlines()]


@pytest.mark.usefixtures("fence")
def test_an_order_to_erase_may_be_passed_on_after_the_person_is_gone(any_caller: Caller) -> None:
    assert _order(any_caller, "crm-1", "erasure", "identification") == (True, [])
    assert _order(any_caller, "crm-1", "erasure", "identification", "contact_details") == (True, [])
    unknown = (False, ["unknown-subject"])
    assert _order(any_caller, "crm-2", "erasure", "identification") == unknown, "nobody of this id was here"
    assert _order(any_caller, "crm-1", "erasure", "identification", "preferences")[0] is False
    assert _order(any_caller, "crm-1", "erasure")[0] is False, "of whatever class"
    for errand in ("answer", "ordinary"):
        assert _order(any_caller, "crm-1", errand, "identification")[0] is False, errand


def test_what_is_from_before_the_fence_brings_nobody_back(any_caller: Caller, fence: datetime) -> None:
    late = fence - WEEKS
    for body in (_capture(None, late), _capture(late), _capture(fence), _capture(None, fence)):
        assert _code(any_caller.post("/v1/captures", body)) == (409, "erased"), body
    other = _capture(late) | {"subject": {"id": "crm-77", "identifiers": [ANNA]}}
    assert _code(any_caller.post("/v1/captures", other)) == (409, "erased"), "the same address"
    for at in (late, fence, None):
        granted = any_caller.post("/v1/consents", _consent("granted", at))
        assert _code(granted) == (409, "resurrection-blocked")
    assert _batch(any_caller, _consent("granted", late), _consent("granted", late)) == [409, 409]
    event = {"event": "purchase", "occurred_at": wire(late)}
    assert _code(any_caller.post("/v1/subjects/crm-1/events", event)) == (409, "erased")
    assert _code(any_caller.put("/v1/subjects/crm-1", PERSON)) == (409, "resurrection-blocked")
    for path in ("crm-1", "crm-77"):
        assert any_caller.get(f"/v1/subjects/{path}").status_code == 404
    after = any_caller.post("/v1/captures", _capture(fence + timedelta(microseconds=1)))
    assert after.status_code == 201, after.data


def test_what_is_from_before_the_fence_is_not_theirs_who_started_afresh(
    any_caller: Caller, any_runtime: Runtime, fence: datetime
) -> None:
    assert any_caller.post("/v1/captures", _capture(None)).status_code == 201
    late = fence - WEEKS
    for body in (_capture(None, late), _capture(late), _capture(fence)):
        assert _code(any_caller.post("/v1/captures", body)) == (409, "erased"), body
    for at in (late, fence):
        assert _code(any_caller.post("/v1/consents", _consent("granted", at))) == (409, "erased")
    lines = _consent("granted", late), _consent("granted", fence + timedelta(minutes=6))
    assert _batch(any_caller, *lines) == [409, 201]
    event = {"event": "contract_signed", "occurred_at": wire(late)}
    assert _code(any_caller.post("/v1/subjects/crm-1/events", event)) == (409, "erased")
    move = {"subject": {"id": "crm-1"}, "to": "client", "evidence": {"contract_reference": "1"}}
    moved = any_caller.post("/v1/lifecycle/transitions", {**move, "occurred_at": wire(late)})
    assert _code(moved) == (409, "erased")
    with any_runtime.snapshot("acme", ACTOR) as snap:
        person = subjects.get(snap, "crm-1")
        assert (person.contract_state, person.stage_relationship) == ("none", None)
        assert [each.event for each in subjects.events(snap, person.subject_ref)] == ["inquiry"]
    change = SubjectChange(country="DE")
    with any_runtime.work("acme", ACTOR) as work:
        assert subjects.put_many(work, [NewSubject("crm-1", change)])[0].changed, "the CRM's own business"


def test_whoever_shares_the_address_and_was_here_before_is_somebody_else(
    any_caller: Caller, any_runtime: Runtime, clock: HandClock
) -> None:
    any_caller.put("/v1/subjects/crm-2", {"identifiers": [ANNA], "attributes": {"country": "DE"}})
    clock.forward(timedelta(minutes=20))
    any_caller.put("/v1/subjects/crm-1", PERSON)
    with any_runtime.work("acme", ACTOR) as work:
        own.bury(work, subjects.get(work, "crm-1").subject_ref)
    said = _consent("granted", clock.now() - timedelta(minutes=1), {"id": "crm-2"})
    clock.forward(timedelta(minutes=10))
    assert any_caller.post("/v1/consents", said).status_code == 201


@pytest.mark.parametrize("by", ["id", "email"])
def test_a_late_no_is_kept_on_the_addresses(any_caller: Caller, fence: datetime, by: str) -> None:
    named = {"id": "crm-1"} if by == "id" else {"email": "anna@example.org"}
    late = fence - WEEKS
    assert _bars(any_caller) == []
    withdrawn = any_caller.post("/v1/consents", _consent("withdrawn", late, named))
    assert withdrawn.status_code == 201, withdrawn.data
    assert _bars(any_caller) == [("purpose", "marketing")]
    assert _bars(any_caller, PHONE) == [], "the no was about e-mail"
    assert _batch(any_caller, _consent("withdrawn", late, named)) == [201]
    assert _bars(any_caller) == [("purpose", "marketing")], "told twice it is kept once"
    objection = {"subject": named, "scope": "all", "method": "call", "occurred_at": wire(late)}
    assert any_caller.post("/v1/objections", objection).status_code == 201
    assert _bars(any_caller, PHONE) == [("purpose", None)]
    bar = {"subject": named, "scope": "all", "occurred_at": wire(late)}
    assert any_caller.post("/v1/suppressions", bar).status_code == 201
    assert _bars(any_caller, PHONE) == [("all", None), ("purpose", None)]
    assert any_caller.get("/v1/subjects/crm-1").status_code == 404
    unknown = any_caller.post("/v1/consents", _consent("withdrawn", late, {"id": "nobody"}))
    assert unknown.status_code == 404


def test_the_noes_of_a_capture_that_comes_too_late_are_kept(any_caller: Caller, fence: datetime) -> None:
    noes = [{"purpose": "marketing", "status": "withdrawn", "channel": "email"}]
    body = _capture(fence - WEEKS, consents=noes)
    refused = any_caller.post("/v1/captures", body, headers={"Sec-GPC": "1"})
    assert _code(refused) == (409, "erased")
    assert _bars(any_caller) == [("purpose", "marketing"), ("purpose", "sale_sharing")]
    assert any_caller.get("/v1/subjects/crm-1").status_code == 404


def test_the_noes_of_somebody_who_is_being_erased_are_taken(any_caller: Caller, clock: HandClock) -> None:
    any_caller.put("/v1/subjects/crm-1", PERSON)
    any_caller.post("/v1/erasures", {"subject": {"id": "crm-1"}})
    noes = [{"purpose": "marketing", "status": "withdrawn", "channel": "email"}]
    mixed = any_caller.post("/v1/captures", _capture(None, consents=noes))
    assert _code(mixed) == (409, "erasure-pending")
    state = any_caller.get("/v1/subjects/crm-1/consents").get_json()["consents"]
    assert {each["status"] for each in state} == {"withdrawn"}
    body = {**_capture(None, consents=noes), "events": []}
    body["subject"]["identifiers"].append({"type": "email", "value": "new@example.org"})
    assert any_caller.post("/v1/captures", body).status_code == 201
    points = any_caller.get("/v1/subjects/crm-1").get_json()["identifiers"]
    assert len(points) == 2, "the record is left as it is"


def test_a_capture_of_a_new_id_with_the_address_leaves_its_noes_only(any_caller: Caller) -> None:
    any_caller.put("/v1/subjects/crm-1", PERSON)
    any_caller.put("/v1/subjects/crm-2", {"identifiers": [ANNA]})
    any_caller.post("/v1/erasures", {"subject": {"id": "crm-1"}})
    assert _code(any_caller.put("/v1/subjects/o9", {"identifiers": [ANNA]})) == (409, "erasure-pending")
    other = {"subject": {"id": "o9", "identifiers": [ANNA]}}
    assert _code(any_caller.post("/v1/captures", _capture(None) | other)) == (409, "erasure-pending")
    noes = [{"purpose": "marketing", "status": "withdrawn", "channel": "email"}]
    for body in (_capture(None, consents=noes), {**_capture(None, consents=noes), "events": []}):
        assert _code(any_caller.post("/v1/captures", body | other)) == (409, "erasure-pending")
    assert any_caller.get("/v1/subjects/o9").status_code == 404
    state = any_caller.get("/v1/subjects/crm-1/consents").get_json()["consents"]
    assert {each["status"] for each in state} == {"withdrawn"}
    assert set(_bars(any_caller)) == {("purpose", "marketing")}
    here = any_caller.post(
        "/v1/captures", _capture(None) | {"subject": {"id": "crm-2", "identifiers": [ANNA]}}
    )
    assert here.status_code == 201, "who had the address before is somebody else"


def test_an_answer_to_an_old_message_starts_nothing_and_its_unsubscribe_link_is_honoured(
    any_caller: Caller, any_runtime: Runtime, clock: HandClock
) -> None:
    any_caller.put("/v1/subjects/crm-1", PERSON)
    any_caller.post("/v1/consents", _consent("granted", None, contact_point=ANNA))
    send = {"subject": {"id": "crm-1"}, "message_id": "m-1", "channel": "email"}
    sent = any_caller.post(
        "/v1/communications", {**send, "message_class": "promotional", "purpose": "marketing"}
    )
    assert sent.status_code == 201, sent.data
    link = sent.get_json()["headers"]["List-Unsubscribe"].strip("<>")
    with any_runtime.work("acme", ACTOR) as work:
        own.shred(work, subjects.get(work, "crm-1").subject_ref)
        own.bury(work, subjects.get(work, "crm-1").subject_ref)
    clock.forward(timedelta(minutes=5))
    message = sent.get_json()["id"]
    for outcome in ("replied", "unsubscribed"):
        told = {"outcome": outcome, "occurred_at": wire(clock.now() - timedelta(minutes=5))}
        taken = any_caller.post(f"/v1/communications/{message}/outcomes", told)
        assert taken.status_code < 300, taken.data
    assert any_caller.get("/v1/subjects/crm-1").status_code == 404
    with any_runtime.snapshot("acme", ACTOR) as snap:
        (person,) = store.find_refs(snap.connection, "acme", [_ref_of(snap)]).values()
        assert (person.erased, person.last_contact_at) == (True, None)
    before = _bars(any_caller)
    assert before, "unsubscribed, as its sender tells"
    path = link.removeprefix("https://privacy.example.org")
    one_click = {"Content-Type": "application/x-www-form-urlencoded"}
    left = any_caller.client.post(path, data="List-Unsubscribe=One-Click", headers=one_click)
    assert left.status_code == 200, left.data
    assert set(before) <= set(_bars(any_caller))
    assert ("purpose", "marketing") in _bars(any_caller) or ("purpose", None) in _bars(any_caller)


def _ref_of(snap: Snapshot) -> str:
    found = subjects.find_buried(snap, SubjectReference(id="crm-1"))
    assert found is not None
    return found.subject_ref
