"""Promise 22: eight processes ask for more than a cap holds; none is sent over it, no slot is wasted."""

import multiprocessing as mp
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime, assemble
from governance.communications import cap_store, capping
from governance.communications import service as communications
from governance.communications.caps import Cap, Window
from governance.communications.messages import OutcomeReport, SendRequest
from governance.communications.model import read_check
from governance.consent import service as consents
from governance.consent.service import ImportedAct
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.subjects.model import SubjectReference
from governance.subjects.service import NewSubject, SubjectChange
from tests.conftest import ACTOR, HandClock

PROCESSES = 8
SUBJECTS = 200
LIMIT = 3
_FORK = mp.get_context("fork")  # the processes share nothing but the database; forking saves their imports

Attempt = Callable[[Runtime, int, int], bool]
"""Ask for a message of process p to person s; whether it was authorised."""


def slot(runtime: Runtime, process: int, person: int) -> bool:
    """Take a slot as an authorisation does, in a unit of work of its own, and nothing else."""
    with runtime.work("acme", ACTOR) as work, work.bookkeeping():
        caps = [Cap("daily", 1, LIMIT, "P1D", "email")]
        full = capping.take(work, caps, subject_ref=f"sub_{person}", message_ref=f"msg_{process}_{person}")
    return not full


def count_then_insert(runtime: Runtime, process: int, person: int) -> bool:
    """The seeded bug: look whether there is room, and write that there is one less in the next step."""
    ref, counter = f"sub_{person}", cap_store.cap_counter
    with runtime.snapshot("acme", ACTOR) as snap:
        (cap,) = capping.every(snap)
        window: Window = cap.window_at(snap.now, None)
        seen = sa.select(counter.c.taken).where(counter.c.tenant_id == "acme", counter.c.subject_ref == ref)
        if (snap.connection.execute(seen).scalar() or 0) >= cap.limit:
            return False
    with runtime.work("acme", ACTOR) as work, work.bookkeeping():
        cap_store.take_slot(work.connection, "acme", ref, cap.cap_id, window, limit=10**9)
    return True


def authorise(runtime: Runtime, process: int, person: int) -> bool:
    """Authorise a message through the whole gate."""
    question = read_check(
        SubjectReference(id=f"crm-{person}"),
        {"channel": "email", "message_class": "promotional", "purpose": "marketing"},
    )
    with runtime.work("acme", ACTOR) as work:
        return communications.authorise(work, SendRequest(f"m-{process}-{person}", question)).allowed


def _child(settings: Settings, attempt: Attempt, process: int, people: int, go: Any, answers: Any) -> None:
    runtime = assemble(settings, clock=HandClock())
    go.wait()
    won = [person for person in range(people) if attempt(runtime, process, person)]
    answers.put((process, won))
    runtime.close()


def race(settings: Settings, attempt: Attempt, people: int) -> tuple[Counter[int], list[tuple[int, int]]]:
    """All processes ask about all people at the same time: how many each person got, and who won what."""
    go, answers = _FORK.Barrier(PROCESSES), _FORK.Queue()
    children = [
        _FORK.Process(target=_child, args=(settings, attempt, number, people, go, answers))
        for number in range(PROCESSES)
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
    with installation(settings) as runtime, runtime.snapshot("acme", ACTOR) as snap:
        communications.open_gate(snap)  # compiles the policy once, for the processes to inherit
    got, won = race(settings, authorise, PEOPLE)
    assert over_and_under(got, PEOPLE) == (0, 0)
    cancelled = {person: process for process, person in won}
    with installation(settings) as runtime:
        for person, process in cancelled.items():
            with runtime.work("acme", ACTOR) as work:
                communications.outcome(work, f"m-{process}-{person}", OutcomeReport("cancelled"))
        again = [person for person in cancelled if authorise(runtime, 98, person)]
        assert sorted(again) == list(range(PEOPLE))
        assert not any(authorise(runtime, 99, person) for person in range(PEOPLE))
