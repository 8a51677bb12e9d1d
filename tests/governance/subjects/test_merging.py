"""Two records become one, and part again."""

from datetime import timedelta

import pytest

from governance.errors import ConflictError, InvalidError
from governance.subjects import service, store
from governance.subjects.model import Identifier, SubjectChange, SubjectReference
from tests.governance.subjects.conftest import Desk

ANN = Identifier("email", "ann@example.org")
WORK_MAIL = Identifier("email", "ann@work.example.org", verified=True)
PHONE = Identifier("phone", "+49301234567")


@pytest.fixture
def pair(desk: Desk) -> tuple[str, str]:
    with desk.work() as work:
        gone = service.put(
            work,
            "old",
            SubjectChange(
                identifiers=[ANN, PHONE], country="DE", relationship="client", acquired="acquired_list"
            ),
        )
        stays = service.put(
            work, "new", SubjectChange(identifiers=[ANN, WORK_MAIL], language="de", acquired="import")
        )
        return gone.subject_ref, stays.subject_ref


def test_both_ids_lead_to_the_survivor_with_all_points(desk: Desk, pair: tuple[str, str]) -> None:
    gone, stays = pair
    with desk.work() as work:
        before = {service.reveal_point(work, p): p.point_ref for p in service.points(work, gone)}
        kept = {service.reveal_point(work, p): p.point_ref for p in service.points(work, stays)}
        merged = service.move_to(work, gone, stays)
    assert merged.points == {
        before["ann@example.org"]: kept["ann@example.org"],
        before["+49301234567"]: before["+49301234567"],
    }
    with desk.snapshot() as snap:
        person = service.get(snap, "old")
        assert person == service.get(snap, "new") == service.find_by_ref(snap, gone)
        assert (person.country, person.language, person.acquired) == ("DE", "de", "acquired_list")
        assert person.stage_relationship == "client"
        values = {service.reveal_point(snap, p) for p in service.points(snap, stays)}
        assert values == {"ann@example.org", "ann@work.example.org", "+49301234567"}
        found = service.resolve(snap, SubjectReference(email="ann@example.org"))
        assert found is not None
        assert found.subject_ref == stays
        assert service.group(snap, stays) == (stays, gone)


def test_bars_and_happenings_of_both_count(desk: Desk, pair: tuple[str, str]) -> None:
    gone, stays = pair
    with desk.work() as work:
        service.set_restriction(work, gone, True)
        service.record_event(work, gone, event="invoice_opened", reference="I1")
        service.record_event(work, gone, event="purchase", occurred_at=work.now - timedelta(days=3))
        service.record_event(work, stays, event="purchase", occurred_at=work.now - timedelta(days=9))
        service.move_to(work, gone, stays)
    bought = desk.clock() - timedelta(days=3)
    with desk.snapshot() as snap:
        person = service.get(snap, "new")
        assert person.restricted
        assert person.invoice_open
        assert person.last_purchase_at == bought
    desk.clock.forward(timedelta(hours=1))
    with desk.work() as work:
        service.record_event(work, stays, event="invoice_closed", reference="I1")
    with desk.snapshot() as snap:
        assert not service.get(snap, "new").invoice_open


def test_a_put_to_the_merged_id_reaches_the_survivor(desk: Desk, pair: tuple[str, str]) -> None:
    gone, stays = pair
    with desk.work() as work:
        service.move_to(work, gone, stays)
        outcome = service.put(work, "old", SubjectChange(time_zone="Europe/Berlin"))
        assert (outcome.subject_ref, outcome.created) == (stays, False)
        (many,) = service.put_many(work, [service.NewSubject("old", SubjectChange(customer_type="consumer"))])
        assert many.subject_ref == stays
    with desk.snapshot() as snap:
        person = service.get(snap, "new")
        assert (person.time_zone, person.customer_type) == ("Europe/Berlin", "consumer")


def test_merges_chain_to_one_survivor(desk: Desk, pair: tuple[str, str]) -> None:
    gone, stays = pair
    with desk.work() as work:
        last = service.put(work, "last", SubjectChange()).subject_ref
        service.move_to(work, gone, stays)
        service.move_to(work, stays, last)
        assert service.get(work, "old").subject_ref == last
        with pytest.raises(ConflictError) as caught:
            service.move_to(work, gone, last)
        assert caught.value.reason == "already-merged"


def test_a_record_is_not_merged_with_itself_or_the_erased(desk: Desk, pair: tuple[str, str]) -> None:
    gone, stays = pair
    with desk.work() as work:
        with pytest.raises(InvalidError):
            service.move_to(work, gone, gone)
        store.update(work.connection, work.tenant_id, stays, {"erased": True})
        work.touch(stays)
        work.record("erasure.completed", subject_ref=stays)
        with pytest.raises(ConflictError):
            service.move_to(work, gone, stays)


def test_a_split_gives_back_what_came_and_regrants_nothing(desk: Desk, pair: tuple[str, str]) -> None:
    gone, stays = pair
    with desk.work() as work:
        service.record_event(work, gone, event="purchase")
        service.move_to(work, gone, stays)
        service.set_restriction(work, stays, True)
        shared = service.find_point(work, stays, "email", "ann@example.org")
        assert shared is not None
        service.set_point_state(work, stays, shared.point_ref, "undeliverable")
        service.split(work, gone)
    with desk.snapshot() as snap:
        old, new = service.get(snap, "old"), service.get(snap, "new")
        assert (old.subject_ref, new.subject_ref) == (gone, stays)
        assert old.restricted
        assert new.restricted
        assert old.last_purchase_at is not None
        assert new.last_purchase_at is None
        states = {service.reveal_point(snap, p): p.state for p in service.points(snap, gone)}
        assert states == {"ann@example.org": "undeliverable", "+49301234567": "open"}
        rest = {service.reveal_point(snap, p) for p in service.points(snap, stays)}
        assert rest == {"ann@example.org", "ann@work.example.org"}
    with desk.work() as work, pytest.raises(ConflictError):
        service.split(work, gone)
