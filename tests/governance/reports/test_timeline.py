from datetime import timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.communications import service as communications
from governance.communications.messages import SendRequest
from governance.communications.model import read_check
from governance.consent import service as consents
from governance.consent.service import NewConsent
from governance.decisions.log import DecisionLog
from governance.errors import InvalidError
from governance.lifecycle import service as lifecycle
from governance.reports.timeline import Cursor, read_cursor, timeline
from governance.subjects import service as subjects
from governance.subjects.model import Identifier
from governance.subjects.service import SubjectChange, SubjectReference
from tests.conftest import ACTOR, HandClock

CANARY = "canary.person@example.org"
EMAIL = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}


def put(runtime: Runtime, external_id: str) -> str:
    change = SubjectChange(country="US", relationship="lead", identifiers=[Identifier("email", CANARY)])
    with runtime.work("acme", ACTOR) as work:
        return subjects.put(work, external_id, change).subject_ref


def check(runtime: Runtime, external_id: str) -> bool:
    with runtime.snapshot("acme", ACTOR) as snap:
        record = communications.check(snap, read_check(SubjectReference(id=external_id), EMAIL))
        snap.resource(DecisionLog).append("acme", [record])
        return record.allowed


def withdraw(runtime: Runtime, ref: str) -> None:
    with runtime.work("acme", ACTOR) as work:
        consents.record(work, NewConsent(ref, "marketing", "withdrawn", "unsubscribe_link"))


def send(runtime: Runtime, external_id: str, message_id: str) -> None:
    with runtime.work("acme", ACTOR) as work:
        request = read_check(SubjectReference(id=external_id), EMAIL)
        communications.authorise(work, SendRequest(message_id, request))


def pages(runtime: Runtime, ref: str, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = None
    while True:
        with runtime.snapshot("acme", ACTOR) as snap:
            page, after = timeline(snap, ref, after=after, limit=limit)
        assert len(page) <= limit
        found += page
        if after is None:
            return found


def lived(runtime: Runtime, clock: HandClock) -> str:
    """A person to whom a few things happened, an hour apart."""
    ref = put(runtime, "crm-1")
    put(runtime, "crm-2")
    hour = timedelta(hours=1)
    clock.forward(hour)
    assert check(runtime, "crm-1")
    clock.forward(hour)
    send(runtime, "crm-1", "m-1")
    clock.forward(hour)
    withdraw(runtime, ref)
    clock.forward(hour)
    assert not check(runtime, "crm-1")
    check(runtime, "crm-2")
    clock.forward(hour)
    with runtime.work("acme", ACTOR) as work:
        lifecycle.transition(
            work, ref, model="relationship", to="client", evidence={"contract_reference": "C-1"}
        )
    return ref


def _told(entry: dict[str, Any]) -> object:
    if entry["type"] == "decision":
        return entry["action"], entry["decision"], entry["act"]
    return entry.get("kind", entry["type"])


def test_what_happened_and_what_was_decided_stand_in_the_order_of_time(
    any_runtime: Runtime, clock: HandClock
) -> None:
    ref = lived(any_runtime, clock)
    found = pages(any_runtime, ref, 50)
    assert [each["at"] for each in found] == sorted(each["at"] for each in found)
    told = [_told(each) for each in found]
    assert told.index(("communication.send", True, False)) < told.index("communications.authorised")
    assert ("communication.send", True, True) in told
    assert told.index("consent.withdrawn") < told.index(("communication.send", False, False))
    assert "lifecycle.moved" in told
    assert [each["message_id"] for each in found if each["type"] == "message"] == ["m-1"]
    assert ("lifecycle.transition", True, True) in told
    refused = next(each for each in found if each.get("decision") is False)
    assert "consent-withdrawn" in refused["codes"]


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
def test_pages_of_any_size_give_everything_once(runtime: Runtime, clock: HandClock, limit: int) -> None:
    ref = lived(runtime, clock)
    found = [(each["type"], each["id"]) for each in pages(runtime, ref, limit)]
    assert len(set(found)) == len(found)
    assert found == [(each["type"], each["id"]) for each in pages(runtime, ref, 50)]


def test_a_timeline_holds_nobody_elses_entries_and_no_personal_data(
    runtime: Runtime, clock: HandClock
) -> None:
    ref = lived(runtime, clock)
    other = [each["id"] for each in pages(runtime, put(runtime, "crm-2"), 50)]
    mine = pages(runtime, ref, 50)
    assert other
    assert not set(other) & {each["id"] for each in mine}
    assert CANARY not in repr(mine)
    assert "C-1" not in repr(mine)


def test_whoever_absorbed_another_record_has_its_past_too(runtime: Runtime, clock: HandClock) -> None:
    ref = lived(runtime, clock)
    other = put(runtime, "crm-2")
    before = {each["id"] for each in pages(runtime, ref, 50)}
    with runtime.work("acme", ACTOR) as work:
        consents.merge(work, ref, other)
    assert before <= {each["id"] for each in pages(runtime, other, 2)}


def test_a_cursor_comes_back_as_it_was() -> None:
    cursor = Cursor(17, "dec_1", "dec_2", "msg_3")
    assert read_cursor(cursor.text()) == cursor
    assert read_cursor(None) == Cursor()


@pytest.mark.parametrize("text", ["", "x", "%%%", "W10", "é", "WzEsMiwzLDRd", "bnVsbA", "[" * 5000])
def test_a_cursor_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        read_cursor(text)
