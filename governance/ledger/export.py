"""The export: the whole ledger as text that anybody can check offline (`governance.ledger.verify`).

NDJSON, each line canonical JSON (RFC 8785) ended by one newline. An entry's line has `leaf` (the object
that was hashed), `leaf_hash` (hex) and `position`; the last line has `checkpoint` (the signed note) and
`vkey` (the public key). Sealed payloads stay in the house: they are ciphertext, and leaves commit to them.
"""

from collections.abc import Iterator

import rfc8785
from sqlalchemy.engine import Connection

from governance.errors import ConflictError
from governance.ledger import store
from governance.ledger.note import NoteError, parse_vkey, verify_checkpoint


def export_lines(connection: Connection, tenant_id: str, *, vkey: str) -> Iterator[str]:
    """Stream the export of everything that the newest checkpoint covers, line by line, as text for UTF-8.

    `vkey` is the public key of the log in C2SP form. Memory does not grow with the ledger. Raises
    ConflictError, before the first line, if there is no checkpoint or another key signed the newest one.
    """
    newest = store.latest_checkpoint(connection, tenant_id)
    if newest is None:
        raise ConflictError("Sign a checkpoint before exporting the ledger.", reason="no-checkpoint")
    try:
        size = verify_checkpoint(newest.note, [parse_vkey(vkey)]).size
    except NoteError as error:
        raise ConflictError(
            "The newest checkpoint was not signed by this key; sign a new one first.", reason="other-key"
        ) from error
    return _lines(connection, tenant_id, size, newest.note, vkey)


def _lines(connection: Connection, tenant_id: str, size: int, note: str, vkey: str) -> Iterator[str]:
    """Yield the lines; members stand in the order of RFC 8785."""
    for entry in store.leaves(connection, tenant_id, until=size):
        leaf, digest = entry.leaf.decode(), entry.leaf_hash.hex()
        yield f'{{"leaf":{leaf},"leaf_hash":"{digest}","position":{entry.position}}}\n'
    yield rfc8785.dumps({"checkpoint": note, "vkey": vkey}).decode() + "\n"
