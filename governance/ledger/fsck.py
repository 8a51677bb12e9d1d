"""The check from inside: everything that the ledger's tables say is derived again and compared.

It shares no code with the writer but the two hash functions and the note format: the tree is grown as a
mountain range, leaves are read back from their text, and every column is compared with the leaf.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.clock import wire
from governance.ledger.merkle import EMPTY_ROOT, leaf_hash, node_hash
from governance.ledger.note import NoteError, VerificationKey, parse_vkey, verify_checkpoint
from governance.ledger.store import NODE_LEVELS, ledger_checkpoint, ledger_entry, ledger_head, ledger_node

MAX_PROBLEMS = 100
_BATCH = 1000


def fsck(connection: Connection, tenant_id: str, *vkeys: str) -> list[str]:
    """Re-derive the tenant's ledger from its leaves; return every difference as a sentence.

    Leaf hashes, gaplessness, columns against leaves, sealed payloads against their digests, stored nodes,
    frontier, root and checkpoints. `vkeys` are the public keys that may have signed checkpoints. Reads one
    snapshot; sentences name positions and columns, never values; at most 100 and a count of the rest.
    """
    found = _Findings()
    keys = _keys(found, vkeys)
    notes = _checkpoints(connection, tenant_id)
    mountains = _Mountains(wanted={row.size for row in notes if isinstance(row.size, int)})
    tenants = _check_entries(connection, tenant_id, mountains, found)
    _check_nodes(connection, tenant_id, mountains, found)
    _check_head(connection, tenant_id, mountains, found)
    for row in notes:
        problem = _checkpoint_problem(row, keys, mountains, tenants)
        if problem is not None:
            found.add(f"Checkpoint of {row.size} entries: {problem}")
    return found.sentences()


@dataclass(slots=True)
class _Findings:
    """The problems found; past the limit they are only counted."""

    kept: list[str] = field(default_factory=list)
    more: int = 0

    def add(self, problem: str) -> None:
        """Note a problem."""
        if len(self.kept) < MAX_PROBLEMS:
            self.kept.append(problem)
        else:
            self.more += 1

    def sentences(self) -> list[str]:
        """Give everything that was noted."""
        return [*self.kept, f"... and {self.more} more problems."] if self.more else self.kept


@dataclass(slots=True)
class _Mountains:
    """The tree as a range of complete mountains of falling height, with what is to be compared on the way."""

    wanted: set[int]
    size: int = 0
    peaks: list[tuple[int, bytes]] = field(default_factory=list)
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    roots: dict[int, bytes] = field(default_factory=dict)

    def add(self, leaf: bytes) -> None:
        """Put one more leaf hash on the right; join mountains of equal height."""
        height, peak = 0, leaf
        self.size += 1
        while self.peaks and self.peaks[-1][0] == height:
            peak = node_hash(self.peaks.pop()[1], peak)
            height += 1
            if height in NODE_LEVELS:
                self.nodes[height, (self.size >> height) - 1] = peak
        self.peaks.append((height, peak))
        if self.size in self.wanted:
            self.roots[self.size] = self.root()

    def root(self) -> bytes:
        """Bag the peaks from the right."""
        bagged: bytes | None = None
        for _, peak in reversed(self.peaks):
            bagged = peak if bagged is None else node_hash(peak, bagged)
        return EMPTY_ROOT if bagged is None else bagged


def _check_entries(
    connection: Connection, tenant_id: str, mountains: _Mountains, found: _Findings
) -> set[str]:
    """Check every entry and grow the tree from the leaves' text; return the tenant references seen."""
    tenants: set[str] = set()
    for row in _entries(connection, tenant_id, found):
        if row.position != mountains.size:
            found.add(f"Entry {mountains.size} is missing: position {row.position} follows.")
            break
        for problem in _entry_problems(row, tenants):
            found.add(f"Entry {row.position}: {problem}")
        mountains.add(leaf_hash(row.leaf if isinstance(row.leaf, bytes) else b""))
    if len(tenants) > 1:
        found.add("The leaves belong to several tenants.")
    return tenants


def _entries(connection: Connection, tenant_id: str, found: _Findings) -> Iterator[sa.Row[Any]]:
    """Yield all entries in order of position, a batch at a time."""
    after: int | None = None
    while True:
        batch = sa.select(ledger_entry).where(ledger_entry.c.tenant_id == tenant_id)
        if after is not None:
            batch = batch.where(ledger_entry.c.position > after)
        try:
            rows = connection.execute(batch.order_by(ledger_entry.c.position).limit(_BATCH)).all()
        except (TypeError, ValueError, OverflowError):
            found.add(f"An entry after position {after} has a column that cannot be read.")
            return
        yield from rows
        if len(rows) < _BATCH:
            return
        after = rows[-1].position


def _entry_problems(row: sa.Row[Any], tenants: set[str]) -> Iterator[str]:
    """Compare one row with its leaf."""
    if not isinstance(row.leaf, bytes) or row.leaf_hash != leaf_hash(row.leaf):
        yield "the leaf does not hash to leaf_hash."
    try:
        leaf = json.loads(row.leaf)
        canonical = json.dumps(leaf, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        told = {name: leaf[name] for name in ("id", "kind", "subject", "actor", "at", "seq", "sealed")}
        tenants.add(str(leaf["tenant"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        yield "the leaf cannot be read."
        return
    if canonical != row.leaf:
        yield "the leaf is not canonical."
    columns = {
        "id": row.event_id,
        "kind": row.kind,
        "subject": row.subject_ref,
        "actor": row.actor_ref,
        "at": wire(row.at),
        "seq": row.position,
    }
    for name, value in columns.items():
        if told[name] != value:
            yield f"the column for {name!r} differs from the leaf."
    # A payload may be gone (erased), but never another than the one that was sealed.
    if row.payload is not None and hashlib.sha256(row.payload).hexdigest() != told["sealed"]:
        yield "the payload is not the one that was sealed."


def _check_nodes(connection: Connection, tenant_id: str, mountains: _Mountains, found: _Findings) -> None:
    """Compare the stored nodes with those of the tree."""
    rows = connection.execute(sa.select(ledger_node).where(ledger_node.c.tenant_id == tenant_id))
    stored = {(row.level, row.index_): row.hash for row in rows}
    for at in sorted(stored.keys() | mountains.nodes.keys()):
        if stored.get(at) != mountains.nodes.get(at):
            found.add(f"The stored node {at[1]} of level {at[0]} is missing, wrong or too many.")


def _check_head(connection: Connection, tenant_id: str, mountains: _Mountains, found: _Findings) -> None:
    """Compare the head with the tree."""
    row = connection.execute(sa.select(ledger_head).where(ledger_head.c.tenant_id == tenant_id)).one_or_none()
    if row is None:
        if mountains.size:
            found.add("The head is missing.")
        return
    if row.size != mountains.size:
        found.add(f"The head says {row.size} entries, the ledger has {mountains.size}.")
    if row.frontier != b"".join(peak for _, peak in mountains.peaks):
        found.add("The frontier of the head differs from the tree.")
    if row.root != mountains.root():
        found.add("The root of the head differs from the tree.")


def _checkpoints(connection: Connection, tenant_id: str) -> Sequence[sa.Row[Any]]:
    """Read all checkpoints, the smallest first."""
    wanted = ("size", "key_id", "note")
    return connection.execute(
        sa.select(*(ledger_checkpoint.c[name] for name in wanted))
        .where(ledger_checkpoint.c.tenant_id == tenant_id)
        .order_by(ledger_checkpoint.c.size)
    ).all()


def _checkpoint_problem(
    row: sa.Row[Any], keys: list[VerificationKey], mountains: _Mountains, tenants: set[str]
) -> str | None:
    """Compare one checkpoint with the tree; say what is wrong with it, or None."""
    try:
        signed = verify_checkpoint(row.note, keys)
    except NoteError as error:
        return f"the note does not verify. {error}"
    if signed.size != row.size:
        return "the note covers another number of entries."
    if row.size > mountains.size:
        return f"the ledger has only {mountains.size} entries."
    if signed.root != (mountains.roots.get(row.size) if row.size else EMPTY_ROOT):
        return "the signed root differs from the tree."
    if tenants and signed.origin.rpartition("/")[2] not in tenants:
        return "the note is of another tenant."
    if row.key_id not in {key.key_id.hex() for key in keys}:
        return "the column for the key differs from the note."
    return None


def _keys(found: _Findings, vkeys: Sequence[str]) -> list[VerificationKey]:
    """Read the public keys."""
    keys = []
    for text in vkeys:
        try:
            keys.append(parse_vkey(text))
        except NoteError as error:
            found.add(f"A given key cannot be used. {error}")
    return keys
