"""Two writers at once."""

from threading import Event, Thread

from governance.subjects import service
from governance.subjects.model import Identifier, NewSubject, PutOutcome, SubjectChange
from tests.governance.subjects.conftest import Desk


def test_two_writers_of_one_new_id_make_one_person(desk: Desk) -> None:
    inserted = Event()
    second: list[PutOutcome] = []

    def follow() -> None:
        inserted.wait(10)
        with desk.work() as work:
            second.append(service.put(work, "crm-1", SubjectChange(language="de")))

    thread = Thread(target=follow)
    thread.start()
    with desk.work() as work:
        first = service.put(work, "crm-1", SubjectChange(country="DE"))
        inserted.set()
        thread.join(0.3)  # The other waits for this transaction and must not have an answer yet.
        assert not second
    thread.join(10)
    assert [(outcome.subject_ref, outcome.created) for outcome in second] == [(first.subject_ref, False)]
    with desk.snapshot() as snap:
        person = service.get(snap, "crm-1")
        assert (person.country, person.language) == ("DE", "de")


def test_a_bulk_put_that_meets_another_writer_loses_no_row(desk: Desk) -> None:
    inserted = Event()
    outcomes: list[PutOutcome] = []
    rows = [
        NewSubject(f"crm-{n}", SubjectChange(identifiers=[Identifier("email", f"p{n}@example.org")]))
        for n in range(3)
    ]

    def follow() -> None:
        inserted.wait(10)
        with desk.work() as work:
            outcomes.extend(service.put_many(work, rows))

    thread = Thread(target=follow)
    thread.start()
    with desk.work() as work:
        service.put(work, "crm-1", SubjectChange(country="DE"))
        inserted.set()
        thread.join(0.3)
        assert not outcomes
    thread.join(10)
    assert [outcome.created for outcome in outcomes] == [True, False, True]
    with desk.snapshot() as snap:
        person = service.get(snap, "crm-1")
        assert person.country == "DE"
        assert len(service.points(snap, person.subject_ref)) == 1
