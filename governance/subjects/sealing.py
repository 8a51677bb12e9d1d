"""How this room uses the vault: what is sealed where, and which keyed hashes are kept beside it."""

from collections.abc import Iterable
from dataclasses import replace

from governance.subjects.model import ContactPoint, PointValue
from governance.vault.model import OPERATIONAL, Place
from governance.vault.service import Vault
from governance.work import Snapshot

EXTERNAL_ID = "external_id"
_MATTER = "reference"


def seal_text(snap: Snapshot, subject_ref: str, table: str, column: str, row_id: str, text: str) -> bytes:
    """Encrypt a text under the person's operational key, bound to the cell that it is stored in."""
    place = Place(table, column, row_id)
    return snap.resource(Vault).seal(snap.tenant_id, subject_ref, OPERATIONAL, place, text.encode())


def reveal_text(
    snap: Snapshot, subject_ref: str, table: str, column: str, row_id: str, ciphertext: bytes
) -> str:
    """Decrypt what `seal_text` made for the same cell; UnreadableError if the key is destroyed."""
    place = Place(table, column, row_id)
    return snap.resource(Vault).reveal(snap.tenant_id, subject_ref, OPERATIONAL, place, ciphertext).decode()


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


def new_point(snap: Snapshot, subject_ref: str, value: PointValue) -> ContactPoint:
    """Make an open contact point of a value that has its hashes."""
    point_ref = snap.new_id("pnt")
    return ContactPoint(
        subject_ref=subject_ref,
        point_ref=point_ref,
        type=value.type,
        value_sealed=seal_text(snap, subject_ref, "contact_point", "value_sealed", point_ref, value.value),
        blind_index=value.blind_index,
        suppression_hash=value.suppression_hash,
        country=value.country,
        state="open",
        verified=bool(value.verified),
        subscriber=value.subscriber,
        since=snap.now,
        origin_ref=subject_ref,
    )


def reveal_point(snap: Snapshot, point: ContactPoint) -> str:
    """The value of a contact point, to write to; UnreadableError once the person's key is destroyed."""
    return reveal_text(
        snap, point.subject_ref, "contact_point", "value_sealed", point.point_ref, point.value_sealed
    )


def handed_over(snap: Snapshot, point: ContactPoint, subject_ref: str) -> bytes:
    """The same value, sealed anew under another person's key (merge, split)."""
    return seal_text(
        snap, subject_ref, "contact_point", "value_sealed", point.point_ref, reveal_point(snap, point)
    )


def external_id_hash(snap: Snapshot, external_id: str) -> str:
    """What a tombstone keeps of the CRM's id."""
    return snap.resource(Vault).suppression_hash(snap.tenant_id, EXTERNAL_ID, external_id)


def matter_of(snap: Snapshot, reference: str | None) -> str:
    """A keyed hash that tells parallel contracts or invoices apart; '' without a reference."""
    if reference is None:
        return ""
    return snap.resource(Vault).blind_index(snap.tenant_id, _MATTER, reference)
