"""Use cases of a tenant that leaves: everything of it in one file, and its deletion with a certificate.

A deletion is begun once the grace is over. Keys go first, so that nothing can be read whatever comes after;
then the rows of every table, a table to a transaction; then the log of checks; last the tenant's own row, in
the transaction that writes the certificate. Every step may be repeated, so a killed process is followed by
another that goes on.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from governance.bootstrap import Runtime
from governance.clock import wire
from governance.database import for_reading, rewrite
from governance.errors import ConflictError, NotFoundError
from governance.events import Actor
from governance.ledger import service as ledger
from governance.ledger.export import export_lines
from governance.ledger.store import latest_checkpoint
from governance.offboarding import store
from governance.offboarding.model import (
    EXPLANATION,
    EXPORT_KIND,
    KEYS,
    LEDGER,
    MANIFEST,
    README,
    SIGNATURE,
    certificate_claims,
    line,
)
from governance.subjects import service as subjects
from governance.subjects.store import subject
from governance.tenants import leaving
from governance.tenants import store as tenants
from governance.tenants.model import APPROVED, CLOSING, DELETED, DELETING, Deletion
from governance.work import Snapshot

WORKER = Actor("job:close-tenants", "job")
_CHUNK = 1 << 16


class _Sink(io.RawIOBase):
    """Where the archive is written: what is in it is handed on at once."""

    def __init__(self) -> None:
        self.waiting = bytearray()

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, data: Any) -> int:
        """Take some bytes."""
        self.waiting += data
        return len(data)

    def taken(self) -> bytes:
        """Give what waits, and forget it."""
        found = bytes(self.waiting)
        self.waiting.clear()
        return found


def export(runtime: Runtime, tenant_id: str, actor: Actor, *, reveal: bool = False) -> Iterator[bytes]:
    """Stream everything of a tenant as a ZIP, read in one snapshot; memory does not grow with the tenant.

    `reveal` adds the contact points of people in the clear. That it was made is recorded first.
    """
    signer = runtime.vault.checkpoint_signer("governance")
    with runtime.work(tenant_id, actor) as work:
        work.record("tenant.exported", facts={"revealed": reveal})
    with runtime.work(tenant_id, actor) as work:
        ledger.checkpoint(work, signer)
    sink, files = _Sink(), dict[str, Any]()
    with ExitStack() as stack:
        snap = stack.enter_context(runtime.snapshot(tenant_id, actor))
        log = stack.enter_context(runtime.decision_log.engine.connect())
        archive = stack.enter_context(zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED))
        parts: list[tuple[str, Iterator[bytes]]] = [
            (README, iter([EXPLANATION.encode()])),
            (KEYS, iter([json.dumps(runtime.vault.public_jwks(), sort_keys=True).encode()])),
            (LEDGER, (each.encode() for each in export_lines(snap.connection, tenant_id, vkey=signer.vkey))),
        ]
        every = [tenants.tenant, tenants.tenant_deletion, *store.main_tables()]
        parts += [(f"tables/{each.name}.ndjson", _lines(snap.connection, each, tenant_id)) for each in every]
        parts += [
            (f"decisions/{each.name}.ndjson", _lines(log, each, tenant_id)) for each in store.log_tables()
        ]
        if reveal:
            parts.append(("people.ndjson", _people(snap)))
        for name, content in parts:
            yield from _member(archive, sink, name, content, files)
        manifest = {"tenant": tenant_id, "at": wire(snap.now), "revealed": reveal, "files": files}
        text = json.dumps(manifest, sort_keys=True, indent=1).encode()
        claims = {
            "iss": "governance",
            "iat": int(snap.now.timestamp()),
            "kind": EXPORT_KIND,
            "tenant": snap.tenant_ref,
            "manifest_sha256": hashlib.sha256(text).hexdigest(),
        }
        archive.writestr(MANIFEST, text)
        archive.writestr(SIGNATURE, runtime.vault.sign_receipt(claims))
        archive.close()
        yield sink.taken()


def begin_due(runtime: Runtime) -> int:
    """Carry out every deletion whose grace is over; how many tenants are gone. For the clock's door."""
    with runtime.engine.connect() as plain, for_reading(plain).begin():
        everybody = [each.tenant_id for each in tenants.every(plain)]
        waiting = [
            found
            for tenant_id in everybody
            for found in tenants.deletions(plain, tenant_id)
            if found.state == DELETING
            or (found.state == APPROVED and found.due_at is not None and found.due_at <= runtime.clock())
        ]
    for deletion in waiting:
        carry_out(runtime, deletion.tenant_id)
        runtime.heed()
    return len(waiting)


def carry_out(runtime: Runtime, tenant_id: str) -> Deletion:
    """Delete a tenant whose deletion was approved and whose grace is over; safe to repeat, and after a crash.

    ConflictError if it is not due, NotFoundError for an unknown tenant.
    """
    deletion = _begin(runtime, tenant_id)
    with runtime.vault.alone() as keyring:
        for table in store.key_tables():
            store.delete(keyring, table, tenant_id)
    runtime.vault.forget(tenant_id)
    for table in reversed(store.main_tables()):
        with runtime.work(tenant_id, WORKER, closing=True) as work, work.bookkeeping():
            store.delete(work.connection, table, tenant_id)
        runtime.heed()
    with runtime.decision_log.engine.begin() as log:
        for table in reversed(store.log_tables()):
            store.delete(log, table, tenant_id)
    with runtime.work(tenant_id, WORKER, closing=True) as work, work.bookkeeping():
        # Whoever wrote while their table was emptied is found here; after this nobody can any more.
        for table in reversed(store.main_tables()):
            store.delete(work.connection, table, tenant_id)
        left = sum(store.counts(work.connection, store.main_tables(), tenant_id).values())
        keys = sum(each for name, each in (deletion.rows or {}).items() if name.startswith("keyring."))
        claims = certificate_claims(deletion, at=work.now, keys=keys, left=left)
        certificate = runtime.vault.sign_receipt(claims)
        tenants.change_deletion(
            work.connection,
            tenant_id,
            deletion.deletion_id,
            state=DELETED,
            deleted_at=work.now,
            certificate=certificate,
        )
        tenants.remove(work.connection, tenant_id)
    runtime.forget(tenant_id)
    rewrite(runtime.engine)
    rewrite(runtime.decision_log.engine)
    return certified(runtime, tenant_id)


def certified(runtime: Runtime, tenant_id: str) -> Deletion:
    """The newest deletion of a tenant, also of one that is gone; NotFoundError if there is none."""
    with runtime.engine.connect() as plain, for_reading(plain).begin():
        found = tenants.deletions(plain, tenant_id)
    if not found:
        raise NotFoundError("No deletion of this tenant was ever asked for.")
    return found[0]


def _begin(runtime: Runtime, tenant_id: str) -> Deletion:
    """Close the tenant for everybody else, and count what there is, once."""
    with runtime.work(tenant_id, WORKER, closing=True) as work:
        found = next(
            (
                each
                for each in tenants.deletions(work.connection, tenant_id)
                if each.state in (APPROVED, DELETING)
            ),
            None,
        )
        if found is None or found.due_at is None or found.due_at > work.now:
            raise ConflictError("The deletion of this tenant is not due.", reason="not-due")
        if found.state == DELETING:
            return found
        work.record("tenant.deletion_begun", facts={"deletion": found.deletion_id})
    with runtime.work(tenant_id, WORKER, closing=True) as work:
        ledger.checkpoint(work, runtime.vault.checkpoint_signer("governance"))
    with runtime.work(tenant_id, WORKER, closing=True) as work, work.bookkeeping():
        newest = latest_checkpoint(work.connection, tenant_id)
        counted = {
            f"main.{name}": number
            for name, number in store.counts(work.connection, store.main_tables(), tenant_id).items()
        }
        with runtime.decision_log.engine.connect() as log:
            found_there = store.counts(log, store.log_tables(), tenant_id)
        counted |= {f"decisions.{name}": number for name, number in found_there.items()}
        with runtime.vault.alone() as keyring:
            keys = store.counts(keyring, store.key_tables(), tenant_id)
        counted |= {f"keyring.{name}": number for name, number in keys.items()}
        tenants.set_state(work.connection, tenant_id, CLOSING, work.now)
        tenants.change_deletion(
            work.connection,
            tenant_id,
            found.deletion_id,
            state=DELETING,
            rows=counted,
            checkpoint=None if newest is None else newest.note,
        )
        return next(
            each
            for each in tenants.deletions(work.connection, tenant_id)
            if each.deletion_id == found.deletion_id
        )


def _member(
    archive: zipfile.ZipFile, sink: _Sink, name: str, content: Iterator[bytes], files: dict[str, Any]
) -> Iterator[bytes]:
    """Write one file of the archive, handing on what is ready."""
    digest, size, number = hashlib.sha256(), 0, 0
    with archive.open(name, "w", force_zip64=True) as member:
        for each in content:
            member.write(each)
            digest.update(each)
            size += len(each)
            number += 1
            if len(sink.waiting) >= _CHUNK:
                yield sink.taken()
    files[name] = {"sha256": digest.hexdigest(), "bytes": size, "lines": number}
    yield sink.taken()


def _lines(connection: Any, table: Any, tenant_id: str) -> Iterator[bytes]:
    return (line(row) for row in store.rows(connection, table, tenant_id))


def _people(snap: Snapshot) -> Iterator[bytes]:
    """Contact points of people in the clear; who is erased has none."""
    for row in store.rows(snap.connection, subject, snap.tenant_id):
        if row["erased"] or row["merged_into"] is not None:
            continue
        points = [
            {"type": point.type, "value": subjects.reveal_point(snap, point), "state": point.state}
            for point in subjects.points(snap, str(row["subject_ref"]))
        ]
        yield line({"id": row["external_id"], "country": row["country"], "contact_points": points})


__all__ = ["begin_due", "carry_out", "certified", "export", "leaving"]
