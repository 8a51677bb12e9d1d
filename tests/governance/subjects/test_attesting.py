"""A change by hand of what decisions rest on is found, and the table and the person are named."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from governance.consent import checking as consents
from governance.consent import service as consent
from governance.consent.service import NewConsent
from governance.consent.tables import suppression
from governance.ledger import service as ledger
from governance.subjects import checking, service, store
from governance.subjects.model import Identifier, Organisation, SubjectChange
from governance.subjects.store import contact_point, relationship_event, subject, subject_stage
from tests.governance.subjects.conftest import Desk

WHEN = datetime(2020, 1, 1, tzinfo=UTC)
ADA = SubjectChange(
    identifiers=[
        Identifier("email", "ada@example.org", subscriber="individual"),
        Identifier("phone", "+49301234567"),
    ],
    country="DE",
    region="DE-BE",
    time_zone="Europe/Berlin",
    language="de",
    customer_type="consumer",
    organisation=Organisation("org-1", "DE"),
    relationship="lead",
    acquired="person",
    acquired_at=WHEN,
    capture_point="web-form",
    source_channel="web",
)


@pytest.fixture
def ada(desk: Desk) -> str:
    """Somebody of whom every table knows something."""
    with desk.work() as work:
        ref = service.put(work, "crm-1", ADA).subject_ref
    for event in ("inquiry", "purchase", "contract_signed"):
        with desk.work() as work:
            service.record_event(work, ref, event=event, product_family="tea", opt_out_offered=True)
    return ref


def found(desk: Desk) -> list[str]:
    with desk.snapshot() as snapshot:
        return [*checking.check(snapshot), *consents.check(snapshot)]


def by_hand(desk: Desk, statement: sa.Update | sa.Delete | sa.Insert) -> None:
    """Do what somebody with the database could do."""
    with desk.engine.begin() as connection:
        assert connection.execute(statement).rowcount != 0
    desk.engine.dispose()


CHANGED: dict[str, Any] = {
    "external_id": "crm-2",
    "country": "US",
    "region": "DE-BY",
    "time_zone": "Asia/Tokyo",
    "language": "en",
    "customer_type": "business",
    "birth_month": "2001-01",
    "organisation_id": None,
    "organisation_country": "FR",
    "acquired": "acquired_list",
    "acquired_at": WHEN + timedelta(microseconds=1),
    "capture_point": None,
    "source_channel": "post",
    "stage_relationship": "client",
    "stage_since": WHEN,
    "restricted": True,
    "erasure_pending": True,
    "erased": True,
    "held": True,
    "last_purchase_at": None,
    "last_inquiry_at": WHEN,
    "last_contact_at": WHEN,
    "contract_state": "none",
    "contract_ended_at": WHEN,
    "subscription_state": "in_force",
    "subscription_ended_at": WHEN,
    "notice_given": True,
    "invoice_open": True,
    "warranty_open": True,
    "dispute_open": True,
    "merged_into": "sub_0",
}
CHANGED_POINT: dict[str, Any] = {
    "type": "device",
    "value_sealed": b"something else",
    "blind_index": "0" * 32,
    "suppression_hash": "0" * 32,
    "country": "US",
    "state": "closed",
    "verified": True,
    "subscriber": "corporate",
    "since": WHEN,
    "origin_ref": "sub_0",
}
CHANGED_EVENT: dict[str, Any] = {
    "event": "inquiry",
    "occurred_at": WHEN,
    "reference_sealed": b"x",
    "matter": "another",
    "product_family": "coffee",
    "point_ref": "pnt_0",
    "opt_out_offered": False,
    "event_id": "evt_0",
}


def test_every_column_that_decides_is_tried_here() -> None:
    apart = {"tenant_id", "subject_ref", "birth_date_sealed", "source_url_sealed", "created_at", "updated_at"}
    assert set(CHANGED) == {column.name for column in subject.columns} - apart
    assert set(CHANGED_POINT) == {column.name for column in contact_point.columns} - apart - {"point_ref"}
    apart |= {"seq", "relationship_event_id"}
    assert set(CHANGED_EVENT) == {column.name for column in relationship_event.columns} - apart


@pytest.mark.by_hand
def test_no_changed_column_of_a_person_goes_unnoticed(desk: Desk, ada: str) -> None:
    assert found(desk) == []
    for name, value in CHANGED.items():
        with desk.engine.connect() as connection:
            before = connection.scalar(sa.select(subject.c[name]).where(subject.c.subject_ref == ada))
        assert before != value, name
        mine = sa.update(subject).where(subject.c.subject_ref == ada)
        by_hand(desk, mine.values({name: value}))
        assert f"{ada}: what subject says is not what the ledger tells of." in found(desk), name
        by_hand(desk, mine.values({name: before}))
    assert found(desk) == []


@pytest.mark.by_hand
@pytest.mark.parametrize(
    ("table", "changed"),
    [(contact_point, CHANGED_POINT), (relationship_event, CHANGED_EVENT)],
    ids=["contact_point", "relationship_event"],
)
def test_no_changed_column_of_a_contact_point_or_event_goes_unnoticed(
    desk: Desk, ada: str, table: sa.Table, changed: dict[str, Any]
) -> None:
    key = "point_ref" if table is contact_point else "seq"
    with desk.engine.connect() as connection:
        which = sa.select(table).where(table.c.subject_ref == ada).order_by(table.c[key])
        row = connection.execute(which).mappings().all()[-2 if table is relationship_event else 0]
    mine = sa.update(table).where(table.c.subject_ref == ada, table.c[key] == row[key])
    for name, value in changed.items():
        assert row[name] != value, name
        by_hand(desk, mine.values({name: value}))
        assert found(desk) == [f"{ada}: what {table.name} says is not what the ledger tells of."], name
        by_hand(desk, mine.values({name: row[name]}))
    assert found(desk) == []


def _swap(desk: Desk, ada: str) -> None:
    """Two people change places under the CRM's ids."""
    with desk.work() as work:
        other = service.put(work, "crm-2", SubjectChange(country="US")).subject_ref
    for ref, external_id in ((ada, "crm-0"), (other, "crm-1"), (ada, "crm-2")):
        by_hand(desk, sa.update(subject).where(subject.c.subject_ref == ref).values(external_id=external_id))


def _add_stage(desk: Desk, ada: str) -> None:
    row = {"model": "engagement", "stage": "advocacy", "since": WHEN, "event_id": "evt_0"}
    by_hand(desk, sa.insert(subject_stage).values(tenant_id="acme", subject_ref=ada, **row))


def _move_point(desk: Desk, ada: str) -> None:
    with desk.work() as work:
        other = service.put(work, "crm-2", SubjectChange(country="US")).subject_ref
    mine = sa.update(contact_point).where(contact_point.c.subject_ref == ada, contact_point.c.type == "phone")
    by_hand(desk, mine.values(subject_ref=other))


def _deletes(table: sa.Table) -> Callable[[Desk, str], None]:
    def delete(desk: Desk, ada: str) -> None:
        by_hand(desk, sa.delete(table).where(table.c.subject_ref == ada))

    return delete


def _copy_event(desk: Desk, ada: str) -> None:
    columns = [
        column for column in relationship_event.columns if column.name not in ("seq", "relationship_event_id")
    ]
    copied = sa.select(*columns, sa.literal(99), sa.literal("hap_0")).where(relationship_event.c.seq == 1)
    names = [*(column.name for column in columns), "seq", "relationship_event_id"]
    by_hand(desk, sa.insert(relationship_event).from_select(names, copied))


@pytest.mark.by_hand
@pytest.mark.parametrize(
    ("change", "table"),
    [
        (_swap, "subject"),
        (_add_stage, "subject_stage"),
        (_move_point, "contact_point"),
        (_deletes(subject_stage), "subject_stage"),
        (_deletes(contact_point), "contact_point"),
        (_deletes(relationship_event), "relationship_event"),
        (_copy_event, "relationship_event"),
    ],
    ids=["swapped ids", "a stage", "a moved point", "no stages", "no points", "no events", "one event more"],
)
def test_what_is_swapped_added_moved_or_deleted_by_hand_is_found(
    desk: Desk, ada: str, change: Callable[[Desk, str], None], table: str
) -> None:
    change(desk, ada)
    told = [problem for problem in found(desk) if problem.startswith(f"{ada}: ")]
    assert len(told) == 1
    assert f" {table} " in f" {told[0].removeprefix(f'{ada}:')} "


def leave(desk: Desk, ref: str) -> None:
    with desk.work() as work:
        no = NewConsent(ref, "marketing", "withdrawn", "reply", channel="email")
        consent.record(work, no)


CHANGED_BAR: dict[str, Any] = {
    "suppression_hash": "0" * 32,
    "scope": "profiling",
    "purpose": "newsletter",
    "controller": "another",
    "channel": "sms",
    "topic": "spring",
    "origin_subject_ref": "sub_0",
    "reason": "nothing",
    "occurred_at": WHEN,
    "recorded_at": WHEN,
    "released_at": WHEN,
    "event_id": "evt_0",
}


@pytest.mark.by_hand
def test_a_bar_that_a_withdrawal_left_is_neither_lost_nor_changed_unnoticed(desk: Desk, ada: str) -> None:
    leave(desk, ada)
    assert found(desk) == []
    with desk.engine.connect() as connection:
        row = dict(connection.execute(sa.select(suppression)).mappings().one())
    assert set(CHANGED_BAR) | {"tenant_id", "suppression_id"} == set(row)
    for name, value in CHANGED_BAR.items():
        assert row[name] != value, name
        by_hand(desk, sa.update(suppression).values({name: value}))
        assert row["suppression_id"] in found(desk)[0], name
        by_hand(desk, sa.update(suppression).values({name: row[name]}))
    by_hand(desk, sa.delete(suppression))
    assert found(desk) == [f"{row['suppression_id']}: the suppression is in the ledger and not in its table."]


def test_whose_a_bar_is_follows_merges_and_a_split_takes_nothing_back(desk: Desk, ada: str) -> None:
    with desk.work() as work:
        twin = service.put(work, "crm-2", SubjectChange(country="DE")).subject_ref
        third = service.put(work, "crm-3", SubjectChange(country="DE")).subject_ref
    leave(desk, ada)
    for gone, stays in ((ada, twin), (twin, third)):
        with desk.work() as work:
            consent.merge(work, gone, stays)
        assert found(desk) == []
    with desk.work() as work:
        consent.split(work, ada)
    assert found(desk) == []


@pytest.mark.by_hand
def test_events_from_before_there_were_digests_are_passed_over(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance import bootstrap
    from governance.subjects import happenings, puts

    with monkeypatch.context() as before:
        before.setattr(bootstrap, "attest", lambda work: work.touched.clear())
        before.setattr(puts, "RECORD", "earlier")
        before.setattr(happenings, "ROW", "earlier")
        with desk.work() as work:
            ref = service.put(work, "crm-1", ADA).subject_ref
            service.record_event(work, ref, event="purchase")
    by_hand(desk, sa.update(subject).values(country="US"))
    by_hand(desk, sa.update(relationship_event).values(product_family="tea"))
    assert found(desk) == []
    # From the next change on there is a digest.
    with desk.work() as work:
        service.set_restriction(work, ref, True)
    assert found(desk) == []
    by_hand(desk, sa.update(subject).values(country="FR"))
    assert found(desk) == [f"{ref}: what subject says is not what the ledger tells of."]


def test_what_is_undone_behind_a_savepoint_is_attested_by_nobody(desk: Desk, ada: str) -> None:
    with desk.work() as work:
        mark, savepoint = work.mark(), work.connection.begin_nested()
        service.set_restriction(work, ada, True)
        savepoint.rollback()
        work.rewind(mark)
        work.record("subject.looked_at", subject_ref=ada)
    assert desk.recorded[-1] == ("subject.looked_at", {})
    assert found(desk) == []


def test_nothing_that_is_known_of_a_person_can_be_read_in_the_digests(desk: Desk, ada: str) -> None:
    """The same record of two people, and of one in two tenants, has different digests."""
    with desk.work() as work:
        other = service.put(work, "crm-2", SubjectChange(country="DE")).subject_ref
        third = service.put(work, "crm-3", SubjectChange(country="DE")).subject_ref
    with desk.snapshot() as snapshot:
        told = {
            entry.subject_ref: entry.facts["record"]
            for entry in ledger.entries(snapshot.connection, "acme", limit=500)
            if "record" in entry.facts
        }
        people = store.find_refs(snapshot.connection, "acme", [other, third])
    assert len(people) == 2
    assert all(one != two for one, two in zip(told[other], told[third], strict=True))
    assert all(len(digest) == 24 for state in told.values() for digest in state)
