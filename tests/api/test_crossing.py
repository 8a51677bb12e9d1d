"""Requests that want each other's rows at the same instant, on PostgreSQL: nobody is answered 503."""

import time
from collections import Counter
from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from governance.bootstrap import Runtime
from governance.subjects import service as subjects
from governance.subjects.model import Identifier, NewSubject, SubjectChange
from tests.api.conftest import Caller, application_over, new_component
from tests.conftest import ACTOR
from tests.postgres import Server

Ask = Callable[[Caller], TestResponse]


@pytest.fixture
def app(postgres_runtime: Runtime) -> Flask:
    return application_over(postgres_runtime)


def _address(name: str) -> str:
    return f"{name}@example.org"


def _people(runtime: Runtime, *names: str) -> list[str]:
    """Make people with an address each, and give their references."""
    with runtime.work("acme", ACTOR) as work:
        made = subjects.put_many(
            work,
            [
                NewSubject(name, SubjectChange(identifiers=[Identifier("email", _address(name))]))
                for name in names
            ],
        )
        return [each.subject_ref for each in made]


def _put(name: str, *also: str) -> Ask:
    body = {"identifiers": [{"type": "email", "value": _address(each)} for each in (name, *also)]}
    return lambda caller: caller.put(f"/v1/subjects/{name}", body)


def _order(name: str) -> Ask:
    return lambda caller: caller.post("/v1/erasures", {"subject": {"id": name}, "undo_hours": 24})


def _at_once(callers: list[Caller], asked: list[Ask]) -> list[TestResponse]:
    ready, answers = Barrier(len(asked)), dict[int, Any]()

    def ask(at: int) -> None:
        ready.wait(10)
        answers[at] = asked[at](callers[at])

    threads = [Thread(target=ask, args=(at,)) for at in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return [answers[at] for at in range(len(asked))]


def _callers(app: Flask, runtime: Runtime, count: int) -> list[Caller]:
    made = new_component(runtime)
    return [Caller(app.test_client(), made) for _ in range(count)]


def test_puts_that_give_each_others_addresses_are_all_taken(app: Flask, postgres_runtime: Runtime) -> None:
    callers = _callers(app, postgres_runtime, 2)
    _people(postgres_runtime, *(f"{n}{side}" for n in range(20) for side in "ab"))
    statuses: Counter[int] = Counter()
    for n in range(20):
        a, b = f"{n}a", f"{n}b"
        statuses.update(each.status_code for each in _at_once(callers, [_put(a, b), _put(b, a)]))
    assert statuses == {200: 40}


def test_orders_to_erase_among_them_are_all_taken_too(app: Flask, postgres_runtime: Runtime) -> None:
    callers = _callers(app, postgres_runtime, 6)
    _people(postgres_runtime, *(f"{n}{side}" for n in range(5) for side in "ab"))
    for n in range(5):
        a, b = f"{n}a", f"{n}b"
        asked = [_put(a, b), _put(b, a), _order(a), _order(b), _put(a, b), _put(b, a)]
        answers = _at_once(callers, asked)
        assert [each.status_code for each in answers[2:4]] == [202, 202]
        for each in answers:
            assert each.status_code in (200, 202) or each.get_json()["type"].endswith("/erasure-pending")
        with postgres_runtime.snapshot("acme", ACTOR) as snap:
            assert all(subjects.get(snap, name).erasure_pending for name in (a, b))


def _wait_for_waiting(runtime: Runtime) -> None:
    with runtime.engine.connect() as connection:
        for _ in range(300):
            if connection.scalar(
                sa.text(
                    "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
                    "WHERE NOT granted AND datname = current_database()"
                )
            ):
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")


@pytest.mark.parametrize(
    "ask",
    [
        _put,
        lambda one, other: lambda caller: caller.post(f"/v1/subjects/{one}/merge", {"into": other}),
    ],
    ids=["put", "merge"],
)
def test_a_request_that_the_database_stops_is_done_again(
    app: Flask, postgres_runtime: Runtime, postgres: Server, ask: Callable[[str, str], Ask]
) -> None:
    runtime, answers = postgres_runtime, list[TestResponse]()
    name = runtime.engine.url.database
    assert name is not None
    postgres.execute(f"ALTER DATABASE \"{name}\" SET deadlock_timeout = '400ms'")
    runtime.engine.dispose()
    (caller,) = _callers(app, runtime, 1)
    made = zip(_people(runtime, "one", "other"), ("one", "other"), strict=True)
    (first, name_of_first), (second, name_of_second) = sorted(made)  # a merge locks in this order
    asked = ask(name_of_first, name_of_second)
    thread = Thread(target=lambda: answers.append(asked(caller)))
    stopped: list[str] = []
    sa.event.listen(
        runtime.engine,
        "handle_error",
        lambda context: stopped.append(context.original_exception.sqlstate),
    )
    with runtime.work("acme", ACTOR) as work:
        subjects.lock_with_addresses(work, second)
        thread.start()
        _wait_for_waiting(runtime)  # it has the first and wants the second; whoever waits first is stopped
        subjects.lock(work, first)
    thread.join(10)
    assert stopped == ["40P01"]
    assert [each.status_code for each in answers] == [200]


def test_a_merge_waits_for_whoever_shares_an_address_that_it_moves(
    app: Flask, postgres_runtime: Runtime
) -> None:
    """Else the survivor could be ordered erased while a copy of the address is on its way."""
    runtime, answers = postgres_runtime, list[TestResponse]()
    (caller,) = _callers(app, runtime, 1)
    _people(runtime, "one", "other")
    thread = Thread(target=lambda: answers.append(caller.post("/v1/subjects/one/merge", {"into": "other"})))
    with runtime.work("acme", ACTOR) as work:
        subjects.put(work, "copy", SubjectChange(identifiers=[Identifier("email", _address("one"))]))
        thread.start()
        _wait_for_waiting(runtime)
        thread.join(0.1)
        assert not answers
    thread.join(10)
    assert [each.status_code for each in answers] == [200]
