"""Promise 22: eight processes ask for more than a cap holds; none is sent over it, no slot is wasted."""

import multiprocessing as mp
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from governance.bootstrap import Runtime, assemble
from governance.communications import capping
from governance.communications import service as communications
from governance.communications.messages import OutcomeReport
from governance.consent import service as consents
from governance.consent.service import ImportedAct
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.subjects.service import NewSubject, SubjectChange
from tests.conftest import ACTOR, HandClock
from tests.promises.cap_takers import LIMIT, authorise, count_then_insert, run, slot

PROCESSES = 8
SUBJECTS = 200
# Forked from a server without threads: a fork of this process could inherit a lock that nobody gives back.
_PROCESSES = mp.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.promises.cap_takers"])

Attempt = Callable[[Runtime, int, int], bool]
"""Ask for a message of process p to person s; whether it was authorised."""


def race(
    settings: Settings, attempt: Attempt, people: int, processes: int = PROCESSES
) -> tuple[Counter[int], list[tuple[int, int]]]:
    """All processes ask about all people at the same time: how many each person got, and who won what."""
    go, answers = _PROCESSES.Barrier(processes), _PROCESSES.Queue()
    children = [
        _PROCESSES.Process(target=run, args=(settings, attempt, number, people, go, answers))
        for number in range(processes)
    ]
    for child in children:
        child.start()
    told = [answers.get(timeout=60) for _ in children]
    for child in children:
        child.join(timeout=30)
        assert child.exitcode == 0
    won = [(process, person) for process, people in told for person in people]
    return Counter(person for _, person in won), won


@contextmanager
def installation(settings: Settings) -> Iterator[Runtime]:
    runtime = assemble(settings, clock=HandClock())
    try:
        yield runtime
    finally:
        runtime.close()


def set_cap(settings: Settings) -> None:
    body = {"channel": "email", "limit": LIMIT, "window": "P1D"}
    with installation(settings) as runtime, runtime.work("acme", ACTOR) as work:
        capping.put(work, "daily", body, None)


def over_and_under(got: Counter[int], people: int) -> tuple[int, int]:
    over = sum(got[person] > LIMIT for person in range(people))
    under = sum(got[person] < LIMIT for person in range(people))
    return over, under


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_slot_too_many_and_none_wasted(kind: str, make_settings: Callable[[str], Settings]) -> None:
    settings = make_settings(kind)
    set_cap(settings)
    got, _ = race(settings, slot, SUBJECTS)
    assert over_and_under(got, SUBJECTS) == (0, 0)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_counting_first_and_writing_then_is_caught(
    kind: str, make_settings: Callable[[str], Settings]
) -> None:
    settings = make_settings(kind)
    set_cap(settings)
    got, _ = race(settings, count_then_insert, SUBJECTS // 4)
    over, _ = over_and_under(got, SUBJECTS // 4)
    assert over > 0


PEOPLE = 6


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_whole_authorisations_keep_to_the_cap_and_cancelled_ones_are_used_again(
    kind: str, make_settings: Callable[[str], Settings]
) -> None:
    settings = make_settings(kind)
    set_cap(settings)
    with installation(settings) as runtime, runtime.work("acme", ACTOR) as work:
        made = subjects.put_many(
            work,
            [
                NewSubject(f"crm-{number}", SubjectChange(country="US", relationship="lead"))
                for number in range(PEOPLE)
            ],
        )
        consents.record_many(
            work,
            [
                ImportedAct(each.subject_ref, "marketing", "granted", "web_form", channel="email")
                for each in made
            ],
        )
    got, won = race(settings, authorise, PEOPLE, processes=LIMIT + 1)
    assert over_and_under(got, PEOPLE) == (0, 0)
    cancelled = {person: process for process, person in won}
    with installation(settings) as runtime:
        for person, process in cancelled.items():
            with runtime.work("acme", ACTOR) as work:
                communications.outcome(work, f"m-{process}-{person}", OutcomeReport("cancelled"))
        again = [person for person in cancelled if authorise(runtime, 98, person)]
        assert sorted(again) == list(range(PEOPLE))
        assert not any(authorise(runtime, 99, person) for person in range(PEOPLE))
