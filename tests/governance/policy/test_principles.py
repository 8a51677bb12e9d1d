"""The principles of retention: who wins, until when, and why the others lost."""

import random
from datetime import date, timedelta

import pytest

from governance.calendar import end_of_year, local_day
from governance.policy.durations import parse_duration
from governance.policy.principles import OPEN, carried, last_day, weigh
from governance.policy.schedules import RUNNING, Anchor, Circumstances, Demand, ScheduleRule, Then
from tests.conftest import START

TODAY = date(2026, 11, 21)


def rule(name: str, demand: str, period: str | None = None, **said: object) -> ScheduleRule:
    given: dict[str, object] = {
        "data_classes": frozenset({"invoices"}),
        "purposes": frozenset(),
        "stages": frozenset(),
        "places": frozenset(),
        "systems": frozenset(),
        "clock": None if period is None else "record_created",
        "rounding": None,
        "during": None,
        "then": Then.DELETE,
        "binding": demand == "keep",
        **said,
    }
    return ScheduleRule(
        schedule="s",
        id=f"s.{name}",
        demand=Demand(demand),
        period=None if period is None else parse_duration(period),
        verified=False,
        because=name,
        cites=(),
        source=(),
        reviewed=TODAY,
        review_by=TODAY + timedelta(days=365),
        **given,  # type: ignore[arg-type]
    )


def asked(created: Anchor = date(2020, 3, 31), **said: object) -> Circumstances:
    given: dict[str, object] = {
        "data_class": "invoices",
        "stage": "client",
        "places": frozenset({"DE"}),
        **said,
    }
    return Circumstances(clocks={"record_created": created}, **given)  # type: ignore[arg-type]


def lost(
    *rules: ScheduleRule, on_request: bool = False, **said: object
) -> tuple[str, object, dict[str, str]]:
    found = weigh(rules, asked(**said), TODAY, on_request=on_request)  # type: ignore[arg-type]
    winner = "" if found.winner is None else found.winner.because
    return (
        winner,
        (found.disposition, found.until, found.phase),
        {line.rule.because: line.lost for line in found.weighed if line.rule is not found.winner},
    )


@pytest.mark.parametrize(
    ("start", "period", "rounding", "until"),
    [
        (date(2026, 1, 31), "1 month", None, date(2026, 2, 28)),
        (date(2024, 1, 31), "1 month", None, date(2024, 2, 29)),
        (date(2026, 8, 31), "6 months", None, date(2027, 2, 28)),
        (date(2024, 2, 29), "1 year", None, date(2025, 2, 28)),
        (date(2024, 2, 29), "4 years", None, date(2028, 2, 29)),
        (date(2026, 11, 21), "90 days", None, date(2027, 2, 19)),
        (date(2018, 1, 1), "8 years", "calendar_year", date(2026, 12, 31)),
        (date(2017, 12, 31), "8 years", "calendar_year", date(2025, 12, 31)),
        (date(2020, 4, 1), "6 years", "financial_year", date(2027, 3, 31)),
        (date(2020, 3, 31), "6 years", "financial_year", date(2026, 3, 31)),
        (date(2020, 4, 5), "3 years", "04-05", date(2023, 4, 5)),
        (date(2020, 4, 6), "3 years", "04-05", date(2024, 4, 5)),
    ],
)
def test_a_period_is_counted_in_the_unit_of_its_clause(
    start: date, period: str, rounding: str | None, until: date
) -> None:
    one = rule("one", "keep", period, rounding=rounding)
    assert last_day(one, start, asked(financial_year_end=(3, 31))) == until


def test_a_financial_year_may_end_with_february() -> None:
    assert end_of_year(date(2023, 3, 1), 2, 29) == date(2024, 2, 29)
    assert end_of_year(date(2024, 3, 1), 2, 29) == date(2025, 2, 28)
    assert carried(date(2025, 2, 28), "financial_year", (2, 29)) == date(2025, 2, 28)


def test_a_day_begins_where_the_record_is() -> None:
    late = START.replace(month=12, day=31, hour=23, minute=30)
    assert local_day(late, ["Europe/Berlin"]) == date(2027, 1, 1)
    assert local_day(late, ["America/New_York", "Europe/Berlin"], first=True) == date(2026, 12, 31)
    assert local_day(late, []) == date(2026, 12, 31)


def test_keeping_beats_deleting_and_the_longest_duty_wins() -> None:
    winner, said, why = lost(
        rule("goes", "delete", "1 year"), rule("six", "keep", "7 years"), rule("ten", "keep", "10 years")
    )
    assert (winner, said) == ("ten", ("keep", date(2030, 3, 31), "intermediate_archive"))
    assert why == {"goes": "keeping-beats-deleting", "six": "shorter-duty"}


def test_a_later_deletion_names_the_day_though_a_duty_keeps_now() -> None:
    winner, said, why = lost(rule("goes", "delete", "9 years"), rule("seven", "keep", "7 years"))
    assert (winner, said) == ("goes", ("keep", date(2029, 3, 31), "active"))
    assert why == {"seven": "deletion-is-later"}


def test_the_specific_rule_deletes_and_between_equals_the_shorter() -> None:
    general = rule("general", "delete", "1 year")
    specific = rule("specific", "delete", "9 years", stages=frozenset({"client"}))
    shorter = rule("shorter", "delete", "8 years", stages=frozenset({"client"}))
    winner, said, why = lost(general, specific, shorter)
    assert (winner, said) == ("shorter", ("keep", date(2028, 3, 31), "active"))
    assert why == {"general": "less-specific", "specific": "longer-deletion"}
    region = rule("region", "delete", "2 years", stages=frozenset({"client"}), places=frozenset({"DE-BY"}))
    country = rule("country", "delete", "1 year", stages=frozenset({"client"}), places=frozenset({"DE"}))
    assert lost(region, country, places=frozenset({"DE", "DE-BY"}))[0] == "region"


def test_a_specific_rule_whose_clock_has_not_begun_keeps_against_a_general_one() -> None:
    running = rule("running", "delete", "1 year", stages=frozenset({"client"}), clock="contract_ended")
    found = weigh(
        [running, rule("general", "delete", "1 year")],
        Circumstances(
            "invoices", stage="client", clocks={"record_created": date(2010, 1, 1), "contract_ended": RUNNING}
        ),
        TODAY,
    )
    assert (found.disposition, found.until, found.winner) == ("keep", OPEN, running)


def test_what_never_happened_says_nothing() -> None:
    never = rule("never", "delete", "1 year", clock="contract_ended", stages=frozenset({"client"}))
    winner, said, why = lost(never, rule("general", "delete", "1 year"))
    assert (winner, said[0]) == ("general", "delete")  # type: ignore[index]
    assert why == {"never": "never-happened"}


def test_a_demand_for_erasure_is_stopped_by_duties_only() -> None:
    policy = rule("policy", "delete", "30 years")
    assert lost(policy, on_request=True) == ("", ("delete", None, "due"), {"policy": "on-request"})
    duty = rule("duty", "keep", "8 years")
    assert lost(policy, duty, on_request=True)[:2] == ("duty", ("keep", date(2028, 3, 31), "active"))
    assert lost(policy, rule("over", "keep", "1 year"), on_request=True)[2]["over"] == "over"


def test_where_nothing_speaks_a_person_looks() -> None:
    assert lost()[:2] == ("", ("review", None, "due"))
    assert lost(rule("over", "keep", "1 year", then=None))[:2] == ("", ("review", None, "due"))
    assert lost(rule("over", "keep", "1 year"))[:2] == ("over", ("delete", date(2021, 3, 31), "due"))
    assert lost(rule("look", "delete", "1 year", then=Then.REVIEW))[1][0] == "review"  # type: ignore[index]


def test_the_last_day_is_a_day_of_keeping() -> None:
    one = [rule("one", "delete", "1 year")]
    assert weigh(one, asked(date(2025, 11, 21)), TODAY).disposition == "keep"
    assert weigh(one, asked(date(2025, 11, 20)), TODAY).disposition == "delete"


def test_a_rule_holds_from_and_until_its_dates() -> None:
    one = rule("one", "delete", "1 year", effective_from=TODAY, effective_until=TODAY + timedelta(days=1))
    for day, spoken in ((-1, False), (0, True), (1, False)):
        found = weigh([one], asked(), TODAY + timedelta(days=day))
        assert (found.winner is one) == spoken


def test_among_random_rules_nothing_that_must_be_kept_goes() -> None:
    chance = random.Random(11)
    for _ in range(3000):
        rules = [
            rule(
                str(number),
                chance.choice(["keep", "delete"]),
                f"{chance.randint(1, 12)} years",
                stages=frozenset(chance.sample(["client", "lead"], chance.randint(0, 2))),
                places=frozenset(chance.sample(["DE", "DE-BY", "FR"], chance.randint(0, 2))),
                then=chance.choice(list(Then)),
            )
            for number in range(chance.randint(1, 6))
        ]
        case = asked(date(2026 - chance.randint(0, 12), 3, 31))
        found = weigh(rules, case, TODAY, on_request=chance.random() < 0.3)
        duties = [
            line.until
            for line in found.weighed
            if line.rule.demand is Demand.KEEP and isinstance(line.until, date) and line.until >= TODAY
        ]
        assert (found.disposition == "keep") >= bool(duties)
        if duties:
            assert isinstance(found.until, date)
            assert found.until >= max(duties)
        assert [line.rule for line in found.weighed if not line.lost] == (
            [found.winner] if found.winner else []
        )
        assert weigh(list(reversed(rules)), case, TODAY).winner == weigh(rules, case, TODAY).winner
