"""Relationship events as they are kept."""

from datetime import timedelta

import pytest

from governance.errors import InvalidError, NotFoundError
from governance.happened import SKEW
from governance.subjects import service
from governance.subjects.model import SubjectChange
from tests.governance.subjects.conftest import Desk


@pytest.fixture
def ref(desk: Desk) -> str:
    with desk.work() as work:
        return service.put(work, "crm-1", SubjectChange()).subject_ref


def test_an_anchor_only_moves_forward(desk: Desk, ref: str) -> None:
    now = desk.clock()
    for days in (10, 30, 5, 20):
        with desk.work() as work:
            service.record_event(work, ref, event="purchase", occurred_at=now - timedelta(days=days))
    with desk.snapshot() as snap:
        assert service.get(snap, "crm-1").last_purchase_at == now - timedelta(days=5)
        assert len(service.events(snap, ref)) == 4


def test_nothing_happens_in_the_future(desk: Desk, ref: str) -> None:
    with desk.work() as work:
        happened = service.record_event(work, ref, event="inquiry", occurred_at=work.now + SKEW)
        assert happened.occurred_at == work.now, "a clock that runs a little ahead"
    with desk.snapshot() as snap:
        assert service.get(snap, "crm-1").last_inquiry_at == desk.clock()
    for ahead in (SKEW + timedelta(microseconds=1), timedelta(days=62_000)):
        with pytest.raises(InvalidError) as refused, desk.work() as work:
            service.record_event(work, ref, event="contract_ended", occurred_at=work.now + ahead)
        assert list(refused.value.fields) == ["occurred_at"]
    with desk.snapshot() as snap:
        assert service.get(snap, "crm-1").contract_ended_at is None, "and no contract ends by it"


def test_a_contract_told_late_does_not_undo_its_end(desk: Desk, ref: str) -> None:
    now = desk.clock()
    with desk.work() as work:
        service.record_event(
            work, ref, event="contract_ended", occurred_at=now - timedelta(days=1), reference="C 1"
        )
        service.record_event(
            work, ref, event="contract_signed", occurred_at=now - timedelta(days=90), reference="C 1"
        )
    with desk.snapshot() as snap:
        person = service.get(snap, "crm-1")
        assert (person.contract_state, person.contract_ended_at) == ("ended", now - timedelta(days=1))


def test_one_of_two_open_invoices_stays_open(desk: Desk, ref: str) -> None:
    with desk.work() as work:
        for event, reference in (
            ("invoice_opened", "I1"),
            ("invoice_opened", "I2"),
            ("invoice_closed", "I1"),
        ):
            service.record_event(work, ref, event=event, reference=reference)
    with desk.snapshot() as snap:
        assert service.get(snap, "crm-1").invoice_open
    with desk.work() as work:
        service.record_event(work, ref, event="invoice_closed", reference="I2")
    with desk.snapshot() as snap:
        assert not service.get(snap, "crm-1").invoice_open


def test_a_reference_is_sealed_and_revealed(desk: Desk, ref: str) -> None:
    with desk.work() as work:
        service.record_event(
            work,
            ref,
            event="purchase",
            reference="Order of Ann Lee",
            product_family="boots",
            opt_out_offered=True,
        )
    with desk.snapshot() as snap:
        (happened,) = service.events(snap, ref)
        assert service.reveal_reference(snap, happened) == "Order of Ann Lee"
        assert "Ann" not in repr(happened)
        assert (happened.product_family, happened.opt_out_offered) == ("boots", True)
    kind, facts = desk.recorded[-1]
    assert kind == "subject.event_recorded"
    assert "Ann" not in repr(facts)


def test_what_cannot_be_is_refused(desk: Desk, ref: str) -> None:
    with desk.work() as work:
        with pytest.raises(InvalidError):
            service.record_event(work, ref, event="marriage")
        with pytest.raises(InvalidError):
            service.record_event(work, ref, event="purchase", product_family="free text")
        with pytest.raises(InvalidError):
            service.record_event(work, ref, event="purchase", reference="x\x00")
        with pytest.raises(NotFoundError):
            service.record_event(work, ref, event="purchase", point_ref="pnt_none")
        with pytest.raises(NotFoundError):
            service.record_event(work, "sub_none", event="purchase")


def test_at_one_instant_what_is_told_last_holds(desk: Desk, ref: str) -> None:
    for told, state in ((("contract_ended", "contract_signed"), "in_force"), (("contract_ended",), "ended")):
        for event in told:
            with desk.work() as work:
                service.record_event(work, ref, event=event)
        with desk.snapshot() as snap:
            assert service.get(snap, "crm-1").contract_state == state
