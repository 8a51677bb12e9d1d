"""A child's story: its own yes does not count, a guardian's does, and one day it is old enough."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from governance.communications.narrowing import narrowed
from governance.communications.situations import born
from governance.policy.durations import Duration, cutoff
from governance.subjects.store import subject
from tests.conftest import HandClock

if TYPE_CHECKING:
    from tests.governance.communications.conftest import Crm

GUARDIAN = {"name": "Grace Hopper", "verified_by": "card"}
ALONE = "child-without-guardian"


def test_a_child_consents_alone_then_its_guardian_does_and_takes_it_back(
    crm: "Crm", clock: HandClock
) -> None:
    ref = crm.person("crm-1", "kid@example.org", country="DE", birth_date=date(2011, 3, 14))
    crm.said(ref, "granted", email="kid@example.org")
    alone = crm.check("crm-1")
    assert alone.codes == (ALONE,)
    (reason,) = alone.document()["reasons"]
    assert reason["rule"] == "minors.child-in-de"
    assert reason["verified"] is False
    assert alone.facts[0]["person.age"] == 15, "what is kept of a decision tells no month of birth"
    assert not crm.authorise("m-1", "crm-1").allowed
    # Sixteen in March 2027; the day is sealed, so the month has to be over.
    assert alone.next_eligible_at == datetime(2027, 4, 1, tzinfo=UTC)
    assert crm.check("crm-1", time=alone.next_eligible_at).allowed
    crm.said(ref, "granted", email="kid@example.org", guardian={"name": "Grace Hopper"})
    assert crm.check("crm-1").codes == (ALONE,), "nobody says how the guardian was verified"
    crm.said(ref, "granted", email="kid@example.org", guardian=GUARDIAN)
    assert crm.check("crm-1").allowed
    assert crm.authorise("m-2", "crm-1").allowed
    crm.said(ref, "withdrawn", guardian=GUARDIAN)
    assert "consent-withdrawn" in crm.check("crm-1").codes
    assert ALONE in crm.check("crm-1").codes


@pytest.mark.parametrize(
    ("country", "region", "age"),
    [
        ("AT", None, 14),
        ("BE", None, 13),
        ("FR", None, 15),
        ("DE", None, 16),
        ("ES", None, 16),
        ("GB", None, 13),
        ("US", "US-NY", 13),
        ("CA", "CA-QC", 14),
        ("CA", "CA-ON", 18),
        ("IN", None, 18),
        (None, None, 18),
    ],
)
def test_the_age_is_that_of_the_place_where_the_child_lives(
    small: "Crm", clock: HandClock, country: str | None, region: str | None, age: int
) -> None:
    now = clock.now()
    for number, (years, month) in enumerate([(age, now.month), (age, now.month - 1)]):
        ref = small.person(
            f"crm-{number}",
            country=country,
            region=region,
            birth_date=date(now.year - years, month, 1),
        )
        small.said(ref, "granted")
    assert ALONE in small.check("crm-0").codes, "the birthday was this month, which is not over"
    assert small.check("crm-1").allowed


def test_messages_that_are_not_commercial_reach_a_child_unless_they_carry_promotion(small: "Crm") -> None:
    small.person("crm-1", country="DE", birth_date=date(2014, 3, 14), stage="client")
    invoice: dict[str, Any] = {"message_class": "transactional", "purpose": "contract"}
    assert small.check("crm-1", **invoice).allowed
    assert ALONE in small.check("crm-1", **invoice, contains_promotion=True).codes


def test_a_child_without_a_birth_date_is_held_to_be_grown_up(small: "Crm") -> None:
    ref = small.person("crm-1", country="DE")
    small.said(ref, "granted")
    assert small.check("crm-1").allowed


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 2, 28, 12, 30, tzinfo=UTC),
        datetime(2028, 2, 29, tzinfo=UTC),
        datetime(2026, 3, 1, tzinfo=UTC),
    ],
)
def test_the_database_reduces_months_of_birth_exactly_as_the_rules_do(now: datetime) -> None:
    ages = [Duration(years, "year") for years in (13, 14, 16, 18)]
    (digit,) = narrowed(["person.age"], {"person.age": ages}, now).digits
    months = [f"{year}-{month:02d}" for year in range(now.year - 19, now.year - 11) for month in range(1, 13)]
    with sa.create_engine("sqlite://").connect() as connection:
        for month in (*months, None):
            expression = sa.select(digit.expression).select_from(subject)
            text = str(expression.compile(connection, compile_kwargs={"literal_binds": True}))
            value = f"(SELECT {'NULL' if month is None else repr(month)} AS birth_month) AS subject"
            (found,) = connection.exec_driver_sql(text.replace("FROM subject", f"FROM {value}")).scalars()
            anchor = born(month)
            wanted = (
                None
                if anchor is None
                else sum(1 << place for place, each in enumerate(ages) if cutoff(each, now).reached(anchor))
            )
            assert digit.values[found] == wanted, (month, now)
