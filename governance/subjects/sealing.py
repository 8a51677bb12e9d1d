"""How this room uses the vault: what is sealed where, and which keyed hashes are kept beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from governance.subjects.model import ContactPoint, PointValue, Subject
from governance.vault.held import HeldKeys
from governance.vault.model import OPERATIONAL, Place
from governance.vault.service import Vault
from governance.work import Snapshot

EXTERNAL_ID = "external_id"
_MATTER = "reference"


def hold(snap: Snapshot, subject_refs: Sequence[str], *, make: bool = False) -> HeldKeys:
    """Fetch these persons' keys at once, for this unit of work; with `make`, missing ones are made first."""
    vault = snap.resource(Vault)
    if make:
        vault.ensure_keys(snap.tenant_id, subject_refs)
    return vault.hold(snap.tenant_id, subject_refs)


def seal_text(keys: HeldKeys, subject_ref: str, place: Place, text: str) -> bytes:
    """Encrypt a text under the person's operational key, bound to the cell that it is stored in."""
    return keys.seal(subject_ref, OPERATIONAL, place, text.encode())


def reveal_text(keys: HeldKeys, subject_ref: str, place: Place, ciphertext: bytes) -> str:
    """Decrypt what `seal_text` made for the same cell; UnreadableError if the key is destroyed."""
    return keys.reveal(subject_ref, OPERATIONAL, place, ciphertext).decode()


def point_place(point_ref: str) -> Place:
    """Where a contact point's value lies."""
    return Place("contact_point", "value_sealed", point_ref)


def indexed(snap: Snapshot, values: Iterable[PointValue]) -> list[PointValue]:
    """Give the values their keyed hashes: the blind index for look-ups, the other for suppressions."""
    vault = snap.resource(Vault)
    return [
        replace(
            value,
            blind_index=vault.blind_index(snap.tenant_id, value.type, value.normalised),
            suppression_hash=vault.suppression_hash(snap.tenant_id, value.type, value.normalised),
        )
        for value in values
    ]


def new_point(snap: Snapshot, keys: HeldKeys, subject_ref: str, value: PointValue) -> ContactPoint:
    """Make an open contact point of a value that has its hashes."""
    point_ref = snap.new_id("pnt")
    return ContactPoint(
        subject_ref=subject_ref,
        point_ref=point_ref,
        type=value.type,
        value_sealed=seal_text(keys, subject_ref, point_place(point_ref), value.value),
        blind_index=value.blind_index,
        suppression_hash=value.suppression_hash,
        country=value.country,
        state="open",
        verified=bool(value.verified),
        subscriber=value.subscriber,
        since=snap.now,
        origin_ref=subject_ref,
    )


def reveal_point(snap: Snapshot, point: ContactPoint, keys: HeldKeys | None = None) -> str:
    """The value of a contact point, to write to; UnreadableError once the person's key is destroyed.

    Whoever reveals many passes the `keys` held for all of their persons.
    """
    held = keys or hold(snap, [point.subject_ref])
    return reveal_text(held, point.subject_ref, point_place(point.point_ref), point.value_sealed)


def birth_date(snap: Snapshot, person: Subject) -> date | None:
    """A person's date of birth; None if it is not known. UnreadableError once the key is destroyed."""
    ref, sealed = person.subject_ref, person.birth_date_sealed
    if sealed is None:
        return None
    return date.fromisoformat(
        reveal_text(hold(snap, [ref]), ref, Place("subject", "birth_date_sealed", ref), sealed)
    )


def handed_over(snap: Snapshot, keys: HeldKeys, point: ContactPoint, subject_ref: str) -> bytes:
    """The same value, sealed anew under another person's key (merge, split)."""
    return seal_text(keys, subject_ref, point_place(point.point_ref), reveal_point(snap, point, keys))


def external_id_hash(snap: Snapshot, external_id: str) -> str:
    """What a tombstone keeps of the CRM's id."""
    return snap.resource(Vault).suppression_hash(snap.tenant_id, EXTERNAL_ID, external_id)


def matter_of(snap: Snapshot, reference: str | None) -> str:
    """A keyed hash that tells parallel contracts or invoices apart; '' without a reference."""
    if reference is None:
        return ""
    return snap.resource(Vault).blind_index(snap.tenant_id, _MATTER, reference)
