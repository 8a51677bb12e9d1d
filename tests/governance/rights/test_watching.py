"""What time alone brings: reminders, overdue clocks, acknowledgements that were missed, fees."""

from datetime import timedelta

import pytest

from governance.bootstrap import Runtime
from governance.ledger.store import entries
from governance.rights import letters
from governance.rights import service as rights
from governance.rights.service import NewRequest
from governance.subjects.model import SubjectReference
from retention_jobs import run_rights_clocks
from tests.conftest import ACTOR, HandClock


def told(runtime: Runtime) -> list[str]:
    with runtime.engine.connect() as connection:
        found = entries(connection, "acme", after=-1, limit=1000)
    watched = ("reminded", "overdue", "acknowledgement_missed", "withdrawn", "expired")
    return [each.kind.removeprefix("rights.") for each in found if each.kind.split(".")[1] in watched]


def take(runtime: Runtime, type_: str = "access", **more: str) -> str:
    new = NewRequest(type_, [SubjectReference(email="anna@example.org")], **more)
    with runtime.work("acme", ACTOR) as work:
        return rights.submit(work, new).request_id


def test_reminders_come_once_each_and_then_the_clock_is_overdue_once(
    runtime: Runtime, clock: HandClock
) -> None:
    take(runtime, country="DE")
    seen = []
    for _ in range(35):
        run_rights_clocks.run(runtime)
        run_rights_clocks.run(runtime)
        seen.append(len(told(runtime)))
        clock.forward(timedelta(days=1))
    assert told(runtime) == ["reminded"] * 4 + ["overdue"]
    assert seen.index(1) == 17
    assert seen.index(5) == 31


def test_whoever_was_away_for_long_is_reminded_once_and_not_four_times(
    runtime: Runtime, clock: HandClock
) -> None:
    take(runtime, country="DE")
    clock.forward(timedelta(days=30))
    run_rights_clocks.run(runtime)
    assert told(runtime) == ["reminded"]


def test_an_extension_starts_the_reminders_anew(runtime: Runtime, clock: HandClock) -> None:
    request_id = take(runtime, country="DE")
    clock.forward(timedelta(days=30))
    run_rights_clocks.run(runtime)
    with runtime.work("acme", ACTOR) as work:
        rights.extend(work, request_id, because="Nine systems.")
    run_rights_clocks.run(runtime)
    clock.forward(timedelta(days=60))
    run_rights_clocks.run(runtime)
    assert told(runtime) == ["reminded", "reminded"]


@pytest.mark.parametrize("answered", [True, False])
def test_a_missed_acknowledgement_is_noted_once(runtime: Runtime, clock: HandClock, answered: bool) -> None:
    request_id = take(runtime, country="US", region="US-CA")
    if answered:
        with runtime.work("acme", ACTOR) as work:
            (letter,) = rights.letters_of(work, request_id)
            rights.sent(work, rights.open_dossier(work, request_id), letter["id"])
    clock.forward(timedelta(days=20))
    for _ in range(2):
        run_rights_clocks.run(runtime)
    assert told(runtime) == ([] if answered else ["acknowledgement_missed"])


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_swiss_request_whose_fee_nobody_confirms_ends(
    runtime: Runtime, clock: HandClock, confirmed: bool
) -> None:
    request_id = take(runtime, country="CH")
    with runtime.work("acme", ACTOR) as work:
        rights.pause(work, request_id, reason="fee")
    clock.forward(timedelta(days=5))
    if confirmed:
        with runtime.work("acme", ACTOR) as work:
            rights.resume(work, request_id)
    clock.forward(timedelta(days=6))
    run_rights_clocks.run(runtime)
    with runtime.snapshot("acme", ACTOR) as snapshot:
        request = rights.open_dossier(snapshot, request_id).request
    assert request.outcome == (None if confirmed else "fee-not-confirmed")


def test_letters_of_one_instant_are_listed_as_they_were_written(any_runtime: Runtime) -> None:
    request_id = take(any_runtime, country="DE")
    written = []
    with any_runtime.work("acme", ACTOR) as work:
        dossier = rights.open_dossier(work, request_id)
        for _ in range(8):
            letter = letters.send(work, dossier, letters.NOTHING_HELD)
            assert letter is not None
            written.append(letter.letter_id)
    with any_runtime.snapshot("acme", ACTOR) as snap:
        listed = [each["id"] for each in rights.letters_of(snap, request_id)]
    assert listed[-8:] == written
    assert len(listed) == 9
