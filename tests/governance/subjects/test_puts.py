"""Put: create, replace, keep, block."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from governance.errors import ConflictError, InvalidError
from governance.subjects import service, store, tombstone_store
from governance.subjects.model import (
    ContactPoint,
    Identifier,
    NewSubject,
    Organisation,
    PutOutcome,
    SubjectChange,
)
from governance.subjects.sealing import external_id_hash, reveal_text
from governance.vault.model import OPERATIONAL, Place
from governance.work import Work
from tests.governance.subjects.conftest import Desk

ANN = Identifier("email", "ann@example.org")
PHONE = Identifier("phone", "+49 30 1234567", subscriber="individual")


def put(desk: Desk, external_id: str, change: SubjectChange, *, by_act: bool = False) -> PutOutcome:
    with desk.work() as work:
        return service.put(work, external_id, change, by_act=by_act)


def points_of(desk: Desk, external_id: str) -> dict[str, ContactPoint]:
    with desk.snapshot() as snap:
        ref = service.get(snap, external_id).subject_ref
        return {service.reveal_point(snap, point): point for point in service.points(snap, ref)}


def bury(work: Work, external_id: str) -> str:
    """What an erasure leaves behind, as far as this room is concerned."""
    person = service.get(work, external_id)
    hashes = [(point.suppression_hash, point.type) for point in service.points(work, person.subject_ref)]
    hashes.append((external_id_hash(work, external_id), "external_id"))
    rows = [
        {"hash": each, "type": kind, "subject_ref": person.subject_ref, "since": work.now}
        for each, kind in hashes
    ]
    tombstone_store.add(work.connection, work.tenant_id, rows)
    store.update(work.connection, work.tenant_id, person.subject_ref, {"erased": True})
    work.touch(person.subject_ref)
    work.record("erasure.completed", subject_ref=person.subject_ref)
    return person.subject_ref


def test_a_person_can_be_known_by_an_id_only(desk: Desk) -> None:
    outcome = put(desk, "crm-1", SubjectChange(country="DE"))
    assert outcome.created
    with desk.snapshot() as snap:
        person = service.get(snap, "crm-1")
        assert (person.subject_ref, person.country, person.region) == (outcome.subject_ref, "DE", None)
        assert (person.stage_relationship, person.acquired) == (None, "unknown")
        assert service.points(snap, person.subject_ref) == []
    assert desk.recorded == [("subject.created", {"points": 0})]


def test_everything_that_was_sent_is_found_again(desk: Desk) -> None:
    change = SubjectChange(
        identifiers=[ANN, PHONE],
        region="US-CA",
        time_zone="America/Los_Angeles",
        language="en-us",
        birth_date=date(1980, 2, 29),
        customer_type="business",
        organisation=Organisation("org-1", "CA"),
        relationship="lead",
        acquired="import",
        acquired_at=desk.clock() - timedelta(days=400),
        capture_point="web-form",
        source_channel="web",
        source_url="https://example.org/?who=ann",
    )
    ref = put(desk, "crm-1", change).subject_ref
    with desk.snapshot() as snap:
        person = service.get(snap, "crm-1")
        assert (person.country, person.region, person.language) == ("US", "US-CA", "en-US")
        assert (person.birth_month, person.customer_type) == ("1980-02", "business")
        assert (person.organisation_id, person.organisation_country) == ("org-1", "CA")
        assert (person.stage_relationship, person.stage_since) == ("lead", desk.clock())
        assert person.acquired_at == desk.clock() - timedelta(days=400)
        assert service.stages(snap, ref)["relationship"][0] == "lead"
        assert person.birth_date_sealed is not None
        keys = desk.vault.hold("acme", [ref])
        place = Place("subject", "birth_date_sealed", ref)
        assert reveal_text(keys, ref, place, person.birth_date_sealed) == "1980-02-29"
    points = points_of(desk, "crm-1")
    assert {value: (point.country, point.state) for value, point in points.items()} == {
        "ann@example.org": (None, "open"),
        "+49301234567": ("DE", "open"),
    }
    facts = desk.recorded[0][1]
    assert facts["relationship_asserted"] == "lead"
    assert facts["points"] == 2


def test_no_value_is_readable_in_the_tables(desk: Desk) -> None:
    put(desk, "crm-1", SubjectChange(identifiers=[ANN, PHONE], source_url="https://example.org/ann"))
    with desk.snapshot() as snap:
        rows = [
            snap.connection.execute(sa.select(table)).all() for table in (store.subject, store.contact_point)
        ]
    written = repr(rows)
    for canary in ("ann@", "301234567", "example.org"):
        assert canary not in written


def test_named_members_replace_and_absent_ones_stay(desk: Desk) -> None:
    put(desk, "crm-1", SubjectChange(country="DE", language="de", customer_type="consumer"))
    outcome = put(desk, "crm-1", SubjectChange(language="en", customer_type=None))
    assert not outcome.created
    with desk.snapshot() as snap:
        person = service.get(snap, "crm-1")
        assert (person.country, person.language, person.customer_type) == ("DE", "en", None)
    assert desk.recorded[-1][1]["changed"] == ["customer_type", "language"]


def test_saying_the_same_again_writes_and_records_nothing(desk: Desk) -> None:
    change = SubjectChange(
        identifiers=[ANN],
        country="DE",
        birth_date=date(1980, 1, 1),
        relationship="lead",
        source_url="https://x",
    )
    put(desk, "crm-1", change)
    outcome = put(desk, "crm-1", change)
    assert not outcome.changed
    assert len(desk.recorded) == 1


def test_a_region_goes_when_its_country_does(desk: Desk) -> None:
    put(desk, "crm-1", SubjectChange(region="US-CA"))
    put(desk, "crm-1", SubjectChange(country="FR"))
    with desk.snapshot() as snap:
        person = service.get(snap, "crm-1")
        assert (person.country, person.region) == ("FR", None)


def test_a_dropped_point_closes_and_reopens_when_it_comes_back(desk: Desk) -> None:
    put(desk, "crm-1", SubjectChange(identifiers=[ANN, PHONE]))
    before = points_of(desk, "crm-1")
    put(desk, "crm-1", SubjectChange(identifiers=[PHONE]))
    dropped = points_of(desk, "crm-1")["ann@example.org"]
    assert (dropped.state, dropped.point_ref) == ("closed", before["ann@example.org"].point_ref)
    put(desk, "crm-1", SubjectChange(identifiers=[Identifier("email", "ANN@example.org")]))
    after = points_of(desk, "crm-1")
    assert after["ann@example.org"].state == "open"
    assert after["ann@example.org"].point_ref == dropped.point_ref
    assert after["+49301234567"].state == "closed"
    assert after["+49301234567"].subscriber == "individual"


def test_an_undeliverable_point_stays_undeliverable_whatever_the_crm_sends(desk: Desk) -> None:
    ref = put(desk, "crm-1", SubjectChange(identifiers=[ANN])).subject_ref
    point = points_of(desk, "crm-1")["ann@example.org"]
    with desk.work() as work:
        service.set_point_state(work, ref, point.point_ref, "undeliverable")
    for identifiers in ([], [ANN]):
        put(desk, "crm-1", SubjectChange(identifiers=identifiers))
        assert points_of(desk, "crm-1")["ann@example.org"].state == "undeliverable"


def test_a_stage_is_asserted_at_creation_only(desk: Desk) -> None:
    put(desk, "crm-1", SubjectChange(relationship="lead"))
    put(desk, "crm-1", SubjectChange(relationship="lead", country="DE"))
    with pytest.raises(ConflictError) as caught:
        put(desk, "crm-1", SubjectChange(relationship="client"))
    assert caught.value.reason == "use-transition"
    put(desk, "crm-2", SubjectChange())
    with pytest.raises(ConflictError):
        put(desk, "crm-2", SubjectChange(relationship="lead"))


def test_a_number_without_code_is_read_in_the_persons_country(desk: Desk) -> None:
    put(desk, "crm-1", SubjectChange(country="DE"))
    put(desk, "crm-1", SubjectChange(identifiers=[Identifier("phone", "030 1234567")]))
    assert list(points_of(desk, "crm-1")) == ["+49301234567"]


def test_an_erased_person_does_not_come_back_by_id_or_value(desk: Desk) -> None:
    put(desk, "crm-1", SubjectChange(identifiers=[ANN]))
    with desk.work() as work:
        erased_ref = bury(work, "crm-1")
    put(desk, "crm-3", SubjectChange(country="DE"))
    for external_id, identifiers in (("crm-1", []), ("crm-2", [ANN]), ("crm-3", [PHONE, ANN])):
        outcome = put(desk, external_id, SubjectChange(identifiers=identifiers))
        assert outcome.blocked
        assert not outcome.created
        assert desk.recorded[-1][0] == "subject.resurrection_blocked"
    with desk.snapshot() as snap:
        assert service.find(snap, "crm-2") is None
        assert service.points(snap, service.get(snap, "crm-3").subject_ref) == []
        assert service.resolve(snap, service.SubjectReference(email="ann@example.org")) is None
        assert service.get(snap, "crm-1").subject_ref == erased_ref


def test_an_act_of_the_person_starts_afresh_and_stays_welcome(desk: Desk) -> None:
    put(desk, "crm-1", SubjectChange(identifiers=[ANN]))
    with desk.work() as work:
        erased_ref = bury(work, "crm-1")
    outcome = put(desk, "crm-1", SubjectChange(identifiers=[ANN]), by_act=True)
    assert outcome.created
    assert outcome.subject_ref != erased_ref
    again = put(desk, "crm-1", SubjectChange(identifiers=[ANN], country="DE"))
    assert (again.subject_ref, again.blocked) == (outcome.subject_ref, False)


def test_an_act_starts_afresh_even_under_an_id_that_was_merged_away(desk: Desk) -> None:
    for external_id in ("old", "new"):
        put(desk, external_id, SubjectChange())
    with desk.work() as work:
        service.move_to(
            work, service.get(work, "old").subject_ref, erased := service.get(work, "new").subject_ref
        )
        bury(work, "new")
    assert put(desk, "old", SubjectChange()).blocked
    outcome = put(desk, "old", SubjectChange(), by_act=True)
    assert outcome.created
    with desk.snapshot() as snap:
        assert service.get(snap, "old").subject_ref == outcome.subject_ref != erased


def test_a_bad_value_leaves_nothing_behind(desk: Desk) -> None:
    with pytest.raises(InvalidError):
        put(desk, "crm-1", SubjectChange(identifiers=[ANN, Identifier("email", "nonsense")]))
    with desk.snapshot() as snap:
        assert service.find(snap, "crm-1") is None


def test_many_are_put_with_an_outcome_for_each_row(desk: Desk) -> None:
    put(desk, "known", SubjectChange(country="DE", identifiers=[PHONE]))
    put(desk, "gone", SubjectChange(identifiers=[ANN]))
    with desk.work() as work:
        bury(work, "gone")
    rows = [
        NewSubject("new-1", SubjectChange(country="US", relationship="lead")),
        NewSubject("not an id", SubjectChange()),
        NewSubject("known", SubjectChange(country="FR")),
        NewSubject("new-2", SubjectChange(identifiers=[ANN])),
        NewSubject("gone", SubjectChange()),
        NewSubject("new-1", SubjectChange(language="en")),
        NewSubject("new-3", SubjectChange(country="XX")),
        NewSubject("new-4", SubjectChange(identifiers=[Identifier("email", "bob@example.org")])),
        NewSubject("known", SubjectChange(relationship="client")),
    ]
    before = len(desk.recorded)
    with desk.work() as work:
        outcomes = service.put_many(work, rows)
    assert [outcome.created for outcome in outcomes] == [True] + [False] * 6 + [True, False]
    assert [outcome.blocked for outcome in outcomes] == [False, False, False, True, True] + [False] * 4
    refused = [number for number, outcome in enumerate(outcomes) if outcome.refusal is not None]
    assert refused == [1, 6, 8]
    assert outcomes[5].subject_ref == outcomes[0].subject_ref
    assert sorted(kind for kind, _ in desk.recorded[before:]) == [
        "subject.created",
        "subject.created",
        "subject.resurrection_blocked",
        "subject.resurrection_blocked",
        "subject.updated",
        "subject.updated",
    ]
    with desk.snapshot() as snap:
        first = service.get(snap, "new-1")
        assert (first.country, first.language, first.stage_relationship) == ("US", "en", "lead")
        assert service.stages(snap, first.subject_ref)["relationship"][0] == "lead"
        assert service.get(snap, "known").country == "FR"
        assert service.find(snap, "new-2") is None
    assert list(points_of(desk, "new-4")) == ["bob@example.org"]


def test_many_that_are_known_and_the_same_are_left_alone(desk: Desk) -> None:
    rows = [NewSubject(f"crm-{n}", SubjectChange(country="DE", identifiers=[ANN])) for n in range(5)]
    for expected in (True, False):
        with desk.work() as work:
            outcomes = service.put_many(work, rows)
        assert [outcome.created for outcome in outcomes] == [expected] * 5
        assert [outcome.changed for outcome in outcomes] == [expected] * 5
    assert len(desk.recorded) == 5


def test_a_bulk_put_asks_the_database_once_for_all(desk: Desk) -> None:
    statements: list[str] = []
    rows = [NewSubject(f"crm-{n}", SubjectChange(country="DE", relationship="lead")) for n in range(200)]
    with desk.work() as work:
        sa.event.listen(
            desk.engine, "before_cursor_execute", lambda *seen: statements.append(str(seen[2])), named=False
        )
        service.put_many(work, rows)
        counted = len([each for each in statements if not each.startswith(("SAVEPOINT", "RELEASE"))])
    assert counted == 4  # known ids, tombstones, persons, stages


def test_keys_exist_only_for_people_of_whom_something_is_sealed(desk: Desk) -> None:
    ids_only = put(desk, "crm-1", SubjectChange(country="DE")).subject_ref
    reached = put(desk, "crm-2", SubjectChange(identifiers=[ANN])).subject_ref
    keys = desk.vault.hold("acme", [ids_only, reached])._held
    assert {ref for ref, kind in keys if kind == OPERATIONAL} == {reached}
