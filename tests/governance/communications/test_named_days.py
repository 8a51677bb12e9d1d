"""The days and hours that the laws name, each lived through: the clock stands there, the acts are real.

Every answer is asked for twice, of one person and in a screening of everybody, and must be the same.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from governance.communications import registers
from governance.communications import service as communications
from governance.communications.gate import open_gate
from governance.communications.messages import OutcomeReport
from governance.communications.model import ACTION
from governance.communications.stream import vectors
from governance.decisions.model import decide
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.service import SubjectChange
from tests.conftest import ACTOR, HandClock

if TYPE_CHECKING:
    from tests.governance.communications.conftest import Crm

PHONE = "+33612345678"
CALL: dict[str, Any] = {"channel": "voice", "call_mode": "live"}
ALLOWED: set[str] = set()


def on(clock: HandClock, text: str, zone: str = "UTC") -> datetime:
    """Let the clock stand at this wall time of a place."""
    clock.at = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return clock.at


def codes(crm: "Crm", **asked: Any) -> set[str]:
    """Why crm-1 may not be reached now; nothing if it may."""
    found = crm.check("crm-1", **asked)
    assert found.allowed is not bool(found.codes)
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        gate = open_gate(snap)
        policy = gate.ground.policy
        people = vectors(
            snap.connection,
            "acme",
            gate.asked(crm.request("crm-1", **asked)),
            policy,
            snap.now,
            evaluate=lambda vector: decide(policy, ACTION, vector),
        )
        ((_, worlds),) = list(people)
    assert {reason.code for _, verdict in worlds for reason in verdict.reasons} == set(found.codes)
    return set(found.codes)


def consumer(crm: "Crm", clock: HandClock, *, consent: bool = True) -> str:
    """A consumer in France with a telephone, who consented to calls or not."""
    change = SubjectChange(
        identifiers=[Identifier("phone", PHONE)],
        country="FR",
        customer_type="consumer",
        relationship="client",
    )
    with crm.runtime.work("acme", ACTOR) as work:
        ref = subjects.put(work, "crm-1", change).subject_ref
    if consent:
        crm.said(ref, "granted", channel="voice")
    return ref


def happened(crm: "Crm", ref: str, event: str, at: datetime) -> None:
    with crm.runtime.work("acme", ACTOR) as work:
        subjects.record_event(work, ref, event=event, occurred_at=at)


# -- France


def test_france_a_consumer_call_on_10_august_2026_and_on_12_august_2026(
    small: "Crm", clock: HandClock
) -> None:
    on(clock, "2026-08-10T09:00", "Europe/Paris")
    ref = consumer(small, clock, consent=False)
    with small.runtime.work("acme", ACTOR) as work:
        registers.record(work, "bloctel", Identifier("phone", PHONE), checked_at=None, listed=False)
    # Until the eleventh a number that was looked up and is not in the list may be called.
    on(clock, "2026-08-10T11:00", "Europe/Paris")
    assert codes(small, **CALL) == ALLOWED
    assert small.authorise("m-1", "crm-1", **CALL).allowed
    # From the eleventh on only prior consent counts, or the contract that is being performed.
    on(clock, "2026-08-12T11:00", "Europe/Paris")
    assert codes(small, **CALL) == {"consent-missing"}
    assert not small.authorise("m-2", "crm-1", **CALL).allowed
    small.said(ref, "granted", channel="voice")
    assert codes(small, **CALL) == ALLOWED
    assert small.authorise("m-3", "crm-1", **CALL).allowed


@pytest.mark.parametrize(
    ("wall", "expected"),
    [
        ("09:59", {"quiet-hours"}),
        ("10:00", ALLOWED),
        ("12:59", ALLOWED),
        ("13:00", {"quiet-hours"}),
        ("13:30", {"quiet-hours"}),
        ("14:00", ALLOWED),
        ("19:59", ALLOWED),
        ("20:00", {"quiet-hours"}),
    ],
)
def test_france_monday_at_noon(small: "Crm", clock: HandClock, wall: str, expected: set[str]) -> None:
    consumer(small, clock)
    now = on(clock, f"2026-11-23T{wall}", "Europe/Paris")
    assert codes(small, **CALL) == expected
    if wall in ("13:00", "13:30"):
        later = small.check("crm-1", **CALL).next_eligible_at
        assert later == now.replace(hour=13, minute=0), "14:00 in Paris"


def test_france_the_fifth_attempt_within_30_days(small: "Crm", clock: HandClock) -> None:
    consumer(small, clock)
    first = on(clock, "2026-11-23T10:30", "Europe/Paris")
    for number in range(4):
        assert codes(small, **CALL) == ALLOWED
        assert small.authorise(f"m-{number}", "crm-1", **CALL).allowed
        clock.forward(timedelta(days=1))
    assert codes(small, **CALL) == {"frequency-cap"}
    fifth = small.authorise("m-5", "crm-1", **CALL)
    assert not fifth.allowed
    # The first was on 23 November; 30 days later it is the 23rd of December, a Wednesday.
    assert small.check("crm-1", **CALL).next_eligible_at == first + timedelta(days=30)
    clock.at = first + timedelta(days=30) - timedelta(minutes=1)
    assert "frequency-cap" in codes(small, **CALL)
    clock.at = first + timedelta(days=30)
    assert codes(small, **CALL) == ALLOWED
    assert small.authorise("m-6", "crm-1", **CALL).allowed


def test_france_a_call_that_was_cancelled_is_no_attempt(small: "Crm", clock: HandClock) -> None:
    consumer(small, clock)
    on(clock, "2026-11-23T10:30", "Europe/Paris")
    made = [small.authorise(f"m-{number}", "crm-1", **CALL) for number in range(4)]
    assert codes(small, **CALL) == {"frequency-cap"}
    assert made[0].message is not None
    with small.runtime.work("acme", ACTOR) as work:
        communications.outcome(work, made[0].message.message_id, OutcomeReport("cancelled"))
    assert codes(small, **CALL) == ALLOWED


def test_france_day_59_and_day_61_after_a_refusal(small: "Crm", clock: HandClock) -> None:
    friday = on(clock, "2026-09-04T11:30", "Europe/Paris")
    ref = consumer(small, clock)
    small.said(ref, "refused", channel="voice")
    assert codes(small, **CALL) == {"consent-refused", "cool-off"}
    # The person consents again soon after; the rest goes on all the same.
    clock.at = friday + timedelta(days=2)
    small.said(ref, "granted", channel="voice")
    clock.at = friday + timedelta(days=59)
    assert codes(small, **CALL) == {"cool-off"}
    assert small.check("crm-1", **CALL).next_eligible_at == friday + timedelta(days=60)
    clock.at = friday + timedelta(days=61)
    assert codes(small, **CALL) == ALLOWED


# -- Canada

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("event", "began", "ends"),
    [
        ("purchase", "2024-12-15T16:00", "2026-12-15T16:00"),
        ("purchase", "2024-02-29T16:00", "2026-02-28T16:00"),
        ("inquiry", "2026-06-15T16:00", "2026-12-15T16:00"),
        ("inquiry", "2026-08-31T16:00", "2027-02-28T16:00"),
        ("contract_ended", "2024-12-15T16:00", "2026-12-15T16:00"),
        ("subscription_ended", "2024-12-15T16:00", "2026-12-15T16:00"),
    ],
)
def test_canada_the_last_and_the_first_day_after_24_and_6_months(
    small: "Crm", clock: HandClock, event: str, began: str, ends: str
) -> None:
    began_at = on(clock, began)
    ref = small.person("crm-1", "a@example.org", country="CA", stage="lead")
    happened(small, ref, event, began_at)
    end = on(clock, ends)
    clock.at = end - MINUTE
    assert codes(small) == ALLOWED
    assert small.authorise("m-1", "crm-1").allowed
    clock.at = end
    assert codes(small) == {"consent-missing"}
    assert not small.authorise("m-2", "crm-1").allowed


def test_canada_a_contract_in_force_and_two_years_from_its_end(small: "Crm", clock: HandClock) -> None:
    began = on(clock, "2020-01-10T16:00")
    ref = small.person("crm-1", "a@example.org", country="CA", stage="client")
    happened(small, ref, "contract_signed", began)
    on(clock, "2026-11-23T16:00")
    assert codes(small) == ALLOWED
    ended = clock.at
    happened(small, ref, "contract_ended", ended)
    clock.at = ended.replace(year=2028) - MINUTE
    assert codes(small) == ALLOWED
    clock.at = ended.replace(year=2028)
    assert codes(small) == {"consent-missing"}


def test_canada_a_subscription_counts_from_its_end_not_from_its_purchase(
    small: "Crm", clock: HandClock
) -> None:
    began = on(clock, "2022-01-10T16:00")
    ref = small.person("crm-1", "a@example.org", country="CA", stage="client")
    happened(small, ref, "subscription_started", began)
    happened(small, ref, "purchase", began)
    ended = on(clock, "2026-11-23T16:00")
    assert codes(small) == ALLOWED, "in force, and bought almost five years ago"
    happened(small, ref, "subscription_ended", ended)
    clock.at = ended.replace(year=2028) - MINUTE
    assert codes(small) == ALLOWED
    clock.at = ended.replace(year=2028)
    assert codes(small) == {"consent-missing"}


# -- Korea


@pytest.mark.parametrize("channel", ["email", "sms", "push"])
def test_korea_at_22_with_and_without_consent_to_the_night(
    small: "Crm", clock: HandClock, channel: str
) -> None:
    on(clock, "2026-11-23T20:59", "Asia/Seoul")
    ref = small.person("crm-1", country="KR")
    small.said(ref, "granted", channel=channel)
    assert codes(small, channel=channel) == ALLOWED
    on(clock, "2026-11-23T22:00", "Asia/Seoul")
    assert codes(small, channel=channel) == (ALLOWED if channel == "email" else {"quiet-hours"})
    small.said(ref, "granted", channel=channel, night=True)
    assert codes(small, channel=channel) == ALLOWED
    assert small.authorise("m-1", "crm-1", channel=channel).allowed
    clock.forward(MINUTE)
    small.said(ref, "withdrawn", channel=channel, night=True)
    assert codes(small, channel=channel) == (ALLOWED if channel == "email" else {"quiet-hours"})
    if channel != "email":
        on(clock, "2026-11-24T07:59", "Asia/Seoul")
        assert codes(small, channel=channel) == {"quiet-hours"}
    on(clock, "2026-11-24T08:00", "Asia/Seoul")
    assert codes(small, channel=channel) == ALLOWED


def test_korea_consent_to_the_night_alone_is_no_consent(small: "Crm", clock: HandClock) -> None:
    on(clock, "2026-11-23T22:00", "Asia/Seoul")
    ref = small.person("crm-1", country="KR")
    small.said(ref, "granted", channel="sms", night=True)
    assert codes(small, channel="sms") == {"consent-missing"}
    clock.forward(MINUTE)
    small.said(ref, "granted", channel="sms")
    assert codes(small, channel="sms") == ALLOWED
    clock.forward(MINUTE)
    small.said(ref, "withdrawn", channel="sms")
    clock.forward(MINUTE)
    small.said(ref, "granted", channel="sms")
    assert codes(small, channel="sms") == {"quiet-hours"}, "what was withdrawn with the rest is not back"


# -- United States


@pytest.mark.parametrize("asked", [{"channel": "sms"}, CALL], ids=["text", "call"])
@pytest.mark.parametrize(
    ("region", "zone", "wall", "expected"),
    [
        ("US-NY", "America/New_York", "20:59", ALLOWED),
        ("US-NY", "America/New_York", "21:00", {"quiet-hours"}),
        ("US-CA", "America/Los_Angeles", "20:59", ALLOWED),
        ("US-CA", "America/Los_Angeles", "21:00", {"quiet-hours"}),
        ("US-NY", "America/New_York", "07:59", {"quiet-hours"}),
        ("US-NY", "America/New_York", "08:00", ALLOWED),
        ("US-FL", "America/New_York", "19:59", ALLOWED),
        ("US-FL", "America/New_York", "20:00", {"quiet-hours"}),
        # The Florida of the panhandle keeps Central time: what counts is where the person is.
        ("US-FL", "America/Chicago", "19:59", ALLOWED),
        ("US-FL", "America/Chicago", "20:00", {"quiet-hours"}),
    ],
)
def test_united_states_20_59_and_21_00_where_the_person_is_and_florida_20_00(
    small: "Crm",
    clock: HandClock,
    asked: dict[str, Any],
    region: str,
    zone: str,
    wall: str,
    expected: set[str],
) -> None:
    ref = small.person("crm-1", country="US", region=region, time_zone=zone)
    small.said(ref, "granted", channel=asked["channel"])
    on(clock, f"2026-11-24T{wall}", zone)
    assert codes(small, **asked) == expected
