"""Consents that were given for a time: their end is noted once, and only where it ended something."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.consent.expiry_store import consent_expiry
from retention_jobs import expire_consents
from tests.conftest import HandClock
from tests.fixtures.consent_desk import Desk

DAY = timedelta(days=1)


class Expiries(Desk):
    """What is noted of consents that ended."""

    def ends(self) -> list[dict[str, Any]]:
        """The facts of the events that told of an end, in order."""
        return self.told("consent.expired")

    def noted(self) -> int:
        with self.runtime.engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(consent_expiry)) or 0

    def until(self) -> datetime:
        return self.clock() + DAY


@pytest.fixture
def desk(any_runtime: Runtime, clock: HandClock) -> Expiries:
    return Expiries(any_runtime, clock)


def test_the_end_of_a_consent_is_told_once_and_not_before(desk: Expiries) -> None:
    ref = desk.person()
    ends = desk.until()
    desk.say(ref, expires_at=ends)
    desk.say(ref, channel="sms")  # without an end
    desk.clock.forward(DAY - timedelta(microseconds=1))
    assert expire_consents.run(desk.runtime) == 0
    desk.clock.forward(timedelta(microseconds=1))
    assert expire_consents.run(desk.runtime) == 1
    assert expire_consents.run(desk.runtime) == 0
    (told,) = desk.ends()
    assert (told["purpose"], told["channel"]) == ("marketing", "email")
    assert told["expired_at"].startswith(ends.isoformat()[:19])
    assert len(told["points"]) == 2  # the channel, and the person's address


def test_a_consent_given_anew_ends_anew(desk: Expiries) -> None:
    ref = desk.person()
    for _ in range(2):
        desk.say(ref, expires_at=desk.until())
        desk.clock.forward(2 * DAY)
        assert expire_consents.run(desk.runtime) == 1
    assert len({told["grant"] for told in desk.ends()}) == 2


@pytest.mark.parametrize("after", ["withdrawn", "granted"])
def test_nothing_ends_that_something_else_has_ended_or_replaced(desk: Expiries, after: str) -> None:
    ref = desk.person()
    desk.say(ref, expires_at=desk.until())
    desk.clock.forward(DAY / 2)
    desk.say(ref, after)
    desk.clock.forward(DAY)
    assert expire_consents.run(desk.runtime) == 0
    assert desk.ends() == []
    noted = desk.noted()
    assert expire_consents.run(desk.runtime) == 0
    assert desk.noted() == noted


def test_a_sign_up_that_was_never_confirmed_is_no_consent_that_ends(desk: Expiries) -> None:
    desk.say(desk.person(), "requested", double_opt_in=True)
    desk.clock.forward(365 * DAY)
    assert expire_consents.run(desk.runtime) == 0
    assert desk.noted() == 0


def test_many_people_are_noted_in_batches(desk: Expiries) -> None:
    ends = desk.until()
    for number in range(120):
        desk.say(desk.person(f"crm-{number}"), expires_at=ends)
    desk.clock.forward(DAY)
    assert expire_consents.run(desk.runtime) == 120
    assert len(desk.ends()) == 120
