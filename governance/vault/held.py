"""Persons' keys held for the length of one request: fetched together, used often, then forgotten."""

import hmac
from collections.abc import Mapping, Sequence

from governance.errors import ConflictError, UnreadableError
from governance.events import Sealed
from governance.ids import random_bytes
from governance.vault import envelope
from governance.vault.keys import Keys, SubjectKey
from governance.vault.model import (
    EVIDENCE,
    SALT_BYTES,
    Place,
    canonical_payload,
    commitment,
    evidence_place,
    field_context,
    pack_evidence,
    read_payload,
    unpack_evidence,
)


class HeldKeys:
    """The keys of some persons of one tenant. Let it go with the request: a destroyed key must be lost."""

    def __init__(self, keys: Keys, tenant_id: str, subject_refs: Sequence[str]) -> None:
        self._keys = keys
        self._tenant_id = tenant_id
        self._held: dict[tuple[str, str], SubjectKey] = keys.of_subjects(tenant_id, subject_refs)

    def seal(self, subject_ref: str, kind: str, place: Place, plaintext: bytes) -> bytes:
        """Encrypt a value for its place; a person's keys are made at their first use.

        Raises ConflictError (`resurrection-blocked`) if the key was destroyed.
        """
        key = self._held.get((subject_ref, kind)) or self._made(subject_ref, kind)
        context = field_context(self._tenant_id, subject_ref, kind, key.version, place)
        return envelope.seal(key.cipher, key.version, plaintext, context)

    def reveal(self, subject_ref: str, kind: str, place: Place, ciphertext: bytes) -> bytes:
        """Decrypt a value; UnreadableError if its key is gone or it was moved or changed."""
        key = self._held.get((subject_ref, kind))
        if key is None:
            raise UnreadableError
        context = field_context(self._tenant_id, subject_ref, kind, key.version, place)
        return envelope.reveal(key.cipher, key.version, ciphertext, context)

    def seal_evidence(self, subject_ref: str, event_id: str, payload: Mapping[str, object]) -> Sealed:
        """Encrypt an event's personal payload and commit to it, for `Work.record(…, sealed, event_id)`."""
        written = canonical_payload(payload)
        salt = random_bytes(SALT_BYTES)
        sealed = self.seal(subject_ref, EVIDENCE, evidence_place(event_id), pack_evidence(salt, written))
        return Sealed(sealed, commitment(salt, self._tenant_id, subject_ref, event_id, written))

    def reveal_evidence(
        self, subject_ref: str, event_id: str, ciphertext: bytes, committed: str
    ) -> dict[str, object]:
        """Decrypt an event's payload; UnreadableError also if it is not what the leaf committed to."""
        packed = self.reveal(subject_ref, EVIDENCE, evidence_place(event_id), ciphertext)
        salt, payload = unpack_evidence(packed)
        expected = commitment(salt, self._tenant_id, subject_ref, event_id, payload)
        if not hmac.compare_digest(expected.encode(), committed.encode(errors="replace")):
            raise UnreadableError
        return read_payload(payload)

    def _made(self, subject_ref: str, kind: str) -> SubjectKey:
        self._keys.make_for_subjects(self._tenant_id, [subject_ref])
        self._held.update(self._keys.of_subjects(self._tenant_id, [subject_ref]))
        key = self._held.get((subject_ref, kind))
        if key is None:
            raise ConflictError(
                "This person's key was destroyed; nothing more can be kept under it.",
                reason="resurrection-blocked",
            )
        return key
