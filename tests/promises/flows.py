"""Kinds of work whose workers are killed: what `tests.promises.job_kills` is fed with."""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from hashlib import sha256

import sqlalchemy as sa

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.commands import sample
from governance.consent import service as consent
from governance.consent.service import NewConsent
from governance.database import for_reading
from governance.imports import service as imports
from governance.imports import store as import_store
from governance.imports.runs import COUNTS
from governance.ledger.store import ledger_entry
from governance.queue import service as queue
from governance.queue.model import WAITING, Claim
from governance.queue.store import queue_slot
from governance.subjects import service as subjects
from governance.subjects.model import SubjectChange
from retention_jobs import expire_consents, run_imports
from retention_jobs.schedule import Job
from tests.promises.job_kills import LEASE, Flow, counted
from tests.promises.servers import ROOT

# Work with an effect that nothing keeps unique: rows in a table, one for each slot that was put by name.

tally = sa.Table("tally", sa.MetaData(), sa.Column("slot", sa.Text))
AT_ONCE = 3


def _make_tally(runtime: Runtime, number: int) -> list[str]:
    tally.metadata.create_all(runtime.engine)
    slots = [f"{number}-{each}" for each in range(AT_ONCE)]
    with runtime.engine.connect() as connection, connection.begin():
        for slot in slots:
            assert queue.put(connection, "tally", slot, runtime.clock())
    return slots


def _left_tally(runtime: Runtime) -> int:
    with runtime.engine.connect() as plain, for_reading(plain).begin():
        unfinished = sa.select(sa.func.count()).where(
            queue_slot.c.kind == "tally", queue_slot.c.state == WAITING, queue_slot.c.slot.like("%-_")
        )
        return plain.scalar(unfinished) or 0


def _tally_faults(runtime: Runtime, made: Sequence[list[str]]) -> Iterator[str]:
    with runtime.engine.connect() as connection:
        found = Counter(connection.scalars(sa.select(tally.c.slot)))
    wanted = Counter(slot for slots in made for slot in slots)
    both = sorted(wanted | found)
    yield from (f"{found[slot]} times: {slot}" for slot in both if found[slot] != wanted[slot])


def _count(own: Runtime) -> int:
    """The effect and the end of the slot are one transaction."""
    claim = own.resources[Claim]
    assert isinstance(claim, Claim)
    with own.engine.connect() as connection, connection.begin():
        own.fence(connection)
        if not claim.slot.endswith("Z"):  # the timetable's own slots are nobody's work
            connection.execute(sa.insert(tally).values(slot=claim.slot))
        assert queue.complete(connection, claim, now=own.clock())
    return 1


def _count_first(own: Runtime) -> int:
    """The seeded bug: the effect is committed first, the slot ends in another transaction."""
    claim = own.resources[Claim]
    assert isinstance(claim, Claim)
    with own.engine.connect() as connection, connection.begin():
        if not claim.slot.endswith("Z"):
            connection.execute(sa.insert(tally).values(slot=claim.slot))
    return 1


TALLY = Flow(
    (Job("tally", 3600, _count, "counts slots", at_once=4),), _make_tally, _left_tally, _tally_faults
)
HASTY_TALLY = Flow(
    (Job("tally", 3600, _count_first, "counts slots", at_once=4),), _make_tally, _left_tally, _tally_faults
)

# Uploaded files, taken in batch by batch.

_MAPPING = ROOT / "governance/commands/demo.mapping.yaml"
_ROWS = 400


def _make_import(runtime: Runtime, number: int) -> str:
    content = _sample(number)
    with runtime.work("acme", COMMAND_LINE) as work:
        run = imports.begin(
            work,
            mapping_name="m.yaml",
            mapping_text=_MAPPING.read_text(),
            file_sha256=sha256(content).hexdigest(),
            total=None,
        )
        imports.keep_file(work, run.import_id, content)
    return run.import_id


def _sample(number: int) -> bytes:
    text = io.StringIO(newline="")
    sample.write(text, subjects=_ROWS, seed=number)
    return text.getvalue().replace("lead-", f"lead-{number}-").replace("person", f"person-{number}-").encode()


def _left_imports(runtime: Runtime) -> int:
    return counted(runtime, sa.select(sa.func.count()).where(import_store.import_run.c.state == "running"))


def _import_faults(runtime: Runtime, made: Sequence[str]) -> Iterator[str]:
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        for import_id in made:
            run = imports.get(snapshot, import_id)
            wanted = {name: run.counts[name] for name in COUNTS if name in ("rows", "created")}
            if (run.state, wanted) != ("completed", {"rows": _ROWS, "created": _ROWS}):
                yield f"{import_id} is {run.state} with {wanted}"
        kinds = sa.select(ledger_entry.c.kind, sa.func.count()).group_by(ledger_entry.c.kind)
        told = {row[0]: row[1] for row in snapshot.connection.execute(kinds)}
    if told["subject.created"] != _ROWS * len(made):
        yield f"{told['subject.created']} people were created of {_ROWS * len(made)}"
    if told["import.completed"] != len(made):
        yield f"{told['import.completed']} imports ended of {len(made)}"


def _shorten_imports() -> None:
    imports.LEASE = timedelta(seconds=LEASE)


# Consents that were given for a time and have run out: each end is told once.

_PEOPLE = 60


def _make_expiry(runtime: Runtime, number: int) -> int:
    with runtime.work("acme", COMMAND_LINE) as work:
        for each in range(_PEOPLE):
            ref = subjects.put(work, f"crm-{number}-{each}", SubjectChange(country="US")).subject_ref
            said = NewConsent(
                ref,
                "marketing",
                "granted",
                "web_form",
                channel="email",
                occurred_at=work.now - timedelta(days=2),
                expires_at=work.now - timedelta(days=1),
                evidence={"form_url": "https://shop.example/join"},
            )
            consent.record(work, said)
    return _PEOPLE


def _left_expiry(runtime: Runtime) -> int:
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        return len(consent.people_with_expired(snapshot, 1000))


def _expiry_faults(runtime: Runtime, made: Sequence[int]) -> Iterator[str]:
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        query = sa.select(ledger_entry.c.subject_ref).where(ledger_entry.c.kind == "consent.expired")
        told = Counter(snapshot.connection.scalars(query))
    if len(told) != sum(made):
        yield f"the end of {len(told)} consents was told, of {sum(made)}"
    yield from (f"told {times} times: {ref}" for ref, times in told.items() if times != 1)


EXPIRIES = Flow(
    (Job("expire-consents", 1, expire_consents.run, "notes ends"),),
    _make_expiry,
    _left_expiry,
    _expiry_faults,
)

IMPORTS = Flow(
    (Job("run-imports", 1, run_imports.run, "takes in files"),),
    _make_import,
    _left_imports,
    _import_faults,
    _shorten_imports,
)
