"""The decision log: its own engine and tables, rows with salted commitments, batches with a root.

A check's row is committed before the check is answered, so a killed process loses nothing that it answered.
On SQLite the log is synced to the disk when a batch is closed, not for every check; a batch's root enters
the ledger only after that sync. The decision behind an act is never here but in the act's own transaction.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from governance.database import as_database_error, make_engine
from governance.decisions import store
from governance.decisions.keeping import KeptDecision, body_of, columns_of, commitment, kept
from governance.decisions.record import DecisionRecord
from governance.decisions.store import decision_batch, decision_log_metadata, logged_decision
from governance.errors import NotReadyError
from governance.ids import random_bytes
from governance.ledger import merkle
from governance.settings import Settings
from governance.work import Work

_written = json.JSONEncoder(separators=(",", ":")).encode

BATCH_ROWS = 10_000
"""The most rows that one batch takes."""

_COLUMNS = [column for column in logged_decision.columns if column.name != "batch_id"]


class DecisionLog:
    """Where the decisions of checks are kept. One for a process; safe to share between threads."""

    def __init__(self, url: str) -> None:
        """Open the log at a SQLAlchemy URL; `open` is the way in that also looks whether it is usable."""
        self.engine: Engine = make_engine(url, full_sync=False)
        # Closing a batch must not return before all rows of it are on the disk: its engine syncs every
        # commit, and syncing SQLite's write-ahead log syncs what other connections wrote into it before.
        self._syncing: Engine = make_engine(url, full_sync=True, pool_size=1)
        insert = sa.insert(logged_decision).values(
            {column.name: sa.bindparam(column.name) for column in _COLUMNS}
        )
        compiled = insert.compile(dialect=self.engine.dialect)
        self._insert = str(compiled)
        self._begins = self.engine.dialect.name == "sqlite"
        self._order: Sequence[str] | None = compiled.positiontup
        self._binders = {column.name: column.type.bind_processor(self.engine.dialect) for column in _COLUMNS}

    @classmethod
    def create(cls, settings: Settings) -> None:
        """Make the log's tables where there are none (the migrations of an installation do the same)."""
        log = cls(settings.decision_log_url)
        try:
            with log.engine.begin() as connection:
                decision_log_metadata.create_all(connection)
        finally:
            log.close()

    @classmethod
    def open(cls, settings: Settings) -> "DecisionLog":
        """Open the log; raises NotReadyError if it is not there or has no tables."""
        address = sa.engine.make_url(settings.decision_log_url)
        file = address.database if address.get_backend_name() == "sqlite" else None
        if file and not Path(file).exists():  # connecting would make an empty one
            raise NotReadyError("There is no decision log yet; run `governance init`.")
        log = cls(settings.decision_log_url)
        if not log.ping():
            log.close()
            raise NotReadyError("The decision log has no tables yet; run `governance init`.")
        return log

    def ping(self) -> bool:
        """Whether the log can be reached and has its tables."""
        try:
            with self.engine.connect() as connection:
                connection.execute(sa.select(logged_decision.c.decision_id).limit(1)).all()
        except sa.exc.DBAPIError:
            return False
        return True

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()
        self._syncing.dispose()

    def append(self, tenant_id: str, records: Sequence[DecisionRecord]) -> None:
        """Log decisions durably, all in one commit. Nothing may be answered before this returns."""
        if not records:
            return
        rows = [self._bound(self.row_of(tenant_id, record)) for record in records]
        # The driver's own connection: this commit stands in the way of every answer.
        raw = self.engine.raw_connection()
        try:
            cursor = raw.cursor()
            if self._begins:
                cursor.execute("BEGIN IMMEDIATE")
            if len(rows) == 1:
                cursor.execute(self._insert, rows[0])
            else:
                cursor.executemany(self._insert, rows)
            raw.commit()
        except self.engine.dialect.loaded_dbapi.Error as problem:
            raise as_database_error(self.engine.dialect, problem) from problem
        finally:
            # Rolls back what was not committed.
            raw.close()

    @staticmethod
    def row_of(tenant_id: str, record: DecisionRecord) -> dict[str, Any]:
        """The log's row of a decision, with a fresh salt and the commitment under it."""
        row = columns_of(record, tenant_id)
        row["body"] = _written(body_of(record))
        row["salt"] = random_bytes(16)
        row["commitment"] = commitment(row["salt"], row)
        return row

    def _bound(self, row: dict[str, Any]) -> Any:
        for name, process in self._binders.items():
            if process is not None:
                row[name] = process(row[name])
        return tuple(row[name] for name in self._order) if self._order is not None else row

    def find(self, tenant_id: str, decision_id: str) -> KeptDecision | None:
        """The logged decision of this id."""
        with self.engine.connect() as connection:
            row = store.find(logged_decision, connection, tenant_id, decision_id)
        return None if row is None else kept(row, act=False)

    def page(
        self,
        tenant_id: str,
        *,
        subject_ref: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        allowed: bool | None = None,
        action: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[KeptDecision]:
        """Logged decisions, newest first, older than the id `after`; `until` is excluded."""
        with self.engine.connect() as connection:
            rows = store.page(
                logged_decision,
                connection,
                tenant_id,
                subject_ref=subject_ref,
                since=since,
                until=until,
                allowed=allowed,
                action=action,
                after=after,
                limit=limit,
            )
        return [kept(row, act=False) for row in rows]

    def erase(self, tenant_id: str, subject_ref: str) -> int:
        """Empty every row of a person: what was asked, known and answered, and the salt. Returns how many.

        The commitment stays, so the batch still proves that nothing was added or taken away.
        """
        with self._syncing.begin() as connection:
            done = connection.execute(
                sa.update(logged_decision)
                .where(logged_decision.c.tenant_id == tenant_id, logged_decision.c.subject_ref == subject_ref)
                .values(subject_ref=None, body=None, salt=None, codes="", caller_ref="")
            )
        return int(done.rowcount)

    def seal_batch(self, work: Work, *, most: int = BATCH_ROWS) -> str | None:
        """Close the open rows as a batch and tell the ledger its root; None if there is nothing to tell.

        Safe to repeat and to kill at any line: a batch is closed and synced in the log first, its event is
        then recorded in this unit of work, and only a later call that finds it there marks the batch as
        recorded.
        """
        self._settle(work)
        waiting = self._waiting(work.tenant_id)
        batch = self._close(work, most) if waiting is None else waiting
        if batch is None:
            return None
        work.record(
            "decisions.sealed",
            facts={"batch": batch["batch_id"], "count": batch["count"], "root": batch["root"]},
            event_id=batch["event_id"],
        )
        store.add_seal(
            work.connection,
            {name: batch[name] for name in ("tenant_id", "batch_id", "count", "root", "event_id")}
            | {"sealed_at": work.now},
        )
        return str(batch["batch_id"])

    def _waiting(self, tenant_id: str) -> dict[str, Any] | None:
        """The oldest closed batch that the ledger has not been told of."""
        query = (
            sa.select(decision_batch)
            .where(decision_batch.c.tenant_id == tenant_id, decision_batch.c.recorded.is_(False))
            .order_by(decision_batch.c.batch_id)
            .limit(1)
        )
        with self.engine.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else dict(row)

    def _settle(self, work: Work) -> None:
        """Mark the batches whose seal this unit of work can see committed."""
        told = store.seals(work.connection, work.tenant_id)
        open_batches = sa.select(decision_batch.c.batch_id).where(
            decision_batch.c.tenant_id == work.tenant_id, decision_batch.c.recorded.is_(False)
        )
        with self._syncing.begin() as connection:
            done = [each for each in connection.execute(open_batches).scalars() if each in told]
            if done:
                connection.execute(
                    sa.update(decision_batch)
                    .where(decision_batch.c.tenant_id == work.tenant_id, decision_batch.c.batch_id.in_(done))
                    .values(recorded=True)
                )

    def _close(self, work: Work, most: int) -> dict[str, Any] | None:
        """Close up to `most` open rows as a batch, synced to the disk on return."""
        table = logged_decision
        query = (
            sa.select(table.c.decision_id, table.c.commitment)
            .where(table.c.tenant_id == work.tenant_id, table.c.batch_id.is_(None))
            .order_by(table.c.decision_id)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        with self._syncing.begin() as connection:
            rows = connection.execute(query).all()
            if not rows:
                return None
            batch = {
                "tenant_id": work.tenant_id,
                "batch_id": work.new_id("bat"),
                "count": len(rows),
                "root": root_of([row.commitment for row in rows]),
                "event_id": work.new_id("evt"),
                "closed_at": work.now,
                "recorded": False,
            }
            connection.execute(sa.insert(decision_batch), batch)
            connection.execute(
                sa.update(table)
                .where(table.c.tenant_id == work.tenant_id, table.c.decision_id == sa.bindparam("row"))
                .values(batch_id=batch["batch_id"]),
                [{"row": row.decision_id} for row in rows],
            )
        return batch

    def verify(self, tenant_id: str, told: dict[str, tuple[int, str]]) -> list[str]:
        """Check every row against its commitment and every batch against what the ledger was told.

        `told` is `store.seals(…)`: batch id to (count, root). Returns a sentence for each fault, none if
        sound.
        """
        faults: list[str] = []
        leaves: dict[str, list[bytes]] = {}
        query = (
            sa.select(logged_decision)
            .where(logged_decision.c.tenant_id == tenant_id)
            .order_by(logged_decision.c.decision_id)
            .execution_options(yield_per=1000)
        )
        with self.engine.connect() as connection:
            for row in connection.execute(query).mappings():
                if row["salt"] is not None and commitment(row["salt"], dict(row)) != row["commitment"]:
                    faults.append(f"Decision {row['decision_id']} was changed after it was logged.")
                if row["batch_id"] is not None:
                    leaves.setdefault(row["batch_id"], []).append(row["commitment"])
        for batch_id, (count, root) in told.items():
            found = leaves.get(batch_id, [])
            if len(found) != count or root_of(found) != root:
                faults.append(
                    f"Batch {batch_id} of the decision log is not the one that the ledger was told of."
                )
        return faults


def root_of(commitments: Sequence[bytes]) -> str:
    """The Merkle root (64 hex digits) over a batch's commitments, in the order of the decisions' ids."""
    return merkle.tree_root([merkle.leaf_hash(bytes(each)) for each in commitments]).hex()
