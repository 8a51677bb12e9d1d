"""Our own data at its term, whose workers are killed: what `tests.promises.job_kills` is fed with."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.communications.store import message
from governance.imports.store import import_error, import_run
from governance.ledger.store import ledger_entry
from governance.rights import service as rights
from governance.rights.intake import NewRequest
from governance.rights.tables import rights_request
from governance.subjects import service as subjects
from governance.subjects.model import SubjectChange, SubjectReference
from governance.vault.model import EVIDENCE
from retention_jobs import end_own_data
from retention_jobs.schedule import Job
from tests.promises.job_kills import Flow, counted

_OLD = datetime(2010, 1, 1, tzinfo=UTC)
_AT_ONCE = 5
"""Rows of each kind; the batch in the workers is smaller, so that each kind takes several."""


@dataclass(frozen=True)
class Made:
    """Ids of what is over, and of what is not: the last of each kind."""

    imports: list[str]
    messages: list[str]
    requests: list[str]


def _make(runtime: Runtime, number: int) -> Made:
    """Rows that were written long ago, and of each kind one that is young; their dates are set by hand."""
    names = [f"{number:04d}-{each}" for each in range(_AT_ONCE + 1)]
    made = Made([f"imp_{each}" for each in names], [f"msg_{each}" for each in names], [])
    with runtime.work("acme", COMMAND_LINE) as work:
        ref = subjects.put(work, f"crm-{number}", SubjectChange(country="DE")).subject_ref
        for _ in names:
            new = NewRequest("access", [SubjectReference(id=f"crm-{number}")])
            made.requests.append(rights.submit(work, new).request_id)
            rights.refuse(work, made.requests[-1], ground="identity-not-verified")
        for index, (import_id, message_ref) in enumerate(zip(made.imports, made.messages, strict=True)):
            at = work.now if index == _AT_ONCE else _OLD
            with work.bookkeeping():
                _insert(work.connection, ref, import_id, message_ref, at)
        with work.bookkeeping():
            work.connection.execute(
                sa.update(rights_request)
                .where(rights_request.c.request_id.in_(made.requests[:-1]))
                .values(closed_at=_OLD, recorded_at=_OLD, received_at=_OLD)
            )
    return made


def _insert(connection: sa.Connection, ref: str, import_id: str, message_ref: str, at: datetime) -> None:
    run = {
        "tenant_id": "acme", "import_id": import_id, "state": "completed", "mapping_name": "m",
        "mapping_text": "", "file_sha256": "", "mapping_sha256": "", "position": 1, "counts": {},
        "started_at": at, "finished_at": at,
    }  # fmt: skip
    error = {"row_number": 1, "sentence": "No.", "column_name": "email", "row_sealed": b"sealed"}
    connection.execute(sa.insert(import_run).values(**run))
    connection.execute(sa.insert(import_error).values(tenant_id="acme", import_id=import_id, **error))
    sent = {
        "tenant_id": "acme", "message_id": message_ref, "message_ref": message_ref, "subject_ref": ref,
        "purpose": "marketing", "channel": "email", "message_class": "promotional", "commercial": True,
        "decision_id": "dec_none", "status": "authorised", "hand_over_by": at, "authorised_at": at,
        "event_id": "evt_none",
    }  # fmt: skip
    connection.execute(sa.insert(message).values(**sent))


def _kept(runtime: Runtime) -> dict[str, list[str]]:
    """What still says something, by kind."""
    forgotten = rights_request.c.content_sealed.is_not(None)
    queries = {
        "import-errors": sa.select(import_error.c.import_id),
        "messages": sa.select(message.c.message_ref),
        "requests": sa.select(rights_request.c.request_id).where(forgotten),
    }
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        return {name: sorted(snapshot.connection.scalars(query)) for name, query in queries.items()}


def _left(runtime: Runtime) -> int:
    forgotten = rights_request.c.content_sealed.is_not(None)
    error, run = import_error.c, import_run.c
    queries = (
        sa.select(sa.func.count()).select_from(import_error).where(
            error.import_id.in_(sa.select(run.import_id).where(run.finished_at == _OLD))
        ),
        sa.select(sa.func.count()).where(message.c.authorised_at == _OLD),
        sa.select(sa.func.count()).where(rights_request.c.closed_at == _OLD, forgotten),
    )  # fmt: skip
    return counted(runtime, *queries)


def _faults(runtime: Runtime, made: Sequence[Made]) -> Iterator[str]:
    named = {
        "import-errors": [each.imports for each in made],
        "messages": [each.messages for each in made],
        "requests": [each.requests for each in made],
    }
    kept = _kept(runtime)
    for name, ids in named.items():
        if kept[name] != sorted(each[-1] for each in ids):
            yield f"{name}: {len(kept[name])} rows are kept, not exactly the {len(ids)} young ones"
    told: Counter[str] = Counter()
    forgotten: Counter[str] = Counter()
    query = sa.select(ledger_entry.c.kind, ledger_entry.c.leaf).where(
        ledger_entry.c.kind.in_(("retention.own_data_ended", "rights.forgotten"))
    )
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        for kind, leaf in snapshot.connection.execute(query):
            facts = json.loads(leaf)["facts"]
            if kind == "rights.forgotten":
                forgotten[facts["request"]] += 1
            else:
                told[facts["kind"]] += facts["count"]
    wanted = _AT_ONCE * len(made)
    yield from (f"{name}: {told[name]} ends were told of {wanted}" for name in named if told[name] != wanted)
    for each in (each for ids in named["requests"] for each in ids[:-1]):
        if forgotten[each] != 1:
            yield f"{each} was forgotten {forgotten[each]} times"
        if not runtime.vault.is_shredded("acme", each, EVIDENCE):
            yield f"the key of {each} is there still"


def _shorten() -> None:
    end_own_data._BATCH = 2


OWN_DATA = Flow(
    (Job("end-own-data", 1, end_own_data.run, "ends what is over"),), _make, _left, _faults, _shorten
)
