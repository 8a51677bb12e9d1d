"""Epochs: wrap all keys anew and destroy the old wrapping key, so that old keyring copies become useless.

Three steps, each safe to repeat and to kill: open an epoch, rewrap until nothing is left, destroy the old.
Readers are never in the way: a wrapped key and its epoch key are read by one statement.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.engine import Connection

from governance.vault import envelope, keyring
from governance.vault.keys import Keys
from governance.vault.model import signing_key_context, subject_key_context, tenant_key_context

EPOCH = timedelta(days=7)
"""How long new keys are wrapped under the same epoch key."""


def open_epoch(keys: Keys, at: datetime) -> int:
    """Open a new epoch; every key made from now on is wrapped under it. Returns its number."""
    with keyring.writing(keys.engine, alone=True) as connection:
        newest, _ = keys.newest_epoch(connection)
        keys.open_epoch(connection, newest + 1, at)
        return newest + 1


def open_due_epoch(keys: Keys, at: datetime, age: timedelta = EPOCH) -> int | None:
    """Open a new epoch if the newest is as old as that; its number, or None. Of several only one opens it."""
    with keyring.writing(keys.engine, alone=True) as connection:
        newest = keyring.newest_epoch(connection)
        if newest is None or newest.opened_at + age > at:
            return None
        opened: int = newest.epoch + 1
        keys.open_epoch(connection, opened, at)
        return opened


def rewrap(keys: Keys, limit: int = 500) -> int:
    """Wrap up to `limit` keys of each table under the newest epoch, in one commit; returns how many.

    Call it until it returns 0. The keys themselves stay, so nothing that they sealed changes.
    """
    with keyring.writing(keys.engine) as connection:
        epoch, cipher = keys.newest_epoch(connection)
        return sum(
            _rewrap_table(keys, connection, table, epoch, cipher, limit)
            for table in (keyring.subject_key, keyring.tenant_key, keyring.signing_key)
        )


def destroy_old_epochs(keys: Keys) -> int:
    """Destroy the epoch keys that no key is wrapped under any more, but the newest; returns how many.

    On PostgreSQL their table is then written anew, so that its file keeps no dead row of theirs.
    """
    with keyring.writing(keys.engine, alone=True) as connection:
        newest, _ = keys.newest_epoch(connection)
        epoch = keyring.epoch_key.c.epoch
        unused = [
            ~sa.exists().where(table.c.epoch == epoch)
            for table in (keyring.subject_key, keyring.tenant_key, keyring.signing_key)
        ]
        old = list(connection.scalars(sa.select(epoch).where(epoch < newest, *unused)))
        if old:
            which = epoch.in_(old)
            connection.execute(
                sa.update(keyring.epoch_key).where(which).values(wrapped=bytes(keyring.WRAPPED_BYTES))
            )
            connection.execute(sa.delete(keyring.epoch_key).where(which))
    if old:
        keyring.compact_epochs(keys.engine)
    return len(old)


def _rewrap_table(
    keys: Keys, connection: Connection, table: sa.Table, epoch: int, cipher: AESGCM, limit: int
) -> int:
    query = (
        sa.select(table, keyring.epoch_key.c.wrapped.label("epoch_wrapped"))
        .join(keyring.epoch_key, keyring.epoch_key.c.epoch == table.c.epoch)
        .where(table.c.epoch < epoch)
        .limit(limit)
    )
    rows = list(connection.execute(query))
    for row in rows:
        raw = envelope.unwrap(
            keys.epoch(row.epoch, row.epoch_wrapped), row.wrapped, _context(table, row, row.epoch)
        )
        same = [column == row._mapping[column.name] for column in table.primary_key.columns]
        connection.execute(
            sa.update(table)
            .where(*same, table.c.epoch == row.epoch)
            .values(epoch=epoch, wrapped=envelope.wrap(cipher, raw, _context(table, row, epoch)))
        )
    return len(rows)


def _context(table: sa.Table, row: sa.Row[Any], epoch: int) -> bytes:
    """The associated data of a wrapped key of this table, under that epoch."""
    if table is keyring.subject_key:
        return subject_key_context(row.tenant_id, row.subject_ref, row.kind, row.version, epoch)
    if table is keyring.tenant_key:
        return tenant_key_context(row.tenant_id, row.use, epoch)
    return signing_key_context(row.use, row.number, epoch)
