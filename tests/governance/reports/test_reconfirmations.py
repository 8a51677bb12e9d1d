"""Whose consent has to be confirmed again: told from the packs, with the rule and the instant."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.policy.durations import Duration
from governance.reports import reconfirmations
from governance.reports.reconfirmations import Reconfirmation
from tests.conftest import ACTOR, START, HandClock
from tests.fixtures.consent_desk import Desk

DAYS = Duration(60, "day")
RULE = "kr.consent-is-confirmed-every-two-years"


class Reconfirmations(Desk):
    def due(self, **named: Any) -> list[Reconfirmation]:
        with self.runtime.snapshot("acme", ACTOR) as snap:
            return reconfirmations.due(snap, within=DAYS, **named)[0]


@pytest.fixture
def desk(any_runtime: Runtime, clock: HandClock) -> Reconfirmations:
    return Reconfirmations(any_runtime, clock)


def test_korea_asks_again_after_two_years_and_america_does_not(desk: Reconfirmations) -> None:
    korean, american = desk.person("crm-1", "KR"), desk.person("crm-2", "US")
    for ref in (korean, american):
        desk.say(ref)
    two_years = datetime(2028, 11, 21, 10, tzinfo=UTC)
    desk.clock.at = two_years - timedelta(days=61)
    assert desk.due() == []
    desk.clock.at = two_years - timedelta(days=59)
    (found,) = desk.due()
    assert (found.grant.external_id, found.channel, found.overdue) == ("crm-1", "email", False)
    assert (found.due_at, found.reason.rule) == (two_years, RULE)
    assert found.reason.cites
    desk.clock.at = two_years
    (found,) = desk.due()
    assert (found.due_at, found.overdue) == (two_years, True)


def test_a_confirmation_starts_the_two_years_anew(desk: Reconfirmations) -> None:
    ref = desk.person("crm-1", "KR")
    desk.say(ref)
    desk.clock.at = START + timedelta(days=700)
    assert len(desk.due()) == 1
    desk.say(ref)
    assert desk.due() == []


def test_a_withdrawal_leaves_nothing_to_be_confirmed(desk: Reconfirmations) -> None:
    ref = desk.person("crm-1", "KR")
    desk.say(ref)
    desk.clock.at = START + timedelta(days=700)
    desk.say(ref, "withdrawn")
    assert desk.due() == []


def test_a_consent_given_for_a_time_is_due_when_it_ends_wherever_that_is(desk: Reconfirmations) -> None:
    ref = desk.person("crm-2", "DE")
    ends = START + timedelta(days=100)
    desk.say(ref, expires_at=ends)
    assert desk.due() == []
    desk.clock.forward(timedelta(days=50))
    (found,) = desk.due()
    assert (found.due_at, found.overdue) == (ends, False)


def test_the_list_goes_on_where_a_page_ended(desk: Reconfirmations) -> None:
    for number in range(5):
        ref = desk.person(f"crm-{number}", "US" if number == 2 else "KR")
        desk.say(ref)
        if number % 2:
            desk.clock.forward(timedelta(seconds=1))
    desk.clock.at = START + timedelta(days=740)
    seen: list[str] = []
    after = None
    with desk.runtime.snapshot("acme", ACTOR) as snap:
        for _ in range(10):
            found, after = reconfirmations.due(snap, within=DAYS, after=after, limit=2)
            seen += [each.grant.external_id for each in found]
            if after is None:
                break
    assert sorted(seen) == ["crm-0", "crm-1", "crm-3", "crm-4"]
