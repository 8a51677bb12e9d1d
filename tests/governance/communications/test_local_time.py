"""What the clock says where the person is, in single checks and in screenings alike."""

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from governance.communications.gate import open_gate
from governance.communications.local_time import Whereabouts, edges, local_facts
from governance.communications.model import ACTION
from governance.communications.store import message
from governance.communications.stream import vectors
from governance.decisions.model import decide
from governance.subjects import service as subjects
from tests.conftest import ACTOR, HandClock

if TYPE_CHECKING:
    from tests.governance.communications.conftest import Crm

CALL = {"channel": "voice", "call_mode": "live"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def consented(crm: "Crm", clock: HandClock, country: str, channel: str, **named: object) -> str:
    """A client who consented to the channel yesterday."""
    ref = crm.person("crm-1", country=country, stage="lead", customer_type="consumer", **named)
    crm.said(ref, "granted", channel=channel)
    return ref


def called(crm: "Crm", ref: str, at: datetime, number: int, status: str = "authorised") -> None:
    """Put a call into the history of messages."""
    row = {
        "tenant_id": "acme",
        "message_id": f"call-{ref}-{number}",
        "message_ref": f"msg_{ref}_{number}",
        "subject_ref": ref,
        "purpose": "marketing",
        "channel": "voice",
        "message_class": "promotional",
        "commercial": True,
        "decision_id": "dec_1",
        "status": status,
        "hand_over_by": at,
        "authorised_at": at,
        "event_id": "evt_1",
    }
    with crm.runtime.work("acme", ACTOR) as work:
        work.record("communications.authorised", subject_ref=ref, facts={"message": f"msg_{ref}_{number}"})
        work.connection.execute(sa.insert(message), row)


def test_one_zone_gives_one_time_and_a_country_gives_all_of_its_times() -> None:
    now = utc("2026-11-22T00:30:59")
    paris = local_facts(Whereabouts("FR"), now)
    assert paris["local.clock"] == (90,)
    assert paris["local.weekday"] == ("sun",)
    somewhere = local_facts(Whereabouts("US"), now)
    assert somewhere["local.clock"] == (14 * 60 + 30, 930, 990, 1050, 1110, 19 * 60 + 30)
    assert somewhere["local.weekday"] == ("sat",)
    assert local_facts(Whereabouts("US", "US-NY"), now)["local.clock"] == (19 * 60 + 30,)
    assert local_facts(Whereabouts("US", None, "America/Phoenix"), now)["local.clock"] == (17 * 60 + 30,)
    assert set(local_facts(Whereabouts(), now).values()) == {None}


def test_a_holiday_and_its_eve_are_those_of_the_day_where_the_person_is() -> None:
    eve = local_facts(Whereabouts("FR"), utc("2026-07-13T21:59:00"))
    assert (eve["local.public_holiday"], eve["local.holiday_eve"]) == (False, True)
    day = local_facts(Whereabouts("FR"), utc("2026-07-13T22:00:00"))
    assert (day["local.public_holiday"], day["local.holiday_eve"]) == (True, False)


def test_edges_give_both_readings_of_a_repeated_hour_and_the_end_of_a_skipped_one() -> None:
    berlin = Whereabouts("DE", None, "Europe/Berlin")
    back = list(edges(berlin, utc("2026-10-24T23:00:00"), utc("2026-10-25T03:00:00"), [150]))
    assert back == [
        utc("2026-10-24T23:00:00"),
        utc("2026-10-25T00:30:00"),
        utc("2026-10-25T01:00:00"),
        utc("2026-10-25T01:30:00"),
    ]
    forward = list(edges(berlin, utc("2026-03-29T00:10:00"), utc("2026-03-29T03:00:00"), [150]))
    assert forward == [utc("2026-03-29T00:10:00"), utc("2026-03-29T01:00:00")]


def test_korea_at_ten_in_the_evening_mail_goes_and_a_text_waits_for_eight(
    small: "Crm", clock: HandClock
) -> None:
    ref = consented(small, clock, "KR", "sms")
    small.said(ref, "granted", channel="email")
    night = utc("2026-12-02T13:00:00")
    assert small.check("crm-1", channel="email", time=night).allowed
    text = small.check("crm-1", channel="sms", time=night)
    assert text.codes == ("quiet-hours",)
    assert text.next_eligible_at == utc("2026-12-02T23:00:00")
    assert small.check("crm-1", channel="sms", time=text.next_eligible_at).allowed


@pytest.mark.parametrize(
    ("region", "zone", "last"),
    [
        ("US-NY", "America/New_York", "2026-12-03T02:00:00"),
        ("US-FL", "America/New_York", "2026-12-03T01:00:00"),
        ("US-CA", "America/Los_Angeles", "2026-12-03T05:00:00"),
    ],
)
def test_american_evenings_end_where_the_person_is(
    small: "Crm", clock: HandClock, region: str, zone: str, last: str
) -> None:
    consented(small, clock, "US", "sms", region=region, time_zone=zone)
    end = utc(last)
    assert small.check("crm-1", channel="sms", time=end - timedelta(minutes=1)).allowed
    refused = small.check("crm-1", channel="sms", time=end)
    assert refused.codes == ("quiet-hours",)
    hour = 12 if region == "US-FL" else 11
    assert refused.next_eligible_at == end + timedelta(hours=hour)


def test_an_american_of_unknown_state_is_written_to_when_it_is_day_everywhere(
    small: "Crm", clock: HandClock
) -> None:
    consented(small, clock, "US", "sms")
    # Ten in Honolulu and Adak is three in the afternoon in New York.
    early = small.check("crm-1", channel="sms", time=utc("2026-12-02T19:59:00"))
    assert early.codes == ("quiet-hours",)
    assert early.next_eligible_at == utc("2026-12-02T20:00:00")
    assert small.check("crm-1", channel="sms", time=utc("2026-12-03T00:59:00")).allowed
    assert not small.check("crm-1", channel="sms", time=utc("2026-12-03T01:00:00")).allowed


def test_a_french_friday_evening_waits_over_the_weekend_and_a_holiday(small: "Crm", clock: HandClock) -> None:
    consented(small, clock, "FR", "voice")
    # Friday 30 April 2027, 20:00; 1 May is a Saturday.
    refused = small.check("crm-1", **CALL, time=utc("2027-04-30T18:00:00"))
    assert refused.codes == ("quiet-hours",)
    assert refused.next_eligible_at == utc("2027-05-03T08:00:00")
    # Thursday 6 May 2027 is Ascension.
    before = small.check("crm-1", **CALL, time=utc("2027-05-05T18:00:00"))
    assert before.next_eligible_at == utc("2027-05-07T08:00:00")
    lunch = small.check("crm-1", **CALL, time=utc("2027-05-07T11:30:00"))
    assert lunch.next_eligible_at == utc("2027-05-07T12:00:00")


def test_a_fifth_attempt_in_france_waits_for_the_first_to_be_30_days_old(
    crm: "Crm", clock: HandClock
) -> None:
    ref = consented(crm, clock, "FR", "voice")
    now = utc("2026-12-02T10:00:00")
    first = now - timedelta(days=20)
    for number, at in enumerate([first, *(now - timedelta(days=day) for day in (3, 2))]):
        called(crm, ref, at, number)
    called(crm, ref, now - timedelta(days=1), 7, status="cancelled")
    assert crm.check("crm-1", **CALL, time=now).allowed
    called(crm, ref, now - timedelta(days=1), 8)
    fifth = crm.check("crm-1", **CALL, time=now)
    assert fifth.codes == ("frequency-cap",)
    # 20 days ago it was a Thursday at 11 in Paris, and so it is 30 days later, on a Saturday: Monday it is.
    assert first + timedelta(days=30) == utc("2026-12-12T10:00:00")
    assert fifth.next_eligible_at == utc("2026-12-14T09:00:00")


def test_60_days_of_rest_after_a_refusal_although_the_person_agreed_since(
    small: "Crm", clock: HandClock
) -> None:
    ref = small.person("crm-1", country="FR", customer_type="consumer")
    refused_at = clock.now() - timedelta(days=1)
    small.said(ref, "refused", channel="voice", occurred_at=refused_at)
    small.said(ref, "granted", channel="voice")
    early = refused_at + timedelta(days=59)
    found = small.check("crm-1", **CALL, time=early)
    assert "cool-off" in found.codes
    assert found.next_eligible_at is not None
    assert timedelta(0) <= found.next_eligible_at - (refused_at + timedelta(days=60)) < timedelta(days=4)
    assert small.check("crm-1", **CALL, time=found.next_eligible_at).allowed


def test_nobody_waits_for_the_clock_who_lacks_consent(small: "Crm", clock: HandClock) -> None:
    small.person("crm-1", country="KR")
    refused = small.check("crm-1", channel="sms", time=utc("2026-12-02T13:00:00"))
    assert set(refused.codes) == {"consent-missing", "quiet-hours"}
    assert refused.next_eligible_at is None


PLACES = [
    *[("US", "US-FL", None), ("US", "US-NY", "America/New_York"), ("US", None, None)],
    *[("US", "US-TX", "America/Chicago"), ("FR", None, None), ("FR", None, "Indian/Reunion")],
    *[("AU", "AU-WA", None), ("AU", None, None), ("IT", None, None), ("KR", None, None)],
    *[("ES", "ES-CN", None), ("CA", "CA-ON", None), (None, None, None), (None, None, "Asia/Tokyo")],
]


@pytest.mark.parametrize("channel", ["voice", "sms"])
def test_stream_and_check_agree_on_local_time_calls_and_rest(
    crm: "Crm", clock: HandClock, channel: str
) -> None:
    world = random.Random(7)
    for number in range(60):
        country, region, zone = world.choice(PLACES)
        ref = crm.person(
            f"crm-{number}",
            country=country,
            region=region,
            time_zone=zone,
            customer_type=world.choice(["consumer", "business", None]),
        )
        for status in world.choice([(), ("granted",), ("granted",), ("refused", "granted")]):
            ago = timedelta(days=world.choice([1, 40, 59, 61])) if status == "refused" else timedelta(0)
            crm.said(ref, status, channel=channel, occurred_at=clock.now() - ago)
        for call in range(world.choice([0, 0, 3, 4, 5])):
            hours = world.choice([2, 23, 25, 700, 719, 721])
            called(crm, ref, clock.now() - timedelta(hours=hours), call)
    properties = {"channel": channel, "call_mode": "live" if channel == "voice" else None}
    outcomes = set()
    for hours in (0, 5, 11, 16, 30, 50):
        with crm.runtime.snapshot("acme", ACTOR) as snap:
            gate = open_gate(snap)
            policy = gate.ground.policy
            at = snap.now + timedelta(hours=hours)
            asked = gate.asked(crm.request("crm-0", **properties))
            for ref, found in vectors(
                snap.connection,
                "acme",
                asked,
                policy,
                at,
                evaluate=lambda vector: decide(policy, ACTION, vector),  # noqa: B023
            ):
                person = subjects.get_by_ref(snap, ref).external_id
                checked = gate.check(crm.request(person, time=at, **properties))
                streamed = {reason.code for _, verdict in found for reason in verdict.reasons}
                assert streamed == set(checked.codes), (person, hours)
                outcomes |= streamed or {"allowed"}
    wanted = {"quiet-hours", "allowed", "consent-missing"}
    assert outcomes >= (wanted | {"frequency-cap", "cool-off"} if channel == "voice" else wanted)
