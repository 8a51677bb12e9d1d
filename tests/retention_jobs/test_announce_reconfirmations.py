"""Consents that lapse unless they are confirmed again: announced once, ahead; lapsed ones do not count."""

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.consent import service as consent
from governance.consent.service import NewConsent
from governance.ledger.store import ledger_entry
from governance.reports import coverage, reconfirmations
from governance.subjects import service as subjects
from governance.subjects.model import Identifier, SubjectChange
from retention_jobs import announce_reconfirmations, expire_consents
from tests.api.conftest import Caller, any_app, any_caller, new_component
from tests.conftest import ACTOR, HandClock

__all__ = ["any_app", "any_caller"]

DAY = timedelta(days=1)


class Desk:
    """People say yes and no; the job announces."""

    def __init__(self, runtime: Runtime, clock: HandClock) -> None:
        self.runtime, self.clock = runtime, clock

    def person(self, external_id: str, country: str) -> str:
        mail = Identifier("email", f"{external_id}@example.org")
        with self.runtime.work("acme", ACTOR) as work:
            change = SubjectChange(identifiers=[mail], country=country, relationship="lead")
            return subjects.put(work, external_id, change).subject_ref

    def say(self, ref: str, status: str = "granted", **more: Any) -> None:
        said = {"purpose": "marketing", "method": "web_form", "channel": "email"} | more
        if status == "granted":
            said.setdefault("evidence", {"form_url": "https://shop.example/join"})
        with self.runtime.work("acme", ACTOR) as work:
            consent.record(work, NewConsent(ref, status=status, **said))

    def told(self) -> list[dict[str, Any]]:
        query = sa.select(ledger_entry.c.leaf).where(ledger_entry.c.kind == "consent.reconfirmation_due")
        with self.runtime.engine.connect() as connection:
            leaves = list(connection.scalars(query.order_by(ledger_entry.c.position)))
        return [json.loads(leaf)["facts"] for leaf in leaves]

    def announce(self) -> int:
        """Run the job twice: the second time nothing is left."""
        announced = announce_reconfirmations.run(self.runtime)
        assert announce_reconfirmations.run(self.runtime) == 0
        return announced


@pytest.fixture
def desk(any_runtime: Runtime, clock: HandClock) -> Desk:
    return Desk(any_runtime, clock)


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
    any_caller: Caller, desk: Desk
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
    (told,) = desk.told()
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
    assert len({each["granted_at"] for each in desk.told()}) == 2
    desk.clock.forward(61 * DAY)  # and this time nobody confirmed it
    caller = Caller(any_caller.client, new_component(desk.runtime))
    assert "consent-expired" in why_not(caller, "crm-kr")
    assert desk.announce() == 0
    assert len(desk.told()) == 2, "nothing is said of the French consent, which grows as old"


def test_an_end_of_its_own_is_announced_ahead_told_when_it_comes_and_not_counted_after(
    any_caller: Caller, desk: Desk
) -> None:
    ref, gone = desk.person("crm-it", "IT"), desk.person("crm-no", "IT")
    ends = desk.clock() + 100 * DAY
    for each in (ref, gone):
        desk.say(each, expires_at=ends)
    assert desk.announce() == 0
    desk.say(gone, "withdrawn")
    desk.clock.forward(45 * DAY)
    assert desk.announce() == 1, "whoever withdrew is not asked to confirm"
    assert desk.told()[0]["due_at"].startswith(ends.isoformat()[:19])
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


def test_what_does_not_lapse_is_not_looked_at_day_by_day_but_is_when_the_person_moves(desk: Desk) -> None:
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
    assert desk.told()[0]["overdue"] is True, "it has lapsed already where the person lives now"
