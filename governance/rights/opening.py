"""Opening what is sealed about a person, for the package: what was destroyed on purpose is gone, and what
cannot be opened otherwise (a key that is lost or wrong, a value that was moved or changed) is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from governance.errors import UnreadableError
from governance.vault.model import EVIDENCE, Place
from governance.vault.service import Vault
from governance.work import Snapshot


@dataclass(frozen=True, slots=True)
class Opened:
    """What became of a sealed value. `plain`: None if there is none. `lost`: it should open, and does not."""

    plain: bytes | None
    lost: bool = False


def open_value(
    snap: Snapshot, keepers: Sequence[str], kind: str, place: Place, sealed: bytes | None
) -> Opened:
    """Open a value under the key of the first keeper that fits.

    Not `lost` is a value whose key was destroyed at its term or by an erasure.
    """
    if sealed is None:
        return Opened(None)
    vault = snap.resource(Vault)
    for keeper in keepers:
        try:
            return Opened(vault.reveal(snap.tenant_id, keeper, kind, place, sealed))
        except UnreadableError:
            continue
    ended = any(vault.is_shredded(snap.tenant_id, keeper, kind) for keeper in keepers)
    return Opened(None, lost=not ended)


def is_lost(snap: Snapshot, request_id: str, place: Place, sealed: bytes | None) -> bool:
    """Whether something that was written to a request should open, and does not."""
    return open_value(snap, (request_id,), EVIDENCE, place, sealed).lost
