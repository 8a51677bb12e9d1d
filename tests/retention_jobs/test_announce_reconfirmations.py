"""Consents that lapse unless they are confirmed again: announced once, ahead; lapsed ones do not count."""

from datetime import timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.reports import coverage, reconfirmations
from governance.subjects import service as subjects
from governance.subjects.model import SubjectChange
from retention_jobs import announce_reconfirmations, expire_consents
from tests.api.conftest import Caller, any_app, any_caller, new_component
from tests.conftest import ACTOR, HandClock
from tests.fixtures.consent_desk import Desk

__all__ = ["any_app", "any_caller"]

DAY = timedelta(days=1)


class Reconfirmations(Desk):
    """The job announces them."""

    def due(self) -> list[dict[str, Any]]:
        """The facts of the events that announced one, in order."""
        return self.told("consent.reconfirmation_due")

    def announce(self) -> int:
        """Run the job twice: the second time nothing is left."""
        announced = announce_reconfirmations.run(self.runtime)
        assert announce_reconfirmations.run(self.runtime) == 0
        return announced


@pytest.fixture
def desk(any_runtime: Runtime, clock: HandClock) -> Reconfirmations:
    return Reconfirmations(any_runtime, clock)


def why_not(caller: Caller, external_id: str) -> set[str]:
    """Why promotion by e-mail is refused; empty if it is allowed."""
    action = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}
    body = {
        "subject": {"type": "component", "id": "test"},
        "action": {"name": "communication.send", "properties": action},
        "resource": {"type": "data_subject", "id": external_id},
    }
    answer = caller.post("/access/v1/evaluation", body).get_json()
    return set() if answer["decision"] else {each["code"] for each in answer["context"]["reasons"]}


def test_a_policy_s_term_is_announced_once_a_new_yes_begins_anew_and_a_lapsed_one_counts_no_more(
    any_caller: Caller, desk: Reconfirmations
) -> None:
    """Korea: marketing consents are confirmed every two years."""
    ref = desk.person("crm-kr", "KR")
    desk.say(ref)
    french = desk.person("crm-fr", "FR")
    desk.say(french)
    given = desk.clock()
    desk.clock.forward(660 * DAY)
    assert desk.announce() == 0, "more than 60 days are left"
    desk.clock.forward(20 * DAY)
    assert desk.announce() == 1
    (told,) = desk.due()
    assert told["due_at"].startswith("2028-11-21"), (given, told)
    assert (told["channels"], told["overdue"]) == (["email"], False)
    assert told["rule"] == "kr.consent-is-confirmed-every-two-years"

    desk.say(ref)  # confirmed in time: it stands for two years more
    desk.clock.forward(100 * DAY)
    assert desk.announce() == 0
    caller = Caller(any_caller.client, new_component(desk.runtime))
    assert "consent-expired" not in why_not(caller, "crm-kr")
    desk.clock.forward(600 * DAY)
    assert desk.announce() == 1
    assert len({each["granted_at"] for each in desk.due()}) == 2
    desk.clock.forward(61 * DAY)  # and this time nobody confirmed it
    caller = Caller(any_caller.client, new_component(desk.runtime))
    assert "consent-expired" in why_not(caller, "crm-kr")
    assert desk.announce() == 0
    assert len(desk.due()) == 2, "nothing is said of the French consent, which grows as old"


def test_an_end_of_its_own_is_announced_ahead_told_when_it_comes_and_not_counted_after(
    any_caller: Caller, desk: Reconfirmations
) -> None:
    ref, gone = desk.person("crm-it", "IT"), desk.person("crm-no", "IT")
    ends = desk.clock() + 100 * DAY
    for each in (ref, gone):
        desk.say(each, expires_at=ends)
    assert desk.announce() == 0
    desk.say(gone, "withdrawn")
    desk.clock.forward(45 * DAY)
    assert desk.announce() == 1, "whoever withdrew is not asked to confirm"
    assert desk.due()[0]["due_at"].startswith(ends.isoformat()[:19])
    desk.clock.forward(55 * DAY)
    assert (desk.announce(), expire_consents.run(desk.runtime)) == (0, 1)
    with desk.runtime.snapshot("acme", ACTOR) as snap:
        counted = coverage.report(snap)["by_purpose"]
    assert [each["statuses"] for each in counted] == [{"expired": 1, "withdrawn": 1}]
    caller = Caller(any_caller.client, new_component(desk.runtime))
    assert "consent-expired" in why_not(caller, "crm-it")
    events = caller.get("/v1/events?limit=500").get_json()["items"]
    kinds = [each["type"].rsplit("governance.", 1)[-1] for each in events]
    assert kinds.count("consent.reconfirmation_due") == kinds.count("consent.expired") == 1


def test_what_does_not_lapse_is_not_looked_at_day_by_day_but_is_when_the_person_moves(
    desk: Reconfirmations,
) -> None:
    ref = desk.person("crm-fr", "FR")
    desk.say(ref)
    desk.clock.forward(800 * DAY)
    with desk.runtime.snapshot("acme", ACTOR) as snap:
        assert len(reconfirmations.unannounced(snap)) == 1
    assert desk.announce() == 0
    with desk.runtime.work("acme", ACTOR) as work:
        subjects.put(work, "crm-fr", SubjectChange(country="KR"))
    desk.clock.forward(29 * DAY)
    with desk.runtime.snapshot("acme", ACTOR) as snap:
        assert reconfirmations.unannounced(snap) == []
    desk.clock.forward(DAY)
    assert desk.announce() == 1
    assert desk.due()[0]["overdue"] is True, "it has lapsed already where the person lives now"
