"""Data that did not come from the person: who has to be told, by when, and what ends it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.communications import service as communications
from governance.communications.messages import Authorisation, OutcomeReport, SendRequest
from governance.communications.model import read_check
from governance.reports import notices
from governance.reports.notices import NoticeDue
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectReference
from governance.subjects.service import SubjectChange
from tests.conftest import ACTOR, HandClock

DAY = timedelta(days=1)
OBLIGATION = "give-art14-notice"


class Desk:
    """Somebody who takes people in and looks whom to tell."""

    def __init__(self, runtime: Runtime, clock: HandClock) -> None:
        self.runtime, self.clock = runtime, clock

    def person(self, external_id: str, acquired: str = "acquired_list", **named: Any) -> str:
        change = SubjectChange(
            acquired=acquired,
            relationship="lead",
            identifiers=[Identifier("email", f"{external_id}@example.org")],
            **{"country": "DE", **named},
        )
        with self.runtime.work("acme", ACTOR) as work:
            return subjects.put(work, external_id, change).subject_ref

    def happened(self, ref: str, event: str, **named: Any) -> None:
        with self.runtime.work("acme", ACTOR) as work:
            subjects.record_event(work, ref, event=event, **named)

    def due(self, **named: Any) -> list[NoticeDue]:
        with self.runtime.snapshot("acme", ACTOR) as snap:
            return notices.due(snap, **named)[0]

    def write(self, external_id: str, message_id: str) -> Authorisation:
        asked = read_check(
            SubjectReference(id=external_id),
            {"channel": "email", "message_class": "legal_notice", "purpose": "legal"},
            {},
        )
        with self.runtime.work("acme", ACTOR) as work:
            return communications.authorise(work, SendRequest(message_id, asked))


@pytest.fixture
def desk(any_runtime: Runtime, clock: HandClock) -> Desk:
    return Desk(any_runtime, clock)


def test_whoever_comes_from_a_bought_list_is_told_within_a_month_of_buying(desk: Desk) -> None:
    bought = datetime.fromisoformat("2026-10-31T09:00:00+00:00")
    ref = desk.person("crm-1", acquired_at=bought)
    (one,) = desk.due()
    assert (one.external_id, one.ground, one.overdue) == ("crm-1", "month", False)
    assert one.due_at == datetime.fromisoformat("2026-11-30T09:00:00+00:00")
    assert desk.due(overdue=True) == []
    desk.clock.at = one.due_at
    assert [each.external_id for each in desk.due(overdue=True)] == ["crm-1"]
    desk.happened(ref, "notice_given")
    assert desk.due() == []


@pytest.mark.parametrize(
    ("acquired", "listed", "asked_for"),
    [
        ("acquired_list", True, True),
        ("third_party", True, True),
        ("person", False, False),
        ("import", False, False),
        ("unknown", False, True),
    ],
)
def test_what_the_source_obliges_to(desk: Desk, acquired: str, listed: bool, asked_for: bool) -> None:
    desk.person("crm-1", acquired)
    assert bool(desk.due()) == listed
    assert bool(desk.due(unknown=True)) == asked_for


def test_the_first_message_carries_the_duty_and_is_the_latest_moment(desk: Desk) -> None:
    ref = desk.person("crm-1", "third_party")
    first = desk.write("crm-1", "m-1")
    assert first.allowed
    assert OBLIGATION in first.record.verdict.obligations
    (one,) = desk.due(overdue=True)
    assert (one.ground, one.due_at) == ("first_message", desk.clock.now())
    desk.happened(ref, "notice_given")
    assert OBLIGATION not in desk.write("crm-1", "m-2").record.verdict.obligations
    assert desk.due() == []


def test_a_message_that_never_went_out_does_not_count(desk: Desk) -> None:
    desk.person("crm-1")
    desk.write("crm-1", "m-1")
    with desk.runtime.work("acme", ACTOR) as work:
        communications.outcome(work, "m-1", OutcomeReport("cancelled"))
    assert [each.ground for each in desk.due()] == ["month"]
    assert desk.due(overdue=True) == []


def test_the_first_disclosure_is_the_latest_moment_too(desk: Desk) -> None:
    ref = desk.person("crm-1")
    told = desk.clock.now() - 2 * DAY
    desk.happened(ref, "data_disclosed", occurred_at=told)
    (one,) = desk.due(overdue=True)
    assert (one.ground, one.due_at) == ("first_disclosure", told)


def test_people_outside_europe_of_a_firm_outside_europe_are_written_to_without_it(desk: Desk) -> None:
    desk.person("crm-1", country="US")
    assert OBLIGATION not in desk.write("crm-1", "m-1").record.verdict.obligations


def test_the_list_is_read_page_by_page_the_oldest_first(desk: Desk) -> None:
    for number in (3, 1, 2):
        desk.person(f"crm-{number}", acquired_at=desk.clock.now() - (50 - number) * DAY)
    seen: list[str] = []
    after = None
    with desk.runtime.snapshot("acme", ACTOR) as snap:
        while True:
            found, after = notices.due(snap, overdue=True, after=after, limit=1)
            seen += [each.external_id for each in found]
            if after is None:
                break
    assert seen == ["crm-1", "crm-2", "crm-3"]


def test_who_was_merged_away_is_not_told_twice(desk: Desk) -> None:
    gone, stays = desk.person("crm-1"), desk.person("crm-2", "person")
    with desk.runtime.work("acme", ACTOR) as work:
        subjects.move_to(work, gone, stays)
    assert [each.external_id for each in desk.due()] == ["crm-2"], "the warier source stays with the survivor"
