"""The vault: what identifies a person goes in here, and comes out only while its key exists."""

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from joserfc.jwk import ECKey
from sqlalchemy.engine import Connection, Engine

from governance.clock import Clock, system_clock
from governance.database import rewrite
from governance.errors import NotReadyError, UnreadableError
from governance.events import Sealed
from governance.ledger.note import NoteSigner
from governance.settings import Settings
from governance.vault import envelope, keyring, rotation, signing
from governance.vault.held import HeldKeys
from governance.vault.keys import Keys
from governance.vault.model import INDEX_HEX_DIGITS, OPERATIONAL, Place, joined
from governance.vault.rootkey import make_root_key, read_root_key

_ROOT_CHECK = b"this keyring was made with this root key"
_META_ID = 1
_FIRST_EPOCH = 1


class Vault:
    """Keys and encryption of one installation. Made by `open`; one per process; closed by `close`."""

    def __init__(self, engine: Engine, root_key: bytes) -> None:
        self._engine = engine
        self._keys = Keys(engine, root_key)
        self._signing = signing.SigningKeys(self._keys)

    @classmethod
    def create(cls, settings: Settings, *, clock: Clock = system_clock) -> None:
        """Make root key file, keyring, first epoch and signing keys where they are missing; safe to repeat.

        Never makes a new root key for a keyring that exists (NotReadyError): that would lose every key.
        """
        engine = keyring.keyring_engine(settings.keyring_url)
        try:
            if not settings.root_key_file.exists() and not _is_new(engine):
                read_root_key(settings.root_key_file)
            make_root_key(settings.root_key_file)
            keys = Keys(engine, read_root_key(settings.root_key_file))
            keyring.create_keyring_schema(engine)
            _mark(keys)
            _check(keys, settings)
            with keyring.writing(engine, alone=True) as connection:
                if keyring.newest_epoch(connection) is None:
                    keys.open_epoch(connection, _FIRST_EPOCH, clock())
                signing.make_signing_keys(keys, connection)
        except sa.exc.DBAPIError as error:
            raise NotReadyError(keyring.unreachable(engine)) from error
        finally:
            engine.dispose()

    @classmethod
    def open(cls, settings: Settings) -> "Vault":
        """Open the vault; NotReadyError with one sentence if root key or keyring is missing or wrong."""
        root_key = read_root_key(settings.root_key_file)
        engine = keyring.keyring_engine(settings.keyring_url)
        try:
            file = keyring.keyring_file(engine)
            if file is not None and not file.is_file():
                raise NotReadyError(
                    f"The keyring {file} is missing; put it back from its backup or set "
                    "GOVERNANCE_KEYRING_URL (a new installation gets one from `governance init`)."
                )
            vault = cls(engine, root_key)
            _check(vault._keys, settings)
        except sa.exc.DBAPIError as error:
            engine.dispose()
            raise NotReadyError(keyring.unreachable(engine)) from error
        except NotReadyError:
            engine.dispose()
            raise
        return vault

    @classmethod
    def is_new(cls, settings: Settings) -> bool:
        """Whether there is no keyring yet, so that `create` would make new keys."""
        engine = keyring.keyring_engine(settings.keyring_url)
        try:
            return _is_new(engine)
        except sa.exc.DBAPIError as error:
            raise NotReadyError(keyring.unreachable(engine)) from error
        finally:
            engine.dispose()

    def close(self) -> None:
        """Give the keyring's connections back."""
        self._engine.dispose()

    def ping(self) -> None:
        """See that the keyring answers; NotReadyError if not."""
        with keyring.reading(self._engine) as connection:
            if connection.scalar(sa.select(keyring.keyring_meta.c.schema_version)) != keyring.SCHEMA_VERSION:
                raise NotReadyError("The keyring is not set up for this version; run `governance init`.")

    def hold(self, tenant_id: str, subject_refs: Sequence[str]) -> HeldKeys:
        """Fetch the keys of some persons at once, for one request that seals or reveals much."""
        return HeldKeys(self._keys, tenant_id, subject_refs)

    def seal(self, tenant_id: str, subject_ref: str, kind: str, place: Place, plaintext: bytes) -> bytes:
        """Encrypt a value for its place under the person's key of that kind, made at its first use.

        Raises ConflictError (`resurrection-blocked`) if the key was destroyed.
        """
        return self.hold(tenant_id, [subject_ref]).seal(subject_ref, kind, place, plaintext)

    def reveal(self, tenant_id: str, subject_ref: str, kind: str, place: Place, ciphertext: bytes) -> bytes:
        """Decrypt a value; UnreadableError if its key is gone or it was moved or changed."""
        return self.hold(tenant_id, [subject_ref]).reveal(subject_ref, kind, place, ciphertext)

    def seal_evidence(
        self, tenant_id: str, subject_ref: str, event_id: str, payload: Mapping[str, object]
    ) -> Sealed:
        """Encrypt an event's personal payload (JSON) and commit to it for the event's leaf."""
        return self.hold(tenant_id, [subject_ref]).seal_evidence(subject_ref, event_id, payload)

    def reveal_evidence(
        self, tenant_id: str, subject_ref: str, event_id: str, ciphertext: bytes, commitment: str
    ) -> dict[str, object]:
        """Decrypt an event's payload; UnreadableError also if it is not what the leaf committed to."""
        return self.hold(tenant_id, [subject_ref]).reveal_evidence(
            subject_ref, event_id, ciphertext, commitment
        )

    def ensure_keys(self, tenant_id: str, subject_refs: Sequence[str]) -> None:
        """Make the keys that these persons lack in one commit; destroyed ones are passed over."""
        if subject_refs:
            self._keys.make_for_subjects(tenant_id, subject_refs)

    def blind_index(self, tenant_id: str, field: str, normalised: str) -> str:
        """A keyed hash (32 hexadecimal digits) by which an identifier is found without being readable.

        For identifiers that hardly two people share (addresses, numbers). Not for facts of few values (birth
        dates, flags): equal indexes would tell who shares them.
        """
        return self._index(tenant_id, "blind-index", field, normalised)

    def suppression_hash(self, tenant_id: str, point_type: str, normalised: str) -> str:
        """A keyed hash (32 hexadecimal digits) of a contact point, under another key: it survives erasure."""
        return self._index(tenant_id, "suppression", point_type, normalised)

    def mac(self, tenant_id: str, use: str, message: bytes) -> bytes:
        """A keyed checksum of 32 bytes (HMAC-SHA-256) for tokens and links; `use` keeps their kinds apart."""
        return hmac.digest(self._keys.of_tenant(tenant_id, "mac"), joined(use, message), hashlib.sha256)

    def sign_receipt(self, claims: Mapping[str, object]) -> str:
        """Sign a receipt: a compact JWS, ES256, `typ` governance-receipt+jws."""
        return self._signing.sign_receipt(claims)

    def checkpoint_signer(self, name: str) -> NoteSigner:
        """The Ed25519 signer of checkpoints, under the name of a log's origin."""
        return self._signing.checkpoint_signer(name)

    def token_key(self) -> ECKey:
        """The private ES256 key that signs access tokens today; its `kid` is in `public_jwks`."""
        return self._signing.token_key()

    def public_jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public keys of tokens and receipts as a JWK set."""
        return self._signing.public_jwks()

    def shred(self, tenant_id: str, subject_ref: str, kind: str, at: datetime) -> None:
        """Destroy a person's key of one kind, for ever and for every process; safe to repeat."""
        self._keys.destroy_of_subject(tenant_id, subject_ref, kind, at)

    def is_shredded(self, tenant_id: str, subject_ref: str, kind: str = OPERATIONAL) -> bool:
        """Whether a person's key of this kind was destroyed."""
        with keyring.reading(self._engine) as connection:
            return (subject_ref, kind) in keyring.tombstones(connection, tenant_id, [subject_ref])

    def shredded(self, tenant_id: str, kind: str, *, after: str = "", limit: int = 500) -> list[str]:
        """References of persons whose key of this kind was destroyed, in order, later than `after`."""
        with keyring.reading(self._engine) as connection:
            return keyring.buried(connection, tenant_id, kind, after, limit)

    def shredded_at(self, tenant_id: str, subject_ref: str, kind: str = OPERATIONAL) -> datetime | None:
        """When a person's key of this kind was destroyed; None if it was not."""
        with keyring.reading(self._engine) as connection:
            return keyring.buried_at(connection, tenant_id, subject_ref, kind)

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """One transaction of the keyring with nobody beside it: for the deletion of a whole tenant."""
        with keyring.writing(self._engine, alone=True) as connection:
            yield connection

    def forget(self, tenant_id: str) -> None:
        """Forget the keys of a tenant that this process remembers."""
        self._keys.forget(tenant_id)

    def rewrite_file(self) -> bool:
        """Write the keyring's SQLite file anew: destroyed keys may stand in unused parts of it."""
        return rewrite(self._keys.engine)

    def open_epoch(self, at: datetime) -> int:
        """Open a new epoch of wrapping keys; then `rewrap` until 0, then `destroy_old_epochs`."""
        return rotation.open_epoch(self._keys, at)

    def open_due_epoch(self, at: datetime, age: timedelta = rotation.EPOCH) -> int | None:
        """Open a new epoch if the newest is as old as that; its number, or None."""
        return rotation.open_due_epoch(self._keys, at, age)

    def rewrap(self, limit: int = 500) -> int:
        """Wrap a batch of keys under the newest epoch; 0 when none is left."""
        return rotation.rewrap(self._keys, limit)

    def destroy_old_epochs(self) -> int:
        """Destroy the wrapping keys that nothing uses any more; returns how many."""
        return rotation.destroy_old_epochs(self._keys)

    def _index(self, tenant_id: str, use: str, field: str, normalised: str) -> str:
        key = self._keys.of_tenant(tenant_id, use)
        return hmac.digest(key, joined("v1", field, normalised), hashlib.sha256).hex()[:INDEX_HEX_DIGITS]


def _is_new(engine: Engine) -> bool:
    """Whether the keyring holds no mark of a root key yet."""
    file = keyring.keyring_file(engine)
    if file is not None and not file.is_file():
        return True
    with keyring.reading(engine) as connection:
        if not sa.inspect(connection).has_table(keyring.keyring_meta.name):
            return True
        return connection.scalar(sa.select(sa.func.count()).select_from(keyring.keyring_meta)) == 0


def _mark(keys: Keys) -> None:
    """Leave the mark of the root key in a new keyring."""
    row = {
        "meta_id": _META_ID,
        "schema_version": keyring.SCHEMA_VERSION,
        "root_check": envelope.wrap(keys.root, _ROOT_CHECK, joined("vault/root-check/v1")),
    }
    with keyring.writing(keys.engine) as connection:
        keyring.insert_missing(connection, keyring.keyring_meta, [row])


def _check(keys: Keys, settings: Settings) -> None:
    """See that the keyring is set up and was made with this root key; NotReadyError if not."""
    with keyring.reading(keys.engine) as connection:
        row = None
        if sa.inspect(connection).has_table(keyring.keyring_meta.name):
            row = connection.execute(sa.select(keyring.keyring_meta)).one_or_none()
    where = keyring.address(keys.engine)
    if row is None:
        raise NotReadyError(f"The keyring {where} is not set up; run `governance init`.")
    if row.schema_version != keyring.SCHEMA_VERSION:
        raise NotReadyError(
            f"The keyring {where} has version {row.schema_version}, this program needs "
            f"{keyring.SCHEMA_VERSION}; run `governance init` with the program that it belongs to."
        )
    try:
        envelope.unwrap(keys.root, row.root_check, joined("vault/root-check/v1"))
    except UnreadableError:
        raise NotReadyError(
            f"The root key in {settings.root_key_file} is not the one that the keyring {where} was made "
            "with; put the right root key file in place."
        ) from None
