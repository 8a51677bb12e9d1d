"""Do-not-call registers: what a look-up says, for one person and for everybody at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from governance.communications import register_store, registers
from governance.communications import screening_service as screenings
from governance.errors import InvalidError
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.service import SubjectChange
from tests.conftest import ACTOR, START

CALL = {"channel": "voice", "message_class": "promotional", "purpose": "marketing", "call_mode": "live"}


def person(crm: Any, external_id: str, *phones: str) -> str:
    points = [Identifier("phone", phone) for phone in phones]
    change = SubjectChange(country="GB", relationship="lead", identifiers=points, time_zone="Europe/London")
    with crm.runtime.work("acme", ACTOR) as work:
        return str(subjects.put(work, external_id, change).subject_ref)


def looked_up(
    crm: Any, phone: str, *, listed: bool, days: int = 0, register: str = "gb-tps"
) -> dict[str, Any]:
    with crm.runtime.work("acme", ACTOR) as work:
        return registers.record(
            work,
            register,
            Identifier("phone", phone),
            checked_at=work.now - timedelta(days=days),
            listed=listed,
        )


def known(crm: Any, ref: str) -> tuple[bool | None, datetime | None]:
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        return register_store.of_person(snap.connection, "acme", ref)


ONE, TWO = "+442079460001", "+442079460002"


def test_what_is_known_of_a_person_follows_from_the_numbers(crm: Any) -> None:
    ref = person(crm, "crm-1", ONE, TWO)
    assert known(crm, ref) == (None, None)
    looked_up(crm, ONE, listed=False, days=3)
    assert known(crm, ref) == (None, None), "the other number was looked up nowhere"
    looked_up(crm, TWO, listed=False, days=5)
    assert known(crm, ref) == (False, START - timedelta(days=5))
    looked_up(crm, TWO, listed=True, days=1, register="gb-ctps")
    assert known(crm, ref) == (True, START - timedelta(days=3))


def test_an_older_look_up_changes_nothing(crm: Any) -> None:
    assert looked_up(crm, ONE, listed=True, days=1)["listed"] is True
    assert looked_up(crm, ONE, listed=False, days=2)["listed"] is True
    assert looked_up(crm, ONE, listed=False)["listed"] is False


def test_only_numbers_are_in_registers(crm: Any) -> None:
    with crm.runtime.work("acme", ACTOR) as work, pytest.raises(InvalidError) as told:
        registers.record(work, "x y", Identifier("email", "a@example.org"), checked_at=None, listed=True)
    assert set(told.value.fields) == {"register", "contact_point.type"}


def test_the_clause_counts_days_and_the_screening_agrees(crm: Any) -> None:
    """Great Britain: a live call wants a look-up in the register that is less than 28 days old."""
    people = {
        "never": None,
        "fresh": (False, 27),
        "stale": (False, 28),
        "listed": (True, 1),
    }
    for number, (external_id, check) in enumerate(people.items()):
        phone = f"+44207946001{number}"
        person(crm, external_id, phone)
        if check is not None:
            looked_up(crm, phone, listed=check[0], days=check[1])
    single = {
        external_id: "register-check-stale" in crm.check(external_id, **CALL).codes for external_id in people
    }
    assert single == {"never": True, "fresh": False, "stale": True, "listed": True}
    with crm.runtime.work("acme", ACTOR) as work:
        queued = screenings.create(work, CALL, {"ids": list(people)})
    screenings.run(crm.runtime, "acme", queued.screening_id)
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        done = screenings.find(snap, queued.screening_id)
    assert dict(done.counts.reasons)["register-check-stale"] == 3
    answers = {external_id: crm.check(external_id, **CALL) for external_id in people}
    assert done.counts.allowed == sum(record.allowed for record in answers.values())


def test_a_look_up_survives_the_record_of_the_person(crm: Any) -> None:
    looked_up(crm, ONE, listed=True)
    ref = person(crm, "later", ONE)
    assert known(crm, ref) == (True, datetime(2026, 11, 21, 10, tzinfo=UTC))
