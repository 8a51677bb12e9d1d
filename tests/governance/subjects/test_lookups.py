"""Finding people, and what people share."""

import pytest

from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.subjects import service
from governance.subjects.model import Identifier, SubjectChange, SubjectReference
from tests.governance.subjects.conftest import Desk


def known(desk: Desk, external_id: str, *values: str) -> str:
    identifiers = [Identifier("phone" if value.startswith("+") else "email", value) for value in values]
    with desk.work() as work:
        return service.put(work, external_id, SubjectChange(identifiers=identifiers)).subject_ref


def test_a_person_is_found_by_id_address_and_number(desk: Desk) -> None:
    ref = known(desk, "crm-1", "ann@example.org", "+49301234567")
    with desk.snapshot() as snap:
        for reference in (
            SubjectReference(id="crm-1"),
            SubjectReference(email="Ann@EXAMPLE.org"),
            SubjectReference(phone="+49 30 1234567"),
        ):
            found = service.resolve(snap, reference)
            assert found is not None
            assert found.subject_ref == ref
        assert service.resolve(snap, SubjectReference(id="crm-2")) is None
        assert service.resolve(snap, SubjectReference(email="bob@example.org")) is None
        with pytest.raises(InvalidError):
            service.resolve(snap, SubjectReference(email="bob"))
        with pytest.raises(NotFoundError):
            service.resolve_existing(snap, SubjectReference(phone="+49301234568"))


def test_a_shared_address_names_nobody_until_one_is_left(desk: Desk) -> None:
    first = known(desk, "crm-1", "family@example.org")
    known(desk, "crm-2", "family@example.org")
    reference = SubjectReference(email="family@example.org")
    with desk.snapshot() as snap:
        with pytest.raises(ConflictError) as caught:
            service.resolve(snap, reference)
        assert caught.value.reason == "several-people"
        assert "family" not in caught.value.message
        point = service.find_point(snap, first, "email", "family@example.org")
        assert point is not None
        assert len(service.shared_points(snap, point.blind_index)) == 2
    known(desk, "crm-2", "own@example.org")
    with desk.snapshot() as snap:
        found = service.resolve(snap, reference)
        assert found is not None
        assert found.external_id == "crm-1"


def test_another_tenant_sees_nobody(desk: Desk) -> None:
    known(desk, "crm-1", "ann@example.org")
    with desk.snapshot() as snap:
        snap.tenant_id = "other"
        assert service.find(snap, "crm-1") is None
        assert service.resolve(snap, SubjectReference(email="ann@example.org")) is None


def test_a_point_that_a_consent_names_is_added_once_and_reopened(desk: Desk) -> None:
    ref = known(desk, "crm-1", "ann@example.org")
    with desk.work() as work:
        added = service.ensure_point(work, ref, "phone", "+49301234567")
        assert service.ensure_point(work, ref, "phone", "+49 30 1234567") == added
    known(desk, "crm-1", "ann@example.org")
    with desk.work() as work:
        found = service.find_point(work, ref, "phone", "+49301234567")
        assert found is not None
        assert found.state == "closed"
        reopened = service.ensure_point(work, ref, "phone", "+49301234567")
        assert (reopened.point_ref, reopened.state) == (added.point_ref, "open")
        assert service.set_point_verified(work, ref, added.point_ref).verified
    assert desk.kinds()[-3:] == ["subject.updated", "subject.point_changed", "subject.point_changed"]


def test_setting_a_state_twice_records_once(desk: Desk) -> None:
    ref = known(desk, "crm-1", "ann@example.org")
    with desk.work() as work:
        (point,) = service.points(work, ref)
        for _ in range(2):
            assert (
                service.set_point_state(work, ref, point.point_ref, "undeliverable").state == "undeliverable"
            )
        with pytest.raises(NotFoundError):
            service.set_point_state(work, ref, "pnt_none", "closed")
    assert desk.kinds().count("subject.point_changed") == 1


def test_restriction_is_recorded_with_its_reason_sealed(desk: Desk) -> None:
    ref = known(desk, "crm-1", "ann@example.org")
    with desk.work() as work:
        assert service.set_restriction(work, ref, True, because="Ann disputes her address").restricted
        sealed = work.events[-1].sealed
        assert sealed is not None
        opened = desk.vault.reveal_evidence(
            "acme", ref, work.events[-1].id, sealed.ciphertext, sealed.commitment
        )
        assert opened == {"because": "Ann disputes her address"}
        service.set_restriction(work, ref, True)
    with desk.work() as work:
        assert not service.set_restriction(work, ref, False).restricted
    assert desk.kinds()[1:] == ["subject.restricted", "subject.restriction_lifted"]


def test_a_stage_set_by_the_gate_shows_on_the_person(desk: Desk) -> None:
    ref = known(desk, "crm-1")
    with desk.work() as work:
        event = work.record("lifecycle.moved", subject_ref=ref, facts={"to": "client"})
        service.set_stage(work, ref, "relationship", "client", event.id)
        service.set_stage(work, ref, "engagement", "adoption", event.id)
        service.set_stage(work, ref, "engagement", "advocacy", event.id)
    with desk.snapshot() as snap:
        assert service.get(snap, "crm-1").stage_relationship == "client"
        assert {m: s for m, (s, _, _) in service.stages(snap, ref).items()} == {
            "relationship": "client",
            "engagement": "advocacy",
        }
