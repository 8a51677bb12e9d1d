"""Restrictions of which a CRM is told, whose workers are killed: for `tests.promises.job_kills`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

import sqlalchemy as sa

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.ledger.store import ledger_entry
from governance.rights import recipients, telling
from governance.rights import service as rights
from governance.rights.intake import NewRequest
from governance.rights.model import FULFILLED, OPEN_STATES
from governance.rights.recipient_store import DONE
from governance.rights.tables import rights_request
from governance.subjects import service as subjects
from governance.subjects.model import SubjectChange, SubjectReference
from retention_jobs import tell_recipients
from retention_jobs.schedule import Job
from tests.promises import far_crm
from tests.promises.job_kills import Flow, counted

_AT_ONCE = 3
_NAMED = ("rights.recipient_told", "rights.fulfilled")
_TABLES = {
    "contact": {
        "data_class": "identification",
        "person": True,
        "keys": [{"column": "id", "matches": "external_id"}],
        "fields": {"name": "identification"},
        "restriction": {"column": "stopped", "on": 1, "off": 0},
    }
}
_SCHEMA = (
    "CREATE TABLE contact (id TEXT PRIMARY KEY, name TEXT, stopped INTEGER)",
    "CREATE TABLE marked (contact TEXT)",
    "CREATE TRIGGER note AFTER UPDATE OF stopped ON contact BEGIN INSERT INTO marked VALUES (NEW.id); END",
)


def _make(runtime: Runtime, number: int) -> list[tuple[str, str]]:
    """Three people who ask for a restriction, and one who does not; gives their ids and the requests'."""
    if number == 0:
        far_crm.register(runtime, _TABLES, *_SCHEMA)
    ids = [f"crm-{number}-{each}" for each in range(_AT_ONCE + 1)]
    with far_crm.engine(runtime).begin() as connection:
        for each in ids:
            connection.execute(sa.text("INSERT INTO contact VALUES (:id, 'x', 0)"), {"id": each})
    made = []
    with runtime.work("acme", COMMAND_LINE) as work:
        for each in ids:
            subjects.put(work, each, SubjectChange(country="DE"))
        for each in ids[:-1]:
            asked = rights.submit(work, NewRequest("restriction", [SubjectReference(id=each)]))
            identity = asked.identities[0].identity_id
            rights.check(work, asked.request_id, identity, method="staff", evidence={"seen": "passport"})
            made.append((each, asked.request_id))
    return made


def _left(runtime: Runtime) -> int:
    return counted(runtime, sa.select(sa.func.count()).where(rights_request.c.state.in_(OPEN_STATES)))


def _faults(runtime: Runtime, made: Sequence[list[tuple[str, str]]]) -> Iterator[str]:
    asked = [pair for pairs in made for pair in pairs]
    with far_crm.engine(runtime).connect() as connection:
        stopped = set(connection.exec_driver_sql("SELECT id FROM contact WHERE stopped = 1").scalars())
        marked = Counter(connection.exec_driver_sql("SELECT contact FROM marked").scalars())
    if stopped != {external_id for external_id, _ in asked}:
        yield "the CRM has not marked exactly those who asked"
    yield from (f"{times} times marked: {each}" for each, times in marked.items() if times != 1)
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        for external_id, request_id in asked:
            dossier = rights.open_dossier(snapshot, request_id)
            told = [(each.system_id, each.status) for each in recipients.of_request(snapshot, request_id)]
            if (dossier.request.state, told) != (FULFILLED, [("crm", DONE)]):
                yield f"{request_id} is {dossier.request.state}, with {told}"
            written = Counter(each["kind"] for each in rights.letters_of(snapshot, request_id))
            if written["fulfilment"] != 1:
                yield f"{request_id}: {written['fulfilment']} letters of the answer"
            if not subjects.get(snapshot, external_id).restricted:
                yield f"{external_id} is not restricted"
        query = sa.select(ledger_entry.c.kind, sa.func.count()).group_by(ledger_entry.c.kind)
        kinds = {row[0]: row[1] for row in snapshot.connection.execute(query)}
    yield from (
        f"{kind} was told {kinds.get(kind)} times, of {len(asked)}"
        for kind in _NAMED
        if kinds.get(kind) != len(asked)
    )


def _shorten() -> None:
    telling.rest = lambda attempts: timedelta(seconds=0.2)


RECIPIENTS = Flow(
    (Job("tell-recipients", 1, tell_recipients.run, "tells who holds a copy"),),
    _make,
    _left,
    _faults,
    _shorten,
)
