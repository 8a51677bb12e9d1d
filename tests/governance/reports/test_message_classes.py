"""Messages whose declared class looks wrong: every sign is found where it is, and not where it is not."""

import json
from datetime import timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.communications import service as communications
from governance.communications.messages import OutcomeReport
from governance.errors import InvalidError
from governance.purposes import service as purposes
from governance.reports import message_classes
from governance.reports.message_classes import read_signs
from tests.conftest import ACTOR, HandClock
from tests.governance.communications.conftest import Crm

OFFERS = {
    "title": "Offers",
    "owner": "marketing",
    "lawful_basis": "legitimate_interests",
    "message_classes": ["promotional", "newsletter", "survey", "service", "consent_request", "security"],
}


class Desk(Crm):
    """Somebody who sends, and looks what it was sent as."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.person("crm-1", "a@example.org", stage="client")
        self.number = 0
        self.put("offers", OFFERS)

    def put(self, purpose_id: str, body: dict[str, Any], version: int | None = None) -> None:
        with self.runtime.work("acme", ACTOR) as work:
            purposes.put(work, purpose_id, body, version)

    def send(self, kind: str, count: int = 1, *, campaign: str | None = None, **more: Any) -> list[str]:
        """Authorise messages of a class; gives their references."""
        refs = []
        for _ in range(count):
            self.number += 1
            question = self.request("crm-1", **{"purpose": "offers", "message_class": kind, **more})
            with self.runtime.work("acme", ACTOR) as work:
                request = communications.SendRequest(f"m-{self.number}", question, campaign)
                given = communications.authorise(work, request)
            refs.append("" if given.message is None else given.message.message_ref)
        return refs

    def outcome(self, ref: str, outcome: str) -> None:
        with self.runtime.work("acme", ACTOR) as work:
            communications.outcome(work, ref, OutcomeReport(outcome))

    def report(self, **named: Any) -> dict[str, Any]:
        self.runtime.clock.forward(timedelta(seconds=1))  # type: ignore[attr-defined]  # the fixture's clock
        with self.runtime.snapshot("acme", ACTOR) as snap:
            return message_classes.report(snap, **named)

    def findings(self, sign: str) -> list[dict[str, Any]]:
        return [each for each in self.report()["findings"] if each["sign"] == sign]


@pytest.fixture
def desk(any_runtime: Runtime) -> Desk:
    return Desk(any_runtime)


@pytest.fixture
def small_desk(runtime: Runtime) -> Desk:
    return Desk(runtime)


def test_a_campaign_under_two_kinds_of_class_is_found_with_what_was_not_advertising(desk: Desk) -> None:
    desk.send("promotional", 3, campaign="spring")
    odd = desk.send("service", 2, campaign="spring")
    desk.send("promotional", 2, campaign="summer")
    desk.send("security", campaign="summer")  # never advertising, so no sign
    desk.send("service", 2, campaign="autumn")
    desk.send("service", 2)
    (found,) = desk.findings("campaign-of-two-kinds")
    assert found["where"] == {"campaign": "spring"}
    assert (found["count"], found["of"]) == (2, 5)
    assert found["classes"] == {"promotional": 3, "service": 2}
    assert sorted(found["sample"]) == sorted(odd)


def test_promotion_inside_a_service_message_is_advertising_and_no_sign(small_desk: Desk) -> None:
    small_desk.send("promotional", campaign="spring")
    small_desk.send("service", campaign="spring", contains_promotion=True)
    assert small_desk.findings("campaign-of-two-kinds") == []


def test_many_service_messages_under_a_purpose_that_advertises_are_found(small_desk: Desk) -> None:
    small_desk.send("promotional", 20)
    small_desk.send("service", 19)
    assert small_desk.findings("class-unlike-its-purpose") == []
    small_desk.send("service", 1)
    (found,) = small_desk.findings("class-unlike-its-purpose")
    assert found["where"] == {"purpose": "offers"}
    assert (found["count"], found["of"], len(found["sample"])) == (20, 40, 10)
    small_desk.send("service", 25, purpose="service")
    assert len(small_desk.findings("class-unlike-its-purpose")) == 1, "a purpose that serves is no sign"


def test_a_class_that_the_purpose_lists_no_longer_is_found(desk: Desk) -> None:
    refs = desk.send("service", 2)
    assert desk.findings("class-not-listed-today") == []
    desk.put("offers", OFFERS | {"message_classes": ["promotional"]}, 1)
    (found,) = desk.findings("class-not-listed-today")
    assert found["where"] == {"purpose": "offers", "message_class": "service"}
    assert sorted(found["sample"]) == sorted(refs)


def test_classes_that_a_purpose_refuses_again_and_again_are_found_by_their_decisions(desk: Desk) -> None:
    assert desk.send("transactional", 4) == [""] * 4
    assert desk.findings("class-refused-by-its-purpose") == []
    desk.send("transactional", 1)
    (found,) = desk.findings("class-refused-by-its-purpose")
    assert found["where"] == {"purpose": "offers", "message_class": "transactional"}
    assert found["count"] == 5
    assert all(ref.startswith("dec_") for ref in found["sample"])


def test_people_who_leave_because_of_a_service_message_are_a_sign_that_it_is_none(desk: Desk) -> None:
    refs = desk.send("service", 19)
    desk.outcome(refs[0], "complained")
    assert desk.findings("people-leave") == [], "few messages say nothing"
    desk.send("service", 1)
    (found,) = desk.findings("people-leave")
    assert found["where"] == {"purpose": "offers", "channel": "email", "message_class": "service"}
    assert (found["count"], found["of"], found["sample"]) == (1, 20, [refs[0]])


def test_a_message_that_never_went_out_and_one_of_another_time_do_not_count(
    small_desk: Desk, clock: HandClock
) -> None:
    small_desk.send("promotional", campaign="spring")
    (odd,) = small_desk.send("service", campaign="spring")
    small_desk.outcome(odd, "cancelled")
    assert small_desk.findings("campaign-of-two-kinds") == []
    small_desk.send("service", campaign="spring")
    assert small_desk.findings("campaign-of-two-kinds")
    began = clock.now()
    clock.forward(timedelta(days=31))
    assert small_desk.findings("campaign-of-two-kinds") == []
    early = small_desk.report(since=began - timedelta(days=1), until=began)
    assert (early["messages"], len(early["findings"])) == (2, 1)
    assert early["until"] < "2026-11-22"


def test_the_report_names_nobody(small_desk: Desk) -> None:
    small_desk.send("promotional", campaign="spring")
    small_desk.send("service", campaign="spring")
    told = json.dumps(small_desk.report())
    assert "spring" in told
    for secret in ("crm-1", "example.org", "sub_", "pnt_"):
        assert secret not in told


def test_a_period_that_is_none_is_refused(small_desk: Desk, clock: HandClock) -> None:
    for since in (clock.now() + timedelta(days=1), clock.now() - timedelta(days=500)):
        with pytest.raises(InvalidError):
            small_desk.report(since=since)


@pytest.mark.parametrize(
    "entry",
    [
        {"look_at": "stars"},
        {"look_at": "campaigns", "least": "many"},
        {"look_at": "campaigns", "per_thousand": -1},
        {"look_at": "outcomes"},
        {"look_at": "outcomes", "outcomes": ["sighed"]},
        {"look_at": "campaigns", "outcomes": ["clicked"]},
    ],
)
def test_a_sign_that_makes_no_sense_is_refused_by_name(entry: dict[str, Any]) -> None:
    with pytest.raises(InvalidError, match=r"message-class-signs\.yaml: mine needs"):
        read_signs({"mine": entry})


def test_the_shipped_signs_are_in_order_and_leave_out_classes_that_exist() -> None:
    signs = read_signs(purposes.message_class_signs())
    assert next(sign.id for sign in signs) == "campaign-of-two-kinds"
    assert set().union(*(sign.leave_out for sign in signs)) <= set(purposes.message_classes())
