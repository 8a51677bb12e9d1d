"""The hierarchy of keys: root key, epoch keys, and the random keys of persons and tenants under them.

Keys of epochs and tenants are remembered by the process. Keys of persons never are: when one is destroyed,
every process loses it with its next look.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.engine import Connection, Engine

from governance.errors import NotReadyError, UnreadableError
from governance.ids import random_bytes
from governance.vault import envelope, keyring
from governance.vault.model import (
    KEY_BYTES,
    KINDS,
    epoch_key_context,
    subject_key_context,
    tenant_key_context,
)

FIRST_VERSION = 1
_CHUNK = 500


@dataclass(frozen=True, slots=True, repr=False)
class SubjectKey:
    """A person's key, ready for use; hold it no longer than one request."""

    version: int
    cipher: AESGCM


SubjectKeys = Mapping[tuple[str, str], SubjectKey]
"""Keys of persons by (subject_ref, kind)."""


class Keys:
    """Finds, makes and destroys keys in one keyring, under one root key."""

    def __init__(self, engine: Engine, root_key: bytes) -> None:
        self.engine = engine
        self._root = AESGCM(root_key)
        self._epochs: dict[int, AESGCM] = {}
        self._tenants: dict[tuple[str, str], bytes] = {}

    @property
    def root(self) -> AESGCM:
        """The root key's cipher."""
        return self._root

    def epoch(self, number: int, wrapped: bytes) -> AESGCM:
        """The cipher of an epoch key."""
        found = self._epochs.get(number)
        if found is None:
            try:
                found = AESGCM(envelope.unwrap(self._root, wrapped, epoch_key_context(number)))
            except UnreadableError:
                raise NotReadyError(
                    f"The keyring is damaged: its epoch key {number} does not open under the root key; "
                    "put the keyring back from its backup."
                ) from None
            self._epochs[number] = found
        return found

    def newest_epoch(self, connection: Connection) -> tuple[int, AESGCM]:
        """The epoch that new keys are wrapped under; read anew each time: another process may open one."""
        row = keyring.newest_epoch(connection)
        if row is None:
            raise NotReadyError("The keyring holds no epoch key; run `governance init`.")
        return row.epoch, self.epoch(row.epoch, row.wrapped)

    def open_epoch(self, connection: Connection, number: int, at: datetime) -> None:
        """Make the key of a new epoch, unless another process just did."""
        wrapped = envelope.wrap(self._root, random_bytes(KEY_BYTES), epoch_key_context(number))
        row = {"epoch": number, "wrapped": wrapped, "opened_at": at}
        keyring.insert_missing(connection, keyring.epoch_key, [row])

    def of_subjects(self, tenant_id: str, subject_refs: Sequence[str]) -> dict[tuple[str, str], SubjectKey]:
        """The keys that these persons have, straight from the keyring. A damaged one counts as absent."""
        found: dict[tuple[str, str], SubjectKey] = {}
        with keyring.reading(self.engine) as connection:
            for some in _chunks(subject_refs):
                for row in keyring.subject_keys(connection, tenant_id, some):
                    key = self._subject_key(row)
                    if key is not None:
                        found[row.subject_ref, row.kind] = key
        return found

    def make_for_subjects(self, tenant_id: str, subject_refs: Sequence[str]) -> None:
        """Make the keys that these persons lack, in one commit; never one that was destroyed."""
        # Sorted, so that two processes that make the same keys wait for each other in the same order.
        refs = sorted(set(subject_refs))
        with keyring.writing(self.engine) as connection:
            present: set[tuple[str, str]] = set()
            for some in _chunks(refs):
                present |= keyring.tombstones(connection, tenant_id, some)
                present |= {
                    (row.subject_ref, row.kind) for row in keyring.subject_keys(connection, tenant_id, some)
                }
            epoch, cipher = self.newest_epoch(connection)
            keyring.insert_missing(
                connection,
                keyring.subject_key,
                [
                    _new_subject_key(tenant_id, ref, kind, epoch, cipher)
                    for ref in refs
                    for kind in KINDS
                    if (ref, kind) not in present
                ],
            )

    def of_tenant(self, tenant_id: str, use: str) -> bytes:
        """A tenant's random key for one use (32 bytes); made at its first use."""
        found = self._tenants.get((tenant_id, use))
        if found is None:
            with keyring.reading(self.engine) as connection:
                row = keyring.tenant_key_row(connection, tenant_id, use)
            if row is None:
                row = self._make_for_tenant(tenant_id, use)
            found = envelope.unwrap(
                self.epoch(row.epoch, row.epoch_wrapped),
                row.wrapped,
                tenant_key_context(tenant_id, use, row.epoch),
            )
            self._tenants[tenant_id, use] = found
        return found

    def forget(self, tenant_id: str) -> None:
        """Forget what is remembered of a tenant whose keys were destroyed."""
        for known in [each for each in self._tenants if each[0] == tenant_id]:
            del self._tenants[known]

    def destroy_of_subject(self, tenant_id: str, subject_ref: str, kind: str, at: datetime) -> None:
        """Destroy a person's key of one kind and set its tombstone, in one commit; again changes nothing."""
        with keyring.writing(self.engine, alone=True) as connection:
            keyring.destroy_subject_key(connection, tenant_id, subject_ref, kind)
            row = {"tenant_id": tenant_id, "subject_ref": subject_ref, "kind": kind, "shredded_at": at}
            keyring.insert_missing(connection, keyring.subject_tombstone, [row])

    def _make_for_tenant(self, tenant_id: str, use: str) -> sa.Row[Any]:
        with keyring.writing(self.engine) as connection:
            epoch, cipher = self.newest_epoch(connection)
            wrapped = envelope.wrap(
                cipher, random_bytes(KEY_BYTES), tenant_key_context(tenant_id, use, epoch)
            )
            new = {"tenant_id": tenant_id, "use": use, "epoch": epoch, "wrapped": wrapped}
            keyring.insert_missing(connection, keyring.tenant_key, [new])
            row = keyring.tenant_key_row(connection, tenant_id, use)
        assert row is not None
        return row

    def _subject_key(self, row: sa.Row[Any]) -> SubjectKey | None:
        context = subject_key_context(row.tenant_id, row.subject_ref, row.kind, row.version, row.epoch)
        try:
            raw = envelope.unwrap(self.epoch(row.epoch, row.epoch_wrapped), row.wrapped, context)
        except UnreadableError:
            return None
        return SubjectKey(row.version, AESGCM(raw))


def _new_subject_key(
    tenant_id: str, subject_ref: str, kind: str, epoch: int, cipher: AESGCM
) -> dict[str, object]:
    """A row with a new random key for one person, wrapped."""
    context = subject_key_context(tenant_id, subject_ref, kind, FIRST_VERSION, epoch)
    return {
        "tenant_id": tenant_id,
        "subject_ref": subject_ref,
        "kind": kind,
        "version": FIRST_VERSION,
        "epoch": epoch,
        "wrapped": envelope.wrap(cipher, random_bytes(KEY_BYTES), context),
    }


def _chunks(refs: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut a list so that a statement keeps within the databases' limits on parameters."""
    for start in range(0, len(refs), _CHUNK):
        yield refs[start : start + _CHUNK]
