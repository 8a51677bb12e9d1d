"""The keyring: a database of its own that holds wrapped keys and nothing else.

SQLite: a second file in rollback-journal mode with `secure_delete=ON`, so that a deleted key leaves no copy
in a write-ahead log or on a free page; `synchronous=EXTRA`, since with FULL a power cut just after the commit
may bring the journal back and undo it, which must not happen to a destroyed key.
PostgreSQL: a database of its own, best in a cluster of its own, with a short backup life. Dead rows stay in
its files until VACUUM and in its log until that is recycled; opening a new epoch and destroying the old one
(`governance.vault.rotation`) makes them useless.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine, make_url

from governance.database import Instant
from governance.errors import NotReadyError

SCHEMA_VERSION = 1
WRAPPED_BYTES = 60
"""Length of a wrapped 32-byte key: nonce, ciphertext, tag."""

_LOCK = 0x6B657972696E67
"""The number of the keyring's advisory lock on PostgreSQL."""

keyring_metadata = sa.MetaData()
"""Every table of the keyring."""

keyring_meta = sa.Table(
    "keyring_meta",
    keyring_metadata,
    sa.Column("meta_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("root_check", sa.LargeBinary, nullable=False),
)
"""One row. `root_check` opens under the root key that this keyring was made with, and under no other."""

epoch_key = sa.Table(
    "epoch_key",
    keyring_metadata,
    sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
)

subject_key = sa.Table(
    "subject_key",
    keyring_metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("epoch", sa.Integer, sa.ForeignKey("epoch_key.epoch"), nullable=False, index=True),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

subject_tombstone = sa.Table(
    "subject_tombstone",
    keyring_metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("shredded_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

tenant_key = sa.Table(
    "tenant_key",
    keyring_metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("use", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Integer, sa.ForeignKey("epoch_key.epoch"), nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
)

signing_key = sa.Table(
    "signing_key",
    keyring_metadata,
    sa.Column("use", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("epoch", sa.Integer, sa.ForeignKey("epoch_key.epoch"), nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
)
"""The signing keys of the installation: the highest number of a use signs, all of them verify."""


def keyring_engine(url: str) -> Engine:
    """Open an engine on the keyring; nothing is read yet."""
    address = make_url(url)
    engine = sa.create_engine(address, hide_parameters=True, pool_size=8, max_overflow=16)
    if address.get_backend_name() == "sqlite":
        _prepare_sqlite(engine)
    return engine


def _prepare_sqlite(engine: Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def _connect(dbapi: Any, _record: Any) -> None:
        dbapi.isolation_level = None
        dbapi.execute("PRAGMA busy_timeout=30000")
        dbapi.execute("PRAGMA journal_mode=DELETE")
        dbapi.execute("PRAGMA secure_delete=ON")
        dbapi.execute("PRAGMA synchronous=EXTRA")
        dbapi.execute("PRAGMA foreign_keys=ON")
        dbapi.execute("PRAGMA temp_store=MEMORY")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A single SELECT is its own snapshot; only writers need a transaction, and its lock at once.
        if connection.get_execution_options().get("keyring_writes"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a connection for single statements that read; NotReadyError if the keyring cannot be reached."""
    try:
        with engine.connect() as connection:
            yield connection
    except sa.exc.OperationalError as error:
        raise NotReadyError(unreachable(engine)) from error


@contextmanager
def writing(engine: Engine, *, alone: bool = False) -> Iterator[Connection]:
    """Open one transaction that writes and commit it on leaving.

    Makers of keys share a lock; who destroys keys or opens an epoch takes it `alone`. So no key is made
    between the look for a tombstone and the tombstone, nor under an epoch that is going.
    """
    try:
        with engine.connect() as plain:
            connection = plain.execution_options(keyring_writes=True)
            with connection.begin():
                _take_turn(connection, alone=alone)
                yield connection
    except sa.exc.OperationalError as error:
        raise NotReadyError(unreachable(engine)) from error


def address(engine: Engine) -> str:
    """The keyring's URL without its password, for messages."""
    return engine.url.render_as_string(hide_password=True)


def unreachable(engine: Engine) -> str:
    """The sentence for a keyring that does not answer."""
    return f"The keyring {address(engine)} cannot be opened; see that it is there and readable."


def _take_turn(connection: Connection, *, alone: bool) -> None:
    """Queue for the keyring's one lock. SQLite has one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        lock = sa.func.pg_advisory_xact_lock if alone else sa.func.pg_advisory_xact_lock_shared
        connection.execute(sa.select(lock(_LOCK))).all()


def create_keyring_schema(engine: Engine) -> None:
    """Create the keyring's tables where they are missing. On SQLite the file is made with mode 0600."""
    path = keyring_file(engine)
    if path is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    with writing(engine, alone=True) as connection:
        keyring_metadata.create_all(connection)


def keyring_file(engine: Engine) -> Path | None:
    """The file of a SQLite keyring; None for a database server."""
    if engine.dialect.name != "sqlite":
        return None
    return Path(engine.url.database or "")


def insert_missing(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows whose key is not there yet; another process may have been faster, and its row stays."""
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(table).on_conflict_do_nothing(), list(rows))


def subject_keys(connection: Connection, tenant_id: str, subject_refs: Sequence[str]) -> list[sa.Row[Any]]:
    """The wrapped keys of these persons, each with its wrapped epoch key (`epoch_wrapped`)."""
    which = _among(subject_key, tenant_id, subject_refs)
    query = (
        sa.select(subject_key, epoch_key.c.wrapped.label("epoch_wrapped"))
        .join(epoch_key, epoch_key.c.epoch == subject_key.c.epoch)
        .where(*which)
    )
    return list(connection.execute(query))


def tombstones(connection: Connection, tenant_id: str, subject_refs: Sequence[str]) -> set[tuple[str, str]]:
    """Which of these persons' keys were destroyed, as (subject_ref, kind)."""
    which = _among(subject_tombstone, tenant_id, subject_refs)
    query = sa.select(subject_tombstone.c.subject_ref, subject_tombstone.c.kind).where(*which)
    return {(row.subject_ref, row.kind) for row in connection.execute(query)}


def buried(connection: Connection, tenant_id: str, kind: str, after: str, limit: int) -> list[str]:
    """Persons whose key of this kind was destroyed, by reference."""
    query = (
        sa.select(subject_tombstone.c.subject_ref)
        .where(
            subject_tombstone.c.tenant_id == tenant_id,
            subject_tombstone.c.kind == kind,
            subject_tombstone.c.subject_ref > after,
        )
        .order_by(subject_tombstone.c.subject_ref)
        .limit(limit)
    )
    return list(connection.scalars(query))


def buried_at(connection: Connection, tenant_id: str, subject_ref: str, kind: str) -> datetime | None:
    """When a person's key of this kind was destroyed."""
    row = subject_tombstone.c
    which = row.tenant_id == tenant_id, row.subject_ref == subject_ref, row.kind == kind
    at: datetime | None = connection.scalar(sa.select(row.shredded_at).where(*which))
    return at


def newest_epoch(connection: Connection) -> sa.Row[Any] | None:
    """The epoch that new keys are wrapped under."""
    return connection.execute(sa.select(epoch_key).order_by(epoch_key.c.epoch.desc()).limit(1)).one_or_none()


def tenant_key_row(connection: Connection, tenant_id: str, use: str) -> sa.Row[Any] | None:
    """A tenant's wrapped key for one use, with its wrapped epoch key."""
    query = (
        sa.select(tenant_key, epoch_key.c.wrapped.label("epoch_wrapped"))
        .join(epoch_key, epoch_key.c.epoch == tenant_key.c.epoch)
        .where(tenant_key.c.tenant_id == tenant_id, tenant_key.c.use == use)
    )
    return connection.execute(query).one_or_none()


def signing_key_rows(connection: Connection, use: str) -> list[sa.Row[Any]]:
    """The wrapped signing keys of one use, oldest first, with their wrapped epoch keys."""
    query = (
        sa.select(signing_key, epoch_key.c.wrapped.label("epoch_wrapped"))
        .join(epoch_key, epoch_key.c.epoch == signing_key.c.epoch)
        .where(signing_key.c.use == use)
        .order_by(signing_key.c.number)
    )
    return list(connection.execute(query))


def destroy_subject_key(connection: Connection, tenant_id: str, subject_ref: str, kind: str) -> None:
    """Overwrite and delete a person's wrapped key."""
    which = (
        subject_key.c.tenant_id == tenant_id,
        subject_key.c.subject_ref == subject_ref,
        subject_key.c.kind == kind,
    )
    connection.execute(sa.update(subject_key).where(*which).values(wrapped=bytes(WRAPPED_BYTES)))
    connection.execute(sa.delete(subject_key).where(*which))


def compact_epochs(engine: Engine) -> None:
    """Write the small table of epoch keys anew, without its dead rows. SQLite overwrites them anyway.

    Readers wait for a moment; if one holds on to the table, it is left as it is, lest those behind it wait
    too. A login that does not own the table is passed over by the database.
    """
    if engine.dialect.name != "postgresql":
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET lock_timeout = '2s'")
        try:
            connection.exec_driver_sql("VACUUM FULL epoch_key")
        except sa.exc.OperationalError:  # the lock was not to be had: the next rotation writes it anew
            return
        finally:
            connection.exec_driver_sql("RESET lock_timeout")


def _among(
    table: sa.Table, tenant_id: str, subject_refs: Sequence[str]
) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """Narrow to one tenant's persons; one is asked for often, and plain equality is quicker."""
    if len(subject_refs) == 1:
        return table.c.tenant_id == tenant_id, table.c.subject_ref == subject_refs[0]
    return table.c.tenant_id == tenant_id, table.c.subject_ref.in_(subject_refs)
