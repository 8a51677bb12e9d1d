"""Consents that were given for a time: their end is noted once, and only where it ended something."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.consent import service as consent
from governance.consent.expiry_store import consent_expiry
from governance.consent.service import NewConsent
from governance.ledger.store import ledger_entry
from governance.subjects import service as subjects
from governance.subjects.model import Identifier, SubjectChange
from retention_jobs import expire_consents
from tests.conftest import ACTOR, HandClock

MAIL = Identifier("email", "ada@example.org")
DAY = timedelta(days=1)


class Desk:
    def __init__(self, runtime: Runtime, clock: HandClock) -> None:
        self.runtime, self.clock = runtime, clock

    def person(self, external_id: str = "crm-1") -> str:
        with self.runtime.work("acme", ACTOR) as work:
            return subjects.put(
                work, external_id, SubjectChange(identifiers=[MAIL], country="US")
            ).subject_ref

    def say(self, ref: str, status: str = "granted", **more: Any) -> None:
        said = {"purpose": "marketing", "method": "web_form", "channel": "email"} | more
        if status == "granted":
            said.setdefault("evidence", {"form_url": "https://shop.example/join"})
        with self.runtime.work("acme", ACTOR) as work:
            consent.record(work, NewConsent(ref, status=status, **said))

    def told(self) -> list[dict[str, Any]]:
        """The facts of the events that told of an end, in order."""
        query = sa.select(ledger_entry.c.leaf).where(ledger_entry.c.kind == "consent.expired")
        with self.runtime.engine.connect() as connection:
            leaves = list(connection.scalars(query.order_by(ledger_entry.c.position)))
        return [json.loads(leaf)["facts"] for leaf in leaves]

    def noted(self) -> int:
        with self.runtime.engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(consent_expiry)) or 0

    def until(self) -> datetime:
        return self.clock() + DAY


@pytest.fixture
def desk(any_runtime: Runtime, clock: HandClock) -> Desk:
    return Desk(any_runtime, clock)


def test_the_end_of_a_consent_is_told_once_and_not_before(desk: Desk) -> None:
    ref = desk.person()
    ends = desk.until()
    desk.say(ref, expires_at=ends)
    desk.say(ref, channel="sms")  # without an end
    desk.clock.forward(DAY - timedelta(microseconds=1))
    assert expire_consents.run(desk.runtime) == 0
    desk.clock.forward(timedelta(microseconds=1))
    assert expire_consents.run(desk.runtime) == 1
    assert expire_consents.run(desk.runtime) == 0
    (told,) = desk.told()
    assert (told["purpose"], told["channel"]) == ("marketing", "email")
    assert told["expired_at"].startswith(ends.isoformat()[:19])
    assert len(told["points"]) == 2  # the channel, and the person's address


def test_a_consent_given_anew_ends_anew(desk: Desk) -> None:
    ref = desk.person()
    for _ in range(2):
        desk.say(ref, expires_at=desk.until())
        desk.clock.forward(2 * DAY)
        assert expire_consents.run(desk.runtime) == 1
    assert len({told["grant"] for told in desk.told()}) == 2


@pytest.mark.parametrize("after", ["withdrawn", "granted"])
def test_nothing_ends_that_something_else_has_ended_or_replaced(desk: Desk, after: str) -> None:
    ref = desk.person()
    desk.say(ref, expires_at=desk.until())
    desk.clock.forward(DAY / 2)
    desk.say(ref, after)
    desk.clock.forward(DAY)
    assert expire_consents.run(desk.runtime) == 0
    assert desk.told() == []
    noted = desk.noted()
    assert expire_consents.run(desk.runtime) == 0
    assert desk.noted() == noted


def test_a_sign_up_that_was_never_confirmed_is_no_consent_that_ends(desk: Desk) -> None:
    desk.say(desk.person(), "requested", double_opt_in=True)
    desk.clock.forward(365 * DAY)
    assert expire_consents.run(desk.runtime) == 0
    assert desk.noted() == 0


def test_many_people_are_noted_in_batches(desk: Desk) -> None:
    ends = desk.until()
    for number in range(120):
        desk.say(desk.person(f"crm-{number}"), expires_at=ends)
    desk.clock.forward(DAY)
    assert expire_consents.run(desk.runtime) == 120
    assert len(desk.told()) == 120
