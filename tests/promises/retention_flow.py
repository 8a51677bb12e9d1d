"""Retention whose workers are killed: proposed, approved, and ended in a CRM."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.ledger.store import ledger_entry
from governance.retention import dispositions, record_store, records, run_store, settings
from governance.retention.disposition_store import OPEN_STATES
from governance.retention.records import NewRecord
from governance.retention.run_store import disposition
from governance.retention.store import governed_record
from retention_jobs import carry_out_retention, sweep_retention
from retention_jobs.schedule import Job
from tests.promises import far_crm
from tests.promises.job_kills import LEASE, Flow, counted

_AT_ONCE = 12
_OLD, _YOUNG = datetime(2012, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
_TABLES = {
    "contact": {
        "data_class": "identification",
        "person": True,
        "keys": [{"column": "id", "matches": "external_id"}],
        "fields": {"id": "identification"},
    },
    "answer": {
        "data_class": "decisions",
        "keys": [{"column": "of_contact", "matches": "external_id"}],
        "fields": {"body": "decisions"},
        "record_key": "id",
    },
}
_SCHEMA = (
    "CREATE TABLE contact (id TEXT PRIMARY KEY)",
    "CREATE TABLE answer (id TEXT PRIMARY KEY, of_contact TEXT, body TEXT)",
)


def _make(runtime: Runtime, number: int) -> list[str]:
    """Some records whose time is over, and one whose is not."""
    if number == 0:
        far_crm.register(runtime, _TABLES, *_SCHEMA)
        with runtime.work("acme", COMMAND_LINE) as work:
            settings.put(work, percent=100, count=1_000_000)
    ids = [f"r-{number}-{each}" for each in range(_AT_ONCE + 1)]
    with far_crm.engine(runtime).begin() as connection:
        for each in ids:
            connection.execute(sa.text("INSERT INTO answer VALUES (:id, 'crm-0', 'x')"), {"id": each})
    with runtime.work("acme", COMMAND_LINE) as work:
        told = [
            NewRecord("crm", each, None, "decisions", _YOUNG if each == ids[-1] else _OLD) for each in ids
        ]
        assert all(each.created for each in records.put_many(work, told))
    return ids


def _left(runtime: Runtime) -> int:
    over = sa.select(sa.func.count()).where(
        governed_record.c.tenant_id == "acme", governed_record.c.created_at == _OLD
    )
    return counted(runtime, over, sa.select(sa.func.count()).where(disposition.c.state.in_(OPEN_STATES)))


def _faults(runtime: Runtime, made: Sequence[list[str]]) -> Iterator[str]:
    gone = [each for ids in made for each in ids[:-1]]
    stay = sorted(ids[-1] for ids in made)
    with far_crm.engine(runtime).connect() as connection:
        if sorted(connection.exec_driver_sql("SELECT id FROM answer").scalars()) != stay:
            yield "the CRM does not hold exactly what is to stay"
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        keys = [("crm", each) for each in stay]
        if len(record_store.find_many(snapshot.connection, "acme", keys)) != len(stay):
            yield "a record that is to stay is watched no longer"
        ended = Counter(
            snapshot.connection.scalars(
                sa.select(disposition.c.record_id).where(disposition.c.state == "done")
            )
        )
        told = sa.select(sa.func.count()).where(ledger_entry.c.kind == "retention.disposition_done")
        events = snapshot.connection.scalar(told)
    yield from (f"{ended[each]} times ended: {each}" for each in sorted({*gone, *ended}) if ended[each] != 1)
    if events != len(gone):
        yield f"{events} ends were told of {len(gone)}"


def _shorten() -> None:
    run_store.LEASE = timedelta(seconds=LEASE)
    dispositions.LEASE = timedelta(seconds=LEASE)


RETENTION = Flow(
    (
        Job("sweep-retention", 1, sweep_retention.run, "proposes what is due"),
        Job("carry-out-retention", 1, carry_out_retention.run, "ends what was approved"),
    ),
    _make,
    _left,
    _faults,
    _shorten,
)
