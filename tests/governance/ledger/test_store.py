"""The insert-only tables on each database, and the triggers that keep them so."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from governance.events import Sealed
from governance.ledger import service, store, triggers
from governance.ledger.note import NoteSigner

ENTRY, CHECKPOINT = store.ledger_entry, store.ledger_checkpoint


@pytest.fixture
def filled(engine: Engine, open_work: Callable[..., Any], signer: NoteSigner) -> Engine:
    with open_work() as work:
        work.record("consent.granted", subject_ref="sub_1", sealed=Sealed(b"secret", "ab" * 32))
        work.record("consent.granted", subject_ref="sub_2", sealed=Sealed(b"other", "cd" * 32))
    with open_work() as work:
        service.checkpoint(work, signer)
    return engine


@pytest.mark.parametrize("column", [column.name for column in ENTRY.c if column.name != "payload"])
def test_no_column_of_an_entry_can_be_changed(filled: Engine, column: str) -> None:
    values: dict[str, Any] = {"position": 9, "leaf": b"x", "leaf_hash": b"x", "at": sa.null()}
    new = values.get(column, "x")
    # Also not together with an erasure, which alone would be let through.
    for change in ({column: new}, {column: new, "payload": None}):
        with pytest.raises(sa.exc.DBAPIError), filled.begin() as connection:
            connection.execute(
                sa.update(ENTRY).where(ENTRY.c.tenant_id == "acme", ENTRY.c.position == 0).values(**change)
            )


def test_entries_and_checkpoints_cannot_be_deleted_nor_payloads_replaced(filled: Engine) -> None:
    for statement in (
        sa.delete(ENTRY).where(ENTRY.c.tenant_id == "acme"),
        sa.update(ENTRY).where(ENTRY.c.tenant_id == "acme").values(payload=b"forged"),
        sa.delete(CHECKPOINT).where(CHECKPOINT.c.tenant_id == "acme"),
        sa.update(CHECKPOINT).where(CHECKPOINT.c.tenant_id == "acme").values(note="forged"),
    ):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), filled.begin() as connection:
            connection.execute(statement)
    if filled.dialect.name == "postgresql":
        for table in triggers.INSERT_ONLY:
            with pytest.raises(sa.exc.DBAPIError, match="append-only"), filled.begin() as connection:
                connection.exec_driver_sql(f"TRUNCATE {table}")


def test_a_payload_can_be_erased_and_only_that_persons(filled: Engine, open_work: Callable[..., Any]) -> None:
    with open_work() as work:
        assert service.clear_payloads(work, subject_ref="sub_1") == 1
        work.record("subject.erased", subject_ref="sub_1")
    with filled.connect() as connection:
        payloads = [each.payload for each in service.entries(connection, "acme")]
    assert payloads == [None, b"other", None]


def test_triggers_can_be_installed_twice_and_taken_away(filled: Engine) -> None:
    with filled.begin() as connection:
        triggers.install_triggers(connection)
        triggers.remove_triggers(connection)
        gone = connection.execute(sa.delete(ENTRY).where(ENTRY.c.tenant_id == "acme"))
    assert gone.rowcount == 2


def test_the_triggers_name_every_column_but_the_payload() -> None:
    sqlite = triggers.statements("sqlite")[0]
    assert all(
        f"NEW.{column.name} IS OLD.{column.name}" in sqlite for column in ENTRY.c if column.name != "payload"
    )


def test_an_event_enters_a_tenants_ledger_only_once(engine: Engine, open_work: Callable[..., Any]) -> None:
    with open_work() as work:
        work.record("consent.granted", event_id="evt_1")
    with open_work("other") as work:
        work.record("consent.granted", event_id="evt_1")
    with pytest.raises(sa.exc.IntegrityError), open_work() as work:
        work.record("consent.granted", event_id="evt_1")
    with engine.connect() as connection:
        assert service.head(connection, "acme")[0] == 1
