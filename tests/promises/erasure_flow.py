"""Erasures whose workers are killed: what `tests.promises.job_kills` is fed with."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

import sqlalchemy as sa

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.erasure import saga, service, store
from governance.erasure.model import COMPLETE, OPEN
from governance.erasure.tables import erasure
from governance.ledger.store import ledger_entry
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectChange
from retention_jobs import run_erasures
from retention_jobs.schedule import Job
from tests.promises import far_crm
from tests.promises.job_kills import LEASE, Flow, counted

_AT_ONCE = 3
_TABLES = {
    "contact": {
        "data_class": "identification",
        "person": True,
        "keys": [{"column": "id", "matches": "external_id"}],
        "fields": {"email": "contact_details"},
    },
    "note": {
        "data_class": "interactions",
        "keys": [{"column": "of_contact", "matches": "external_id"}],
        "fields": {"body": {"data_class": "interactions", "free_text": True}},
    },
}
_SCHEMA = (
    "CREATE TABLE contact (id TEXT PRIMARY KEY, email TEXT)",
    "CREATE TABLE note (id INTEGER PRIMARY KEY, of_contact TEXT, body TEXT)",
)


def _make(runtime: Runtime, number: int) -> list[str]:
    """Three people who are to be erased and one who stays, in both databases.

    Each has two rows there; one of them holds two classes of data, so a step counts three.
    """
    if number == 0:
        far_crm.register(runtime, _TABLES, *_SCHEMA)
    ids = [f"crm-{number}-{each}" for each in range(_AT_ONCE + 1)]
    with far_crm.engine(runtime).begin() as connection:
        for each in ids:
            connection.execute(sa.text("INSERT INTO contact VALUES (:id, :id)"), {"id": each})
            connection.execute(sa.text("INSERT INTO note (of_contact, body) VALUES (:id, 'x')"), {"id": each})
    with runtime.work("acme", COMMAND_LINE) as work:
        for each in ids:
            change = SubjectChange(identifiers=(Identifier("email", f"{each}@example.org"),))
            ref = subjects.put(work, each, change).subject_ref
            if each != ids[-1]:
                service.order(work, ref, reason="rights_request", undo_hours=0)
    return ids


def _left(runtime: Runtime) -> int:
    return counted(runtime, sa.select(sa.func.count()).where(erasure.c.status.in_(OPEN)))


def _faults(runtime: Runtime, made: Sequence[list[str]]) -> Iterator[str]:
    gone = [each for ids in made for each in ids[:-1]]
    stay = [ids[-1] for ids in made]
    with far_crm.engine(runtime).connect() as connection:
        contacts = sorted(connection.exec_driver_sql("SELECT id FROM contact").scalars())
        notes = sorted(connection.exec_driver_sql("SELECT of_contact FROM note").scalars())
    if contacts != sorted(stay) or notes != sorted(stay):
        yield f"the CRM holds {len(contacts)} contacts and {len(notes)} notes, not {len(stay)} of each"
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        done = service.listed(snapshot, limit=10_000)
        for each in done:
            rows = {step.system: step.rows for step in each.steps}
            if each.status != COMPLETE or rows["crm"] != 3:
                yield f"{each.erasure_id} is {each.status} with {rows}"
            if not subjects.get_by_ref(snapshot, each.subject_ref).erased:
                yield f"{each.erasure_id}: the person's record is not blank"
        if len(done) != len(gone):
            yield f"{len(done)} erasures of {len(gone)}"
        kinds = sa.select(ledger_entry.c.subject_ref, ledger_entry.c.kind)
        told = Counter(tuple(row) for row in snapshot.connection.execute(kinds))
    for each in done:
        for kind in ("erasure.ordered", "erasure.begun", "subject.erased", "erasure.completed"):
            if told[each.subject_ref, kind] != 1:
                yield f"{each.erasure_id}: {kind} was told {told[each.subject_ref, kind]} times"


def _shorten() -> None:
    store.LEASE = timedelta(seconds=LEASE)
    saga.LEASE = timedelta(seconds=LEASE)


ERASURES = Flow(
    (Job("run-erasures", 1, run_erasures.run, "carries erasures out"),), _make, _left, _faults, _shorten
)
