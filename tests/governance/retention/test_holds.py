"""Legal holds: they stop deletion, permit nothing, and end by a second person or at their day."""

from datetime import UTC, datetime, timedelta

import pytest

from governance.bootstrap import Runtime
from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.ledger import service as ledger
from governance.retention import holds, service
from governance.retention.model import DATA_CLASS, SUBJECT, Hold, HoldScope, Refusal, read_filter
from governance.subjects import service as subjects
from tests.conftest import HandClock
from tests.governance.retention.conftest import COUNSEL, OFFICER, TENANT, Person

OLD = datetime(2015, 3, 4, tzinfo=UTC)


def put_on(runtime: Runtime, scope: HoldScope, **said: object) -> Hold:
    with runtime.work(TENANT, COUNSEL) as work:
        return holds.place(work, matter="Doe v. Acme", scope=scope, reason="a claim", **said)  # type: ignore[arg-type]


def kinds(runtime: Runtime) -> list[str]:
    with runtime.snapshot(TENANT, OFFICER) as snapshot:
        return [
            entry.kind
            for entry in ledger.entries(snapshot.connection, TENANT, after=0, limit=500)
            if entry.kind.startswith("hold.")
        ]


def disposition(runtime: Runtime, ref: str | None, data_class: str = "contact_details") -> str:
    with runtime.snapshot(TENANT, OFFICER) as snapshot:
        return service.verdict(snapshot, ref, data_class, created_at=OLD).disposition


def test_a_hold_on_a_person_stops_deletion_until_a_second_person_releases_it(
    any_runtime: Runtime, person: Person
) -> None:
    runtime, ref = any_runtime, person()
    assert disposition(runtime, ref) == "delete"
    held = put_on(runtime, HoldScope(SUBJECT, ref))
    with runtime.snapshot(TENANT, OFFICER) as snapshot:
        found = service.verdict(snapshot, ref, "contact_details", created_at=OLD)
        assert (found.disposition, found.until, found.rule) == ("keep", None, None)
        assert found.held_by == (held.hold_id,)
        assert subjects.get_by_ref(snapshot, ref).held
        assert [each.hold_id for each in service.holds_on(snapshot, ref)] == [held.hold_id]
    with runtime.work(TENANT, COUNSEL) as work:
        refused = holds.release(work, held.hold_id)
        assert isinstance(refused, Refusal)
        assert refused.code == "second-person-needed"
    assert disposition(runtime, ref) == "keep"
    with runtime.work(TENANT, OFFICER) as work:
        released = holds.release(work, held.hold_id)
        assert isinstance(released, Hold)
        assert (released.state, released.closed_by) == ("released", OFFICER.ref)
    assert disposition(runtime, ref) == "delete"
    with runtime.snapshot(TENANT, OFFICER) as snapshot:
        assert not subjects.get_by_ref(snapshot, ref).held
    assert kinds(runtime) == ["hold.placed", "hold.release_refused", "hold.released"]
    with runtime.work(TENANT, OFFICER) as work, pytest.raises(ConflictError, match="ended already"):
        holds.release(work, held.hold_id)


def test_a_person_stays_held_while_any_hold_is_left(any_runtime: Runtime, person: Person) -> None:
    ref = person()
    first = put_on(any_runtime, HoldScope(SUBJECT, ref))
    second = put_on(any_runtime, HoldScope(SUBJECT, ref))
    for held, expected in ((first, "keep"), (second, "delete")):
        with any_runtime.work(TENANT, OFFICER) as work:
            holds.release(work, held.hold_id)
        assert disposition(any_runtime, ref) == expected


def test_a_hold_follows_a_person_through_a_merge(any_runtime: Runtime, person: Person) -> None:
    gone, stays = person("crm-1"), person("crm-2")
    held = put_on(any_runtime, HoldScope(SUBJECT, gone))
    with any_runtime.work(TENANT, OFFICER) as work:
        subjects.move_to(work, gone, stays)
    assert disposition(any_runtime, stays) == "keep"
    with any_runtime.work(TENANT, OFFICER) as work:
        holds.release(work, held.hold_id)
    assert disposition(any_runtime, stays) == "delete"
    with any_runtime.snapshot(TENANT, OFFICER) as snapshot:
        assert not subjects.get_by_ref(snapshot, stays).held


@pytest.mark.parametrize(
    ("scope", "hits", "misses"),
    [
        (HoldScope(DATA_CLASS, values={"data_class": ("interactions",)}), "interactions", "contact_details"),
        (read_filter({"country": ["DE"], "data_class": ["interactions"]}), "interactions", "contact_details"),
        (read_filter({"relationship": ["lead"]}), "contact_details", None),
        (read_filter({"relationship": ["client"]}), None, "contact_details"),
        (read_filter({"country": ["FR", "AT"]}), None, "contact_details"),
    ],
)
def test_a_hold_on_a_class_or_a_filter_holds_what_it_names_and_nothing_else(
    any_runtime: Runtime, person: Person, scope: HoldScope, hits: str | None, misses: str | None
) -> None:
    ref = person(country="DE", stage="lead")
    put_on(any_runtime, scope)
    if hits is not None:
        assert disposition(any_runtime, ref, hits) == "keep"
    if misses is not None:
        assert disposition(any_runtime, ref, misses) == "delete"


def test_what_a_filter_cannot_know_counts_as_held(any_runtime: Runtime) -> None:
    put_on(any_runtime, read_filter({"country": ["FR"], "system": ["warehouse"]}))
    assert disposition(any_runtime, None) == "keep"


def test_notices_come_once_each_and_then_the_hold_ends(
    any_runtime: Runtime, person: Person, clock: HandClock
) -> None:
    ref = person()
    held = put_on(any_runtime, HoldScope(SUBJECT, ref), expires_at=clock.at + timedelta(days=40))
    given: list[tuple[int, int | None]] = []
    for day in (0, 9, 10, 11, 25, 26, 35, 39, 39):
        clock.at = held.placed_at + timedelta(days=day)
        with any_runtime.work(TENANT, OFFICER) as work:
            given.append((day, holds.notify(work, held.hold_id)))
    assert [each for each in given if each[1] is not None] == [(10, 30), (25, 15), (35, 5), (39, 1)]
    clock.at = held.placed_at + timedelta(days=41)
    assert disposition(any_runtime, ref) == "keep", "until its end is recorded a hold holds"
    with any_runtime.work(TENANT, OFFICER) as work:
        assert holds.notify(work, held.hold_id) == 0
        assert holds.notify(work, held.hold_id) is None
    assert disposition(any_runtime, ref) == "delete"
    assert kinds(any_runtime)[-2:] == ["hold.expiry_noticed", "hold.expired"]


def test_a_hold_is_made_longer_by_anybody_and_shorter_by_nobody(
    any_runtime: Runtime, person: Person, clock: HandClock
) -> None:
    held = put_on(any_runtime, HoldScope(SUBJECT, person()), expires_at=clock.at + timedelta(days=10))
    with any_runtime.work(TENANT, COUNSEL) as work:
        with pytest.raises(InvalidError, match="only be made longer"):
            holds.extend(work, held.hold_id, expires_at=clock.at + timedelta(days=9))
        assert holds.extend(work, held.hold_id, expires_at=clock.at + timedelta(days=90)).noticed is None
        assert holds.extend(work, held.hold_id, expires_at=None).expires_at is None


def test_matter_and_reason_are_sealed_and_readable_for_those_who_hold(
    any_runtime: Runtime, person: Person
) -> None:
    ref = person()
    for scope in (HoldScope(SUBJECT, ref), read_filter({"country": ["DE"]})):
        held = put_on(any_runtime, scope)
        with any_runtime.snapshot(TENANT, OFFICER) as snapshot:
            assert holds.told(snapshot, holds.get(snapshot, held.hold_id)) == holds.Told(
                "Doe v. Acme", "a claim"
            )
            entries = ledger.entries(snapshot.connection, TENANT, after=0, limit=500)
            assert b"Doe" not in held.matter_sealed + held.reason_sealed
            assert not any("Doe" in str(entry) or "claim" in str(entry) for entry in entries)


def test_holds_that_can_be_none_are_refused(any_runtime: Runtime, person: Person, clock: HandClock) -> None:
    ref = person()
    with any_runtime.work(TENANT, COUNSEL) as work:
        for matter, reason, scope, until in (
            (" ", "why", HoldScope(SUBJECT, ref), None),
            ("M-1", "why", HoldScope(SUBJECT, ref), clock.at),
        ):
            with pytest.raises(InvalidError):
                holds.place(work, matter=matter, reason=reason, scope=scope, expires_at=until)
        with pytest.raises(NotFoundError):
            holds.place(work, matter="M-1", reason="why", scope=HoldScope(SUBJECT, "sub_nobody"))
    for named in (
        {},
        {"country": []},
        {"country": ["XX"]},
        {"stage": ["lead"]},
        {"relationship": ["friend"]},
    ):
        with pytest.raises(InvalidError):
            read_filter(named)
