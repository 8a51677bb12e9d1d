"""Authorising from a screening: everyone it allowed, decided anew, and never a second message to anybody."""

import threading
from datetime import timedelta

import pytest

from governance.bootstrap import Runtime
from governance.communications import screening_service as screenings
from governance.communications import service as communications
from governance.communications.gate import open_gate
from governance.communications.messages import Authorisation, OutcomeReport
from governance.communications.screening import Screening
from governance.communications.screening_results import completed
from governance.communications.screening_sends import Place, Recipient, recipients, send
from governance.consent import service as consents
from governance.errors import ConflictError
from tests.conftest import ACTOR, HandClock
from tests.governance.communications.conftest import PROPERTIES, Crm


def screened(crm: Crm, **more: object) -> Screening:
    with crm.runtime.work("acme", ACTOR) as work:
        queued = screenings.create(work, {**PROPERTIES, **more}, {"all": True})
    assert screenings.run(crm.runtime, "acme", queued.screening_id)
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        return completed(snap, queued.screening_id)


def page(
    runtime: Runtime, done: Screening, after: Place | None, limit: int
) -> tuple[list[Recipient], object]:
    with runtime.snapshot("acme", ACTOR) as snap:
        return recipients(snap, done, after=after, limit=limit)


def sent(runtime: Runtime, done: Screening, people: list[Recipient]) -> dict[str, Authorisation]:
    with runtime.work("acme", ACTOR) as work:
        gate = open_gate(work)
        return {each.external_id: send(work, done, each, campaign="spring", gate=gate) for each in people}


def everybody(runtime: Runtime, done: Screening) -> list[Recipient]:
    return page(runtime, done, None, 1000)[0]


def test_the_pages_hold_everyone_who_was_allowed_once(crm: Crm) -> None:
    for number in range(9):
        crm.person(f"crm-{number}", f"p{number}@example.org", country="US" if number % 3 else "DE")
    done = screened(crm)
    found: list[str] = []
    after: Place | None = None
    while True:
        people, after = page(crm.runtime, done, after, 2)  # type: ignore[assignment]
        found += [each.external_id for each in people]
        if after is None:
            break
        assert len(people) == 2
    assert sorted(found) == [f"crm-{number}" for number in range(9) if number % 3]
    assert done.counts.allowed == len(found)


def test_a_repeat_of_a_page_makes_no_second_message(crm: Crm) -> None:
    ref = crm.person("crm-1", "p1@example.org")
    done = screened(crm)
    first, again = (sent(crm.runtime, done, everybody(crm.runtime, done))["crm-1"] for _ in range(2))
    assert first.message is not None
    assert again.message is not None
    assert (first.repeat, again.repeat) == (False, True)
    assert first.message.message_ref == again.message.message_ref
    assert first.message.screening_id == done.screening_id
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        assert len(communications.history(snap, ref)[0]) == 1


def test_whose_answer_changed_since_the_screening_is_denied(crm: Crm, clock: HandClock) -> None:
    refs = {name: crm.person(name, f"{name}@example.org") for name in ("stays", "leaves")}
    done = screened(crm)
    crm.said(refs["leaves"], "withdrawn")
    clock.forward(timedelta(minutes=5))
    told = sent(crm.runtime, done, everybody(crm.runtime, done))
    assert {name: each.allowed for name, each in told.items()} == {"stays": True, "leaves": False}
    assert "consent-withdrawn" in told["leaves"].record.codes


def test_a_message_whose_outcome_is_known_is_not_authorised_again(crm: Crm) -> None:
    crm.person("crm-1", "p1@example.org")
    done = screened(crm)
    people = everybody(crm.runtime, done)
    message = sent(crm.runtime, done, people)["crm-1"].message
    assert message is not None
    with crm.runtime.work("acme", ACTOR) as work:
        communications.outcome(work, message.message_id, OutcomeReport("cancelled"))
    assert sent(crm.runtime, done, people)["crm-1"].repeat
    with crm.runtime.work("acme", ACTOR) as work:
        communications.outcome(work, message.message_id, OutcomeReport("delivered"))
    with pytest.raises(ConflictError) as refused:
        sent(crm.runtime, done, people)
    assert refused.value.reason == "already-handed-over"


def test_a_duplicate_that_is_merged_between_two_tries_gets_no_second_message(crm: Crm) -> None:
    one, two = (crm.person(f"crm-{number}", f"p{number}@example.org") for number in (1, 2))
    done = screened(crm)
    people = everybody(crm.runtime, done)
    first = next(each for each in people if each.external_id == "crm-1")
    told = sent(crm.runtime, done, [first])
    with crm.runtime.work("acme", ACTOR) as work:
        consents.merge(work, one, two)
    after = everybody(crm.runtime, done)
    assert {each.external_id for each in after} == {"crm-2"}
    again = sent(crm.runtime, done, after)["crm-2"]
    assert again.repeat
    assert again.message is not None
    assert told["crm-1"].message is not None
    assert again.message.message_ref == told["crm-1"].message.message_ref


def test_two_senders_at_once_make_one_message_each_person(crm: Crm) -> None:
    for number in range(6):
        crm.person(f"crm-{number}", f"p{number}@example.org")
    done = screened(crm)
    people = sorted(everybody(crm.runtime, done), key=lambda each: each.external_id)
    told: list[Authorisation] = []
    start = threading.Barrier(3)

    def sender() -> None:
        start.wait()
        for each in people:
            told.extend(sent(crm.runtime, done, [each]).values())

    senders = [threading.Thread(target=sender) for _ in range(3)]
    for each in senders:
        each.start()
    for each in senders:
        each.join()
    assert len(told) == 18
    assert sum(not each.repeat for each in told) == 6
