"""Caps: their windows, what they count, and what gives a slot back."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from governance.communications import cap_store, capping
from governance.communications import service as communications
from governance.communications.caps import Cap, Window, day_at, first_instant, read_cap
from governance.communications.messages import OutcomeReport
from governance.errors import InvalidError, StaleError
from governance.subjects import service as subjects
from governance.subjects.service import SubjectChange
from tests.conftest import ACTOR

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)  # a Saturday
BODY = {"channel": "email", "message_classes": ["promotional"], "purposes": [], "limit": 2, "window": "P1D"}


def put(crm: Any, cap_id: str = "daily", if_match: int | None = None, **more: Any) -> Cap:
    with crm.runtime.work("acme", ACTOR) as work:
        return capping.put(work, cap_id, {**BODY, **more}, if_match)


def outcome(crm: Any, message_id: str, what: str) -> tuple[str, ...]:
    with crm.runtime.work("acme", ACTOR) as work:
        return communications.outcome(work, message_id, OutcomeReport(what)).consequences


def taken(crm: Any) -> list[int]:
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        rows = snap.connection.execute(cap_store.cap_counter.select()).mappings().all()
    return [row["taken"] for row in rows]


def willing(crm: Any, external_id: str = "crm-1", **named: Any) -> str:
    ref = crm.person(external_id, f"{external_id}@example.org", **named)
    crm.said(ref, "granted", email=f"{external_id}@example.org")
    return ref


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        ("PT12H", (2026, 11, 21, 0), (2026, 11, 21, 12)),
        ("P1D", (2026, 11, 21), (2026, 11, 22)),
        ("P1W", (2026, 11, 16), (2026, 11, 23)),
        ("P7D", (2026, 11, 16), (2026, 11, 23)),
        ("P1M", (2026, 11, 1), (2026, 12, 1)),
        ("P3M", (2026, 10, 1), (2027, 1, 1)),
        ("P1Y", (2026, 1, 1), (2027, 1, 1)),
    ],
)
def test_windows_of_a_length_stand_next_to_each_other(window: str, start: Any, end: Any) -> None:
    found = Cap("c", 1, 1, window).window_at(AT, "America/New_York")
    assert found == Window(datetime(*start, tzinfo=UTC), datetime(*end, tzinfo=UTC))
    assert Cap("c", 1, 1, window).window_at(found.end, None).start == found.end


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("America/New_York", date(2026, 11, 2), 24),
        ("America/Havana", date(2026, 3, 8), 23),  # midnight itself is skipped
        ("America/Havana", date(2026, 11, 1), 25),  # midnight comes twice
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Asia/Kathmandu", date(2026, 10, 4), 24),
        ("Pacific/Apia", date(2011, 12, 29), 24),  # the 30th never was
    ],
)
def test_a_calendar_day_is_as_long_as_the_clocks_make_it(zone: str, day: date, hours: float) -> None:
    place = ZoneInfo(zone)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=place).astimezone(UTC)
    found = day_at(noon, place)
    assert found.end - found.start == timedelta(hours=hours)
    for instant in (found.start, found.end - timedelta(seconds=1)):
        assert instant.astimezone(place).date() == day
    for instant in (found.start - timedelta(seconds=1), found.end):
        assert instant.astimezone(place).date() != day


def test_every_instant_of_a_year_lies_in_exactly_one_day() -> None:
    for zone in ("America/Sao_Paulo", "Africa/Casablanca", "Europe/Paris", "America/Toronto"):
        place = ZoneInfo(zone)
        day = date(2018, 1, 1)
        end = first_instant(day, place)
        for _ in range(365):
            found = day_at(end, place)
            assert found.start == end
            end = found.end


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": 10_001}, "limit"),
        ({"window": "P0D"}, "window"),
        ({"window": "7 days"}, "window"),
        ({"window": "P9999Y"}, "window"),
        ({"window": "P1DT1H"}, "window"),
        ({"channel": "telex"}, "channel"),
        ({"message_classes": ["advert"]}, "message_classes"),
        ({"purposes": "marketing"}, "purposes"),
        ({"active": "yes"}, "active"),
        ({"per": "person"}, "per"),
    ],
)
def test_what_is_no_cap_is_refused_by_member(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidError) as told:
        read_cap("daily", 1, {**BODY, **change}, classes=["promotional"])
    assert list(told.value.fields) == [field]


def test_no_cap_is_there_until_a_tenant_sets_one(crm: Any) -> None:
    willing(crm)
    for number in range(5):
        assert crm.authorise(f"m{number}", "crm-1").allowed
    assert taken(crm) == []


def test_a_full_window_refuses_with_remedy_and_end_and_the_check_agrees(crm: Any) -> None:
    willing(crm)
    put(crm)
    assert crm.authorise("m1", "crm-1").allowed
    assert crm.check("crm-1").allowed
    assert crm.authorise("m2", "crm-1").allowed
    for record in (crm.authorise("m3", "crm-1").record, crm.check("crm-1")):
        assert record.codes == ("frequency-cap",)
        (reason,) = record.verdict.reasons
        assert reason.rule == "caps.daily"
        assert reason.cites == ("House rule: cap daily, version 1",)
        assert "2026-11-22T00:00:00" in reason.remedy
        assert record.next_eligible_at == datetime(2026, 11, 22, tzinfo=UTC)
        assert record.contact_points == ()
    assert crm.check("crm-1", time=datetime(2026, 11, 22, tzinfo=UTC)).allowed
    assert crm.check("crm-1", message_class="newsletter").allowed
    assert taken(crm) == [2]


def test_a_repeat_takes_no_second_slot_and_is_not_refused_by_its_own(crm: Any) -> None:
    willing(crm)
    put(crm, limit=1)
    assert crm.authorise("m1", "crm-1").allowed
    assert crm.authorise("m1", "crm-1").allowed
    assert taken(crm) == [1]
    assert not crm.authorise("m2", "crm-1").allowed


def test_what_policy_denies_takes_no_slot(crm: Any) -> None:
    crm.person("crm-1", "anna@example.org", country="DE")
    put(crm, limit=1)
    assert not crm.authorise("m1", "crm-1").allowed
    assert taken(crm) == []


def test_a_cancelled_message_gives_its_slot_back_exactly_once(crm: Any, clock: Any) -> None:
    willing(crm)
    put(crm, limit=1)
    crm.authorise("m1", "crm-1")
    assert outcome(crm, "m1", "cancelled") == ("slot-given-back",)
    clock.forward(timedelta(seconds=1))
    assert outcome(crm, "m1", "cancelled") == ()
    assert taken(crm) == [0]
    assert crm.authorise("m1", "crm-1").allowed, "the message may be sent after all, and counts again"
    assert taken(crm) == [1]
    assert not crm.authorise("m2", "crm-1").allowed


def test_what_was_delivered_is_not_cancelled_any_more(crm: Any) -> None:
    willing(crm)
    put(crm, limit=1)
    crm.authorise("m1", "crm-1")
    outcome(crm, "m1", "delivered")
    assert outcome(crm, "m1", "cancelled") == ()
    assert taken(crm) == [1]


def test_of_several_caps_the_fullest_refuses_and_none_is_taken(crm: Any) -> None:
    willing(crm)
    put(crm, "a-wide", limit=5, message_classes=[])
    put(crm, "b-narrow", limit=1)
    assert crm.authorise("m1", "crm-1").allowed
    assert crm.authorise("m2", "crm-1").record.codes == ("frequency-cap",)
    assert crm.authorise("m3", "crm-1", message_class="newsletter").allowed
    assert sorted(taken(crm)) == [1, 2]
    with crm.runtime.work("acme", ACTOR) as work:  # the statement itself, without the check before it
        caps = capping.every(work)
        ref = subjects.get(work, "crm-1").subject_ref
        (full,) = capping.take(work, caps, subject_ref=ref, message_ref="msg_x")
        work.record("communications.denied", subject_ref=ref)
    assert full.cap_id == "b-narrow"
    assert sorted(taken(crm)) == [1, 2]


def test_a_calendar_day_ends_at_midnight_where_the_person_is(crm: Any) -> None:
    willing(crm, time_zone="America/New_York")
    put(crm, limit=1, window="calendar_day")
    crm.authorise("m1", "crm-1")
    assert crm.check("crm-1").next_eligible_at == datetime(2026, 11, 22, 5, tzinfo=UTC)


def test_a_changed_cap_counts_from_the_next_question_on(crm: Any) -> None:
    willing(crm)
    put(crm, limit=1)
    crm.authorise("m1", "crm-1")
    with pytest.raises(StaleError):
        put(crm, limit=2)
    put(crm, if_match=1, limit=2)
    assert crm.authorise("m2", "crm-1").allowed
    put(crm, if_match=2, limit=1)
    assert not crm.check("crm-1").allowed
    put(crm, if_match=3, limit=1, active=False)
    assert crm.check("crm-1").allowed


def test_a_merge_counts_both_records_together(crm: Any) -> None:
    put(crm, limit=2)
    gone, into = willing(crm, "crm-1"), willing(crm, "crm-2")
    crm.authorise("m1", "crm-1")
    crm.authorise("m2", "crm-2")
    from governance.consent import service as consents

    with crm.runtime.work("acme", ACTOR) as work:
        consents.merge(work, gone, into)
        capping.merge(work, gone, into)
    assert taken(crm) == [2]
    with crm.runtime.work("acme", ACTOR) as work:
        subjects.put(work, "crm-3", SubjectChange())
    assert outcome(crm, "m1", "cancelled") == ("slot-given-back",)
    assert taken(crm) == [1]


def test_a_screening_says_what_the_single_check_says(crm: Any) -> None:
    from governance.communications import screening_service as screenings

    put(crm, limit=1)
    for number in range(4):
        willing(crm, f"crm-{number}")
    crm.authorise("m1", "crm-1")
    crm.authorise("m3", "crm-3")
    question = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}
    with crm.runtime.work("acme", ACTOR) as work:
        made = screenings.create(work, question, {"all": True})
    screenings.run(crm.runtime, "acme", made.screening_id)
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        done = screenings.find(snap, made.screening_id)
    assert (done.counts.allowed, done.counts.denied) == (2, 2)
    assert done.counts.waterfall == (("frequency-cap", 2),)
