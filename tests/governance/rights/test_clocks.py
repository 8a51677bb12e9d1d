"""Named days: what the shipped clocks say of them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from governance.errors import ConflictError, InvalidError
from governance.rights.clocks import Ask, Clock, Course, Extended, Reading, check_ask, check_extension, read
from governance.rights.regime_files import law
from governance.rights.regimes import choose

RULES = law(None)


def clock_of(regime: str, type_: str, received: datetime) -> Clock:
    clock = RULES.regimes.get(regime).clock(type_, received)
    assert clock is not None
    return clock


def at(year: int, month: int, day: int, hour: int = 9) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def reading(
    regime: str,
    received: datetime,
    *,
    type_: str = "access",
    zone: str = "UTC",
    holidays_of: str | None = None,
    asks: Sequence[Ask] = (),
    extended: Sequence[Extended] = (),
    now: datetime | None = None,
) -> Reading:
    course = Course(type_, received, zone, holidays_of, tuple(asks), tuple(extended))
    return read(clock_of(regime, type_, received), course, now or received)


def test_a_month_from_31_january_ends_with_february_and_is_never_chained() -> None:
    received = at(2028, 1, 31)
    assert reading("eu-gdpr", received).due_on == date(2028, 2, 29)
    extended = reading("eu-gdpr", received, extended=[Extended(at(2028, 2, 10))])
    assert extended.due_on == date(2028, 5, 1), "30 April is a Sunday, and 29 April would be chained"


def test_a_period_of_the_gdpr_that_ends_on_a_day_off_ends_on_the_next_working_day() -> None:
    received = at(2026, 11, 25)
    found = reading("eu-gdpr", received, zone="Europe/Berlin", holidays_of="DE")
    assert found.due_on == date(2026, 12, 28), "25 and 26 December are holidays, the 27th is a Sunday"
    assert found.due_at == datetime(2026, 12, 28, 23, tzinfo=UTC)
    assert reading("elsewhere", received).due_on == date(2026, 12, 25), "only where the row says so"


def test_a_month_of_the_uk_begins_with_the_day_itself() -> None:
    assert reading("uk-gdpr", at(2026, 3, 10)).due_on == date(2026, 4, 9)
    assert reading("uk-gdpr", at(2026, 3, 31)).due_on == date(2026, 4, 30)


def test_a_request_to_the_uk_from_before_february_2026_keeps_its_old_clock() -> None:
    old, new = at(2026, 2, 4), at(2026, 2, 5)
    asked = [Ask("identity", at(2026, 2, 10), at(2026, 3, 1))]
    assert reading("uk-gdpr", old, asks=asked).due_on == date(2026, 3, 3)
    assert reading("uk-gdpr", new, asks=asked).due_on == date(2026, 3, 31)


def test_the_uk_clock_starts_at_the_latest_of_receipt_identity_and_fee() -> None:
    received = at(2026, 4, 1)
    identity = Ask("identity", at(2026, 4, 2), at(2026, 4, 8))
    fee = Ask("fee", at(2026, 4, 2), at(2026, 4, 20))
    assert reading("uk-gdpr", received, asks=[identity]).starts_on == date(2026, 4, 8)
    assert reading("uk-gdpr", received, asks=[identity, fee]).due_on == date(2026, 5, 19)
    waits = reading("uk-gdpr", received, asks=[Ask("fee", at(2026, 4, 2))], now=at(2026, 6, 1))
    assert (waits.paused, waits.waits_for, waits.starts_on) == (True, "fee", date(2026, 6, 1))


def test_a_pause_for_clarification_takes_its_days_out_of_both_windows_for_access_in_the_uk() -> None:
    received = at(2026, 4, 1)
    plain = reading("uk-gdpr", received)
    asks = [Ask("clarification", at(2026, 4, 10), at(2026, 4, 14))]
    paused = reading("uk-gdpr", received, asks=asks)
    assert plain.extend_by is not None
    assert paused.due_at - plain.due_at == timedelta(days=5), "from the day of asking to that of the answer"
    assert paused.extend_by == plain.extend_by + timedelta(days=5)
    assert not paused.paused
    waits = reading("uk-gdpr", received, asks=[Ask("clarification", at(2026, 4, 10))], now=at(2026, 4, 12))
    assert (waits.paused, waits.due_at - plain.due_at) == (True, timedelta(days=3))
    erasure = clock_of("uk-gdpr", "erasure", received)
    assert (
        read(erasure, Course("erasure", received, "UTC", None, tuple(asks)), received).due_at == plain.due_at
    )
    with pytest.raises(ConflictError, match="goes on running"):
        check_ask(erasure, "erasure", "clarification")
    with pytest.raises(ConflictError):
        check_ask(clock_of("eu-gdpr", "access", received), "access", "clarification")


def test_two_pauses_that_overlap_take_each_day_out_once() -> None:
    asks = [
        Ask("clarification", at(2026, 4, 10), at(2026, 4, 14)),
        Ask("clarification", at(2026, 4, 13), at(2026, 4, 16)),
    ]
    plain, paused = reading("uk-gdpr", at(2026, 4, 1)), reading("uk-gdpr", at(2026, 4, 1), asks=asks)
    assert paused.due_at - plain.due_at == timedelta(days=7)


def test_california_acknowledges_in_business_days_and_answers_in_calendar_days() -> None:
    received = at(2026, 11, 21, 20)  # a Saturday in California too
    found = reading("us-ca", received, zone="America/Los_Angeles", holidays_of="US")
    assert found.acknowledge_by == datetime(2026, 12, 8, 8, tzinfo=UTC), "Thanksgiving does not count"
    assert found.due_on == date(2027, 1, 5)
    assert found.extension_until == datetime(2027, 2, 20, 8, tzinfo=UTC)
    asks = [Ask("identity", at(2026, 11, 22), at(2026, 12, 20))]
    late = reading("us-ca", received, zone="America/Los_Angeles", holidays_of="US", asks=asks)
    assert late.due_on == found.due_on, "regardless of the time needed to verify"
    opt_out = reading(
        "us-ca", received, type_="opt_out_of_sale", zone="America/Los_Angeles", holidays_of="US"
    )
    assert (opt_out.due_on, opt_out.acknowledge_by) == (date(2026, 12, 14), None)


def test_an_extension_is_lawful_on_the_last_day_and_refused_a_day_late() -> None:
    received = at(2026, 11, 23)
    clock = clock_of("eu-gdpr", "access", received)
    found = read(clock, Course("access", received, "Europe/Berlin", "DE"), received)
    last = datetime(2026, 12, 23, 22, 59, 59, tzinfo=UTC)
    assert found.extend_by == datetime(2026, 12, 23, 23, tzinfo=UTC)
    check_extension(clock, found, last, None)
    with pytest.raises(ConflictError) as late:
        check_extension(clock, found, found.extend_by, None)
    assert late.value.reason == "too-late"
    again = read(clock, Course("access", received, "Europe/Berlin", "DE", (), (Extended(last),)), last)
    assert again.due_on == date(2027, 2, 23)
    with pytest.raises(ConflictError) as twice:
        check_extension(clock, again, last, None)
    assert twice.value.reason == "already-extended"


def test_where_the_law_leaves_the_day_open_it_is_named_and_elsewhere_it_is_not() -> None:
    received = at(2026, 6, 1)
    swiss = clock_of("ch-fadp", "access", received)
    found = read(swiss, Course("access", received, "Europe/Zurich"), received)
    assert found.due_on == date(2026, 7, 1)
    for until in (None, date(2026, 7, 1)):
        with pytest.raises(ConflictError, match="day"):
            check_extension(swiss, found, received, until)
    check_extension(swiss, found, received, date(2026, 8, 1))
    told = Extended(at(2026, 6, 20), date(2026, 8, 1))
    after = read(swiss, Course("access", received, "Europe/Zurich", None, (), (told,)), received)
    assert after.due_on == date(2026, 8, 1)
    florida = clock_of("us-fl", "access", received)
    with pytest.raises(ConflictError, match="until"):
        check_extension(
            florida, read(florida, Course("access", received, "UTC"), received), received, told.until
        )


def test_swiss_access_with_a_fee_starts_when_the_time_to_think_is_over() -> None:
    received = at(2026, 6, 1)
    asks = [Ask("fee", at(2026, 6, 3), at(2026, 6, 8))]
    found = reading("ch-fadp", received, zone="Europe/Zurich", asks=asks)
    assert (found.starts_on, found.due_on) == (date(2026, 6, 13), date(2026, 7, 13))
    waits = reading("ch-fadp", received, zone="Europe/Zurich", asks=[Ask("fee", at(2026, 6, 3))])
    assert waits.waits_for == "fee"


def test_brazil_quebec_and_korea_give_no_extension_and_korean_reviews_give_two() -> None:
    received = at(2026, 6, 1)
    for regime, days in (("br-lgpd", 15), ("ca-qc", 30), ("kr-pipa", 10)):
        clock = clock_of(regime, "access", received)
        found = read(clock, Course("access", received, "UTC"), received)
        assert found.due_on == received.date() + timedelta(days=days)
        with pytest.raises(ConflictError) as refused:
            check_extension(clock, found, received, None)
        assert refused.value.reason == "no-extension"
    extended = [Extended(received), Extended(at(2026, 7, 20))]
    review = reading("kr-pipa", received, type_="human_review", extended=extended)
    assert review.due_on == received.date() + timedelta(days=90)


def test_three_times_twenty_four_hours_end_in_a_moment() -> None:
    assert reading("id-pdp", at(2026, 6, 5, 17)).due_at == at(2026, 6, 8, 17)


def test_a_complaint_in_the_uk_is_acknowledged_in_thirty_days_beginning_with_the_first() -> None:
    found = reading("uk-gdpr", at(2026, 7, 1), type_="complaint")
    assert found.acknowledge_by == at(2026, 7, 31, 0)


def test_appeals_have_clocks_of_their_own_and_some_laws_give_none() -> None:
    received = at(2026, 6, 1)
    for regime, days, more in (
        ("us-va", 60, None),
        ("us-co", 45, 60),
        ("us-or", 45, None),
        ("us-ia", 60, None),
    ):
        appeal = RULES.regimes.get(regime).appeal
        assert appeal is not None
        found = reading(regime, received, type_="appeal")
        assert found.due_on == received.date() + timedelta(days=days), regime
        assert (found.extension_until is not None) == (more is not None)
    without = {"eu-gdpr", "us-ca", "us-ut", "us-al", "us-other"}
    assert all(RULES.regimes.get(each).appeal is None for each in without)


def test_states_have_their_own_periods() -> None:
    received = at(2026, 6, 1)
    assert reading("us-ia", received).due_on == received.date() + timedelta(days=90)
    florida = reading("us-fl", received, extended=[Extended(received)])
    assert florida.due_on == received.date() + timedelta(days=60)


@pytest.mark.parametrize(
    ("place", "regime"),
    [
        (("DE", None), "eu-gdpr"),
        (("NO", None), "eu-gdpr"),
        (("GB", None), "uk-gdpr"),
        (("US", "US-CA"), "us-ca"),
        (("US", "US-NY"), "us-other"),
        (("US", "US-OK"), "us-other"),  # its act is in force from 2027
        (("US", None), "us-ca"),  # the strictest of the states
        (("CA", "CA-QC"), "ca-qc"),
        (("CA", "CA-ON"), "ca-pipeda"),
        (("CA", None), "ca-qc"),  # the same thirty days, but no extension
        (("IN", None), "elsewhere"),  # operative from May 2027
        (("AE", None), "elsewhere"),
    ],
)
def test_the_place_decides_and_the_strictest_where_it_is_not_known(
    place: tuple[str, str | None], regime: str
) -> None:
    now = at(2026, 11, 21)
    chosen = choose(RULES.regimes, "access", now, [place], now, home="US")
    assert chosen.regime.id == regime


def test_of_several_places_the_strictest_law_is_taken_and_a_given_one_is_obeyed() -> None:
    now = at(2026, 11, 21)
    both = [("DE", None), ("KR", None)]
    assert choose(RULES.regimes, "access", now, both, now).regime.id == "kr-pipa"
    assert choose(RULES.regimes, "access", now, both, now, given="us-va").regime.id == "us-va"
    nowhere = choose(RULES.regimes, "access", now, [(None, None)], now, home="US")
    assert nowhere.regime.id == "eu-gdpr", "a month is shorter than 45 days"
    with pytest.raises(InvalidError, match="not known"):
        choose(RULES.regimes, "access", now, both, now, given="nowhere")
    with pytest.raises(InvalidError, match="in force"):
        choose(RULES.regimes, "access", now, both, now, given="in-dpdp")


def test_of_several_zones_the_one_that_ends_first_is_taken() -> None:
    now = datetime(2026, 6, 1, 4, 30, tzinfo=UTC)  # still May in the West
    chosen = choose(RULES.regimes, "access", now, [("US", "US-TX")], now)
    found = choose(RULES.regimes, "access", now, [("US", "US-TX")], now, zone="America/Denver")
    assert chosen.reading.due_at <= found.reading.due_at


def test_every_rule_cites_a_clause_and_only_what_was_read_whole_counts_as_checked() -> None:
    assert len(RULES.regimes.every) >= 40
    for regime in RULES.regimes.every.values():
        for clock in regime.clocks:
            assert clock.ground.cites
            assert clock.ground.source
    checked = {
        each.id for each in RULES.regimes.every.values() if any(c.ground.verified for c in each.clocks)
    }
    assert checked == {"eu-gdpr", "uk-gdpr", "ch-fadp", "us-ca", "us-fl", "ca-pipeda"}
