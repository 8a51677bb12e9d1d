"""Quiet hours where the person is: nothing inside a window, and the next moment exact to the minute.

The oracle walks minute by minute and asks `zoneinfo` what the clock on the wall says; it knows nothing of the
product's edges, stretches and buckets.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest

from governance.communications import eligibility
from governance.communications.asked import Asked
from governance.communications.model import ACTION
from governance.communications.situations import TIME_ZONE, Situation
from governance.consent.model import Question
from governance.decisions.model import Verdict, decide
from governance.decisions.record import merged
from governance.policy.compiled import CompiledPolicy, compile_policy
from governance.policy.loader import check_documents, read_documents

POLICIES = Path(__file__).parents[2] / "policies"
SAMPLE = Path(__file__).parent / "quiet_hours"
MINUTE = timedelta(minutes=1)
ZONES = [
    *("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns"),
    *("Africa/Casablanca", "Africa/Cairo", "Asia/Beirut", "America/Havana"),
    *("Pacific/Chatham", "Antarctica/Troll", "America/Santiago", "Asia/Kathmandu"),
]
ALL = sorted(zone for zone in available_timezones() if zone not in {"Factory", "localtime", "posixrules"})

Forbidden = Callable[[datetime], bool]
"""Whether the clock on the wall (a local time) lies in a forbidden window."""


def clock(local: datetime) -> int:
    return local.hour * 60 + local.minute


WINDOWS: dict[str, Forbidden] = {
    "promotional": lambda local: 90 <= clock(local) < 150,
    "newsletter": lambda local: clock(local) >= 1380 or clock(local) < 120,
    "customer_offer": lambda local: not 120 <= clock(local) < 180,
    "survey": lambda local: local.weekday() == 6 or clock(local) < 30,
}


@pytest.fixture(scope="module")
def policy() -> CompiledPolicy:
    return compile_policy(check_documents(read_documents(POLICIES, SAMPLE), proven=False))


class Person:
    """Somebody in a zone who is asked about at many instants."""

    def __init__(self, policy: CompiledPolicy, zone: str, message_class: str) -> None:
        self.policy = policy
        self.situation = Situation(
            "sub_1",
            "crm-1",
            {
                "person.known": True,
                "person.restricted": False,
                "person.erasure_pending": False,
                "person.erased": False,
                "person.country": "MX",
                "stage.relationship": "dormant",
                TIME_ZONE: zone,
            },
        )
        facts: dict[str, Any] = {
            "message.channel": "push",
            "message.class": message_class,
            "message.commercial": True,
            "message.contains_promotion": False,
            "message.in_reply_to": False,
            "purpose.state": "active",
            "purpose.allows_class": True,
        }
        self.asked = Asked(facts, Question(purpose="marketing", channel="push"), "push_token")
        self.verdicts: dict[Any, Verdict] = {}

    def at(self, instant: datetime) -> Verdict:
        answers = []
        for world in self.situation.worlds(self.asked, instant):
            vector = self.policy.bucketed(ACTION, world.facts, instant)
            if vector not in self.verdicts:
                self.verdicts[vector] = decide(self.policy, ACTION, vector)
            answers.append(self.verdicts[vector])
        return merged(answers)

    def next(self, now: datetime) -> datetime | None:
        worlds = self.situation.worlds(self.asked, now)
        return eligibility.next_eligible_at(
            self.policy,
            self.situation,
            worlds,
            now,
            lambda instant: eligibility.outlook_of(self.policy, self.at(instant)),
        )


def transitions(zone: ZoneInfo) -> Iterator[datetime]:
    """The hours of 2024 to 2030 before which the distance from UTC changed; without one, two plain days."""
    at, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
    before, found = at.astimezone(zone).utcoffset(), False
    while at < end:
        at += timedelta(hours=1)
        after = at.astimezone(zone).utcoffset()
        if after != before:
            found = True
            yield at
        before = after
    if not found:
        yield datetime(2024, 2, 29, tzinfo=UTC)
        yield datetime(2026, 3, 29, 1, tzinfo=UTC)


def look_around(policy: CompiledPolicy, name: str, asked_every: int, years: range) -> int:
    """Compare three hours on each side of every change, minute by minute; how many minutes were compared."""
    zone, compared = ZoneInfo(name), 0
    people = {message_class: Person(policy, name, message_class) for message_class in WINDOWS}
    for change in (each for each in transitions(zone) if each.year in years):
        for step in range(-180, 181):
            instant = change + step * MINUTE
            local = instant.astimezone(zone)
            for message_class, forbidden in WINDOWS.items():
                person = people[message_class]
                allowed = person.at(instant).allowed
                assert allowed != forbidden(local), (name, message_class, instant)
                compared += 1
                if not allowed and step % asked_every == 0:
                    found = person.next(instant)
                    assert found is not None
                    at = instant
                    while forbidden(at.astimezone(zone)):
                        at += MINUTE
                    assert at == found, (name, message_class, instant, found, at)
    return compared


@pytest.mark.parametrize("zone", ZONES)
def test_nothing_is_sent_inside_a_window_around_changes_of_the_clock(
    policy: CompiledPolicy, zone: str
) -> None:
    assert look_around(policy, zone, 45, range(2026, 2027)) >= 361 * len(WINDOWS)


@pytest.mark.full
@pytest.mark.parametrize("zone", ALL)
def test_nothing_is_sent_inside_a_window_in_any_zone(policy: CompiledPolicy, zone: str) -> None:
    assert look_around(policy, zone, 30, range(2024, 2031)) >= 361 * len(WINDOWS)
