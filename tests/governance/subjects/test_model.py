"""Changes: what may be said about a person."""

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta

import pytest

from governance.errors import InvalidError
from governance.subjects import store
from governance.subjects.changes import BLANK
from governance.subjects.model import (
    ABSENT,
    ContactPoint,
    Organisation,
    RelationshipEvent,
    Subject,
    SubjectChange,
    SubjectReference,
)

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def test_a_region_alone_names_its_country() -> None:
    checked = SubjectChange(region="us-ca").checked(NOW)
    assert (checked.country, checked.region) == ("US", "US-CA")


def test_what_is_absent_stays_absent_and_what_is_cleared_stays_none() -> None:
    checked = SubjectChange(country=None, language=None).checked(NOW)
    assert (checked.country, checked.language) == (None, None)
    assert checked.region is ABSENT


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (SubjectChange(country="XX"), "attributes.country"),
        (SubjectChange(region="US-XX"), "attributes.region"),
        (SubjectChange(time_zone="Mars/Olympus"), "attributes.time_zone"),
        (SubjectChange(language="klingon"), "attributes.language"),
        (SubjectChange(birth_date=date(2026, 11, 22)), "attributes.birth_date"),
        (SubjectChange(birth_date=date(1700, 1, 1)), "attributes.birth_date"),
        (SubjectChange(customer_type="alien"), "attributes.customer_type"),
        (SubjectChange(organisation=Organisation(country="XX")), "organisation.country"),
        (SubjectChange(relationship="friend"), "relationship"),
        (SubjectChange(acquired="stolen"), "acquired"),
        (SubjectChange(capture_point="a form"), "source.capture_point"),
        (SubjectChange(source_url="https://x/\n"), "source.url"),
    ],
)
def test_a_bad_member_is_named(change: SubjectChange, field: str) -> None:
    with pytest.raises(InvalidError) as caught:
        change.checked(NOW)
    assert field in caught.value.fields


def test_nobody_was_acquired_in_the_future() -> None:
    assert SubjectChange(acquired_at=NOW + timedelta(minutes=1)).checked(NOW).acquired_at == NOW
    with pytest.raises(InvalidError, match="happened yet"):
        SubjectChange(acquired_at=NOW + timedelta(days=1)).checked(NOW)


@pytest.mark.parametrize("named", [{}, {"id": "a", "email": "a@example.org"}])
def test_a_person_is_named_in_exactly_one_way(named: dict[str, str]) -> None:
    with pytest.raises(InvalidError):
        SubjectReference(**named)


def test_the_dataclasses_and_the_tables_have_the_same_columns() -> None:
    pairs = [
        (Subject, store.subject),
        (ContactPoint, store.contact_point),
        (RelationshipEvent, store.relationship_event),
    ]
    for kind, table in pairs:
        assert {field.name for field in fields(kind)} == set(table.c.keys()) - {"tenant_id", "seq"}
    written_by_put = {"subject_ref", "external_id", "created_at", "updated_at"}
    assert set(BLANK) | written_by_put == {field.name for field in fields(Subject)}
