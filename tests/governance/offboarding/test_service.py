"""A tenant leaves: exported, deleted with a certificate, and nobody else is touched by a single byte."""

import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.callers import service as callers
from governance.consent import service as consents
from governance.consent.service import NewConsent
from governance.errors import ConflictError, InvalidError, NotFoundError, UnreadableError
from governance.events import Actor
from governance.ledger.fsck import fsck
from governance.offboarding import service as offboarding
from governance.offboarding import store
from governance.offboarding.model import check_archive, check_certificate
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.service import SubjectChange
from governance.tenants import leaving
from governance.tenants.model import DELETED, Deletion, Refusal
from retention_jobs import close_tenants
from tests.conftest import ACTOR, HandClock
from tests.promises.two_tenants import digests

pytestmark = pytest.mark.by_hand

ONE, TWO = Actor("operator:one", "operator"), Actor("operator:two", "operator")
EMAIL = "anna.canary@example.org"


def fill(runtime: Runtime, tenant: str) -> None:
    with runtime.work(tenant, ACTOR) as work:
        change = SubjectChange(country="US", relationship="lead", identifiers=[Identifier("email", EMAIL)])
        ref = subjects.put(work, "crm-1", change).subject_ref
        consents.record(work, NewConsent(ref, "marketing", "withdrawn", "web_form"))
        callers.create_client(work, name="crm", scopes=["evaluate"])


def leave(runtime: Runtime, tenant: str = "rival", days: int = 30) -> Deletion:
    with runtime.work(tenant, ONE) as work:
        leaving.ask_deletion(work, grace_days=days)
    with runtime.work(tenant, TWO) as work:
        made = leaving.approve_deletion(work)
    assert isinstance(made, Deletion)
    return made


@pytest.fixture
def two(any_runtime: Runtime) -> Runtime:
    any_runtime.create_tenant("rival", name="Rival", country="US", address=None)
    for tenant in ("acme", "rival"):
        fill(any_runtime, tenant)
    return any_runtime


def left(runtime: Runtime, tenant: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for engine, tables in (
        (runtime.engine, store.main_tables()),
        (runtime.decision_log.engine, store.log_tables()),
    ):
        with engine.connect() as plain:
            found |= store.counts(plain, tables, tenant)
    with runtime.vault.alone() as keyring:
        found |= store.counts(keyring, store.key_tables(), tenant)
    return found


def test_a_tenant_is_deleted_by_two_people_after_its_grace_and_no_other_is_touched(
    two: Runtime, clock: HandClock
) -> None:
    before = digests(two, "acme")
    with two.work("rival", ONE) as work:
        leaving.ask_deletion(work, grace_days=30)
    with two.work("rival", ONE) as work:
        refused = leaving.approve_deletion(work)
    assert isinstance(refused, Refusal)
    with two.work("rival", TWO) as work:
        made = leaving.approve_deletion(work)
    assert isinstance(made, Deletion)
    assert made.due_at == clock.now() + timedelta(days=30)
    with pytest.raises(ConflictError):
        offboarding.carry_out(two, "rival")
    assert close_tenants.run(two) == 0
    clock.forward(timedelta(days=31))
    assert close_tenants.run(two) == 1
    assert close_tenants.run(two) == 0
    assert left(two, "rival") == {}
    assert digests(two, "acme") == before
    with two.snapshot("acme", ACTOR) as snap:
        vkey = two.vault.checkpoint_signer("governance").vkey
        assert list(fsck(snap.connection, "acme", vkey)) == []
        person = subjects.get(snap, "crm-1")
        assert subjects.reveal_point(snap, subjects.points(snap, person.subject_ref)[0]) == EMAIL
    assert two.tenant_ids() == ["acme"]
    with pytest.raises(NotFoundError), two.work("rival", ACTOR):
        pass
    with pytest.raises(ConflictError):
        two.create_tenant("rival", name="Again", country=None, address=None)

    gone = offboarding.certified(two, "rival")
    assert gone.state == DELETED
    checked = check_certificate(gone.certificate or "", two.vault.public_jwks())
    assert checked.problems == []
    claims = checked.claims
    assert (claims["asked_by"], claims["approved_by"]) == ("operator:one", "operator:two")
    assert claims["rows"]["main.subject"] == 1
    assert claims["keys_destroyed"] >= 2
    assert claims["rows_left"] == 0
    assert claims["ledger_head"].startswith("governance/")
    assert EMAIL not in json.dumps(claims)
    forged = (gone.certificate or "").split(".")
    forged[1] = forged[1][:-4] + "AAAA"
    assert not check_certificate(".".join(forged), two.vault.public_jwks()).ok


def test_a_deletion_that_was_killed_is_gone_on_with(
    two: Runtime, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(two)
    clock.forward(timedelta(days=31))
    right, done = store.delete, []

    def dies(connection: Any, table: sa.Table, tenant_id: str) -> int:
        done.append(table.name)
        if len(done) == 20:
            raise RuntimeError("killed")
        return right(connection, table, tenant_id)

    monkeypatch.setattr(store, "delete", dies)
    with pytest.raises(RuntimeError):
        close_tenants.run(two)
    monkeypatch.setattr(store, "delete", right)
    with pytest.raises(NotFoundError), two.work("rival", ACTOR):
        pass
    assert close_tenants.run(two) == 1
    assert left(two, "rival") == {}
    claims = check_certificate(
        offboarding.certified(two, "rival").certificate or "", two.vault.public_jwks()
    ).claims
    assert claims["rows"]["main.subject"] == 1, "what there was is counted before the first row goes"


def test_a_ledger_is_deleted_with_its_tenant_only(two: Runtime) -> None:
    leave(two)  # approved, but its deletion has not begun
    for tenant in ("acme", "rival"):
        with two.engine.connect() as plain, plain.begin() as transaction:
            with pytest.raises(sa.exc.DatabaseError):
                plain.execute(sa.text("DELETE FROM ledger_entry WHERE tenant_id = :t"), {"t": tenant})
            transaction.rollback()


def test_what_stands_in_the_way_of_each_step_is_said(two: Runtime, clock: HandClock) -> None:
    def refused(step: Any) -> str:
        with pytest.raises(ConflictError) as caught, two.work("rival", ONE) as work:
            step(work)
        return caught.value.reason

    assert refused(leaving.resume) == "tenant-active"
    assert refused(leaving.approve_deletion) == "nothing-to-approve"
    assert refused(leaving.cancel_deletion) == "too-late"
    leave(two)
    assert refused(leaving.ask_deletion) == "deletion-pending"
    assert refused(leaving.suspend) == "tenant-leaving"
    assert refused(leaving.resume) == "tenant-leaving"
    with two.work("rival", ONE) as work:
        assert leaving.cancel_deletion(work).state == "suspended"
    with two.work("rival", ONE) as work:
        assert leaving.resume(work).state == "active"
    clock.forward(timedelta(days=60))
    assert close_tenants.run(two) == 0
    assert left(two, "rival")["subject"] == 1
    with two.snapshot("rival", ONE) as snap:
        query = sa.text(
            "SELECT kind FROM ledger_entry WHERE tenant_id = 'rival' AND kind LIKE 'tenant.%' "
            "ORDER BY position"
        )
        kinds = list(snap.connection.scalars(query))
    assert kinds == [
        "tenant.created",
        "tenant.deletion_asked",
        "tenant.deletion_approved",
        "tenant.deletion_cancelled",
        "tenant.resumed",
    ]


def archive_of(runtime: Runtime, **more: Any) -> bytes:
    return b"".join(offboarding.export(runtime, "rival", ONE, **more))


def changed(archive: bytes, name: str, content: bytes | None) -> io.BytesIO:
    """The archive with one file changed, or left out."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(made, "w") as new:
        for each in old.namelist():
            if each != name:
                new.writestr(each, old.read(each))
            elif content is not None:
                new.writestr(each, content)
    made.seek(0)
    return made


def test_an_export_holds_everything_of_one_tenant_and_verifies_offline(two: Runtime) -> None:
    archive = archive_of(two)
    assert check_archive(io.BytesIO(archive)).problems == []
    assert check_archive(io.BytesIO(archive), two.vault.public_jwks()).ok
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        names = set(opened.namelist())
        assert {f"tables/{table.name}.ndjson" for table in store.main_tables()} <= names
        people = [json.loads(each) for each in opened.read("tables/subject.ndjson").splitlines()]
        contents = b"".join(opened.read(name) for name in names)
    assert [each["external_id"] for each in people] == ["crm-1"]
    assert EMAIL.encode() not in contents, "personal values are sealed"
    assert b'"tenant_id":"acme"' not in contents
    revealed = archive_of(two, reveal=True)
    with zipfile.ZipFile(io.BytesIO(revealed)) as opened:
        assert EMAIL.encode() in opened.read("people.ndjson")
    assert check_archive(io.BytesIO(revealed)).ok

    for name, content in (
        ("tables/subject.ndjson", b"{}\n"),
        ("tables/subject.ndjson", None),
        ("manifest.json", b"{}"),
        ("ledger.ndjson", b""),
        ("manifest.jws", b"a.b.c"),
    ):
        assert not check_archive(changed(archive, name, content)).ok, (name, content)
    assert not check_archive(io.BytesIO(archive[: len(archive) // 2])).ok
    other = two.vault.public_jwks() | {"keys": []}
    assert not check_archive(io.BytesIO(archive), other).ok


def test_after_the_deletion_the_sealed_values_of_an_export_open_for_nobody(
    two: Runtime, clock: HandClock
) -> None:
    with two.snapshot("rival", ACTOR) as snap:
        point = subjects.points(snap, subjects.get(snap, "crm-1").subject_ref)[0]
    with pytest.raises(InvalidError, match="1 to 365 days"), two.work("rival", ONE) as work:
        leaving.ask_deletion(work, grace_days=0)
    leave(two, days=1)
    clock.forward(timedelta(days=1))
    offboarding.carry_out(two, "rival")
    with two.snapshot("acme", ACTOR) as snap, pytest.raises(UnreadableError):
        two.vault.reveal(
            "rival", point.subject_ref, "operational", _place(point.point_ref), point.value_sealed
        )


def _place(point_ref: str) -> Any:
    from governance.subjects.sealing import point_place

    return point_place(point_ref)
