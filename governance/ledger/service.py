"""Use cases of the ledger: append, read, prove, sign."""

from sqlalchemy.engine import Connection

from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.events import Sealing
from governance.ledger import merkle, store
from governance.ledger.model import Entry, build_leaf
from governance.ledger.note import Checkpoint, Signer, parse_vkey, sign_note
from governance.ledger.tree import StoredTree
from governance.work import Work

_KEPT_LEVELS = frozenset(store.NODE_LEVELS)


def append(work: Work) -> list[Sealing]:
    """Append the recorded events to the tenant's tree, gaplessly and in order; say where each came to lie.

    Holds the tenant's head lock from here to the end of the transaction, so commit order is sequence order.
    Raises UnfitLeafError if an event holds what must not stand in a leaf.
    """
    if not work.events:
        return []
    connection, tenant_id = work.connection, work.tenant_id
    head = store.lock_head(connection, tenant_id)
    new = []
    for position, event in enumerate(work.events, start=head.size):
        leaf = build_leaf(event, tenant_ref=work.tenant_ref, position=position)
        payload = None if event.sealed is None else event.sealed.ciphertext
        new.append(
            Entry(
                position,
                event.id,
                event.kind,
                event.subject_ref,
                event.actor_ref,
                event.at,
                leaf,
                merkle.leaf_hash(leaf),
                payload,
            )
        )
    frontier, nodes = head.frontier.extend((each.leaf_hash for each in new), keep=_KEPT_LEVELS)
    store.add_entries(connection, tenant_id, new)
    store.add_nodes(connection, tenant_id, nodes)
    store.write_head(connection, tenant_id, frontier, frontier.root())
    return [Sealing(each.event_id, each.position, each.leaf_hash.hex()) for each in new]


def clear_payloads(work: Work, *, subject_ref: str) -> int:
    """Erase a person's sealed payloads and the salts inside them; return how many.

    Leaves, hashes and proofs stay as they are. Who calls this records the erasure.
    """
    return store.clear_payloads(work.connection, work.tenant_id, subject_ref)


def head(connection: Connection, tenant_id: str) -> tuple[int, bytes]:
    """Return the number of entries and the root (32 bytes) of the tenant's tree."""
    found = store.head(connection, tenant_id)
    return (0, merkle.EMPTY_ROOT) if found is None else (found.size, found.root)


def entries(
    connection: Connection,
    tenant_id: str,
    *,
    after: int = -1,
    limit: int = 100,
    subject_ref: str | None = None,
) -> list[Entry]:
    """Return up to `limit` entries at positions greater than `after`, in order; all, or one person's."""
    return store.entries(connection, tenant_id, after=after, limit=limit, subject_ref=subject_ref)


def entry(connection: Connection, tenant_id: str, event_id: str) -> Entry:
    """Return the entry of an event; NotFoundError if this tenant's ledger has none."""
    found = store.entry_of(connection, tenant_id, event_id)
    if found is None:
        raise NotFoundError("The ledger has no such event.")
    return found


def inclusion(connection: Connection, tenant_id: str, position: int, size: int) -> list[bytes]:
    """Return the audit path of the entry at `position` in the tree of its first `size` entries.

    Raises InvalidError unless 0 <= position < size <= the present size.
    """
    if not 0 <= position < size <= head(connection, tenant_id)[0]:
        raise InvalidError("Ask for a position below the size, and a size that the ledger has reached.")
    return merkle.inclusion_proof(position, size, StoredTree(connection, tenant_id).subtree)


def consistency(connection: Connection, tenant_id: str, first: int, second: int) -> list[bytes]:
    """Return the proof that the tree of `first` entries is the beginning of that of `second`.

    Raises InvalidError unless 0 < first <= second <= the present size.
    """
    if not 0 < first <= second <= head(connection, tenant_id)[0]:
        raise InvalidError("Ask from a size above 0 to one no smaller that the ledger has reached.")
    return merkle.consistency_proof(first, second, StoredTree(connection, tenant_id).subtree)


def root_at(connection: Connection, tenant_id: str, size: int) -> bytes:
    """Return the root (32 bytes) that the tree had at `size`; InvalidError if it was never that large."""
    if not 0 <= size <= head(connection, tenant_id)[0]:
        raise InvalidError("Ask for a size that the ledger has reached.")
    return StoredTree(connection, tenant_id).subtree(0, size) if size else merkle.EMPTY_ROOT


def checkpoint(work: Work, signer: Signer, *, host: str = "governance") -> str:
    """Sign the tenant's present head and keep the checkpoint; return the signed note.

    The origin is `host/<tenant_ref>`; `host` is the issuer's host name. A head that this key has signed
    before is not signed again. Raises ConflictError if this unit of work has events that are not sealed yet:
    they would stand outside the checkpoint.
    """
    if work.events:
        raise ConflictError("Seal the recorded events before the head is signed.", reason="unsealed-events")
    connection, tenant_id = work.connection, work.tenant_id
    size, root = head(connection, tenant_id)
    key_id = parse_vkey(signer.vkey).key_id.hex()
    before = store.checkpoint_at(connection, tenant_id, size=size, key_id=key_id)
    if before is not None:
        return before.note
    note = sign_note(Checkpoint(f"{host}/{work.tenant_ref}", size, root).text, signer)
    # A checkpoint is about the ledger: an event for it would grow the ledger and want a checkpoint again.
    with work.bookkeeping():
        store.add_checkpoint(connection, tenant_id, store.StoredCheckpoint(size, key_id, note, work.now))
    return note


def latest_checkpoint(connection: Connection, tenant_id: str) -> str | None:
    """Return the newest signed checkpoint, or None before the first."""
    found = store.latest_checkpoint(connection, tenant_id)
    return None if found is None else found.note
