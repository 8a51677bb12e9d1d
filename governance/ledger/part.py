"""A part of the ledger as text that verifies offline: every entry of a period, none left out, none added.

NDJSON, each line canonical JSON (RFC 8785). The first line has `part` (the form), `from` (the position of the
first entry) and `frontier` (the hashes of the complete subtrees before it, RFC 9162); then entries as in the
whole export; the last line has `checkpoint` (the signed note), `consistency` (the proof that the tree up to
the last entry is the beginning of the signed one) and `vkey`. The entry before the period and the one behind
it are there as well, where there are such: they show where it begins and ends.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

import rfc8785
from sqlalchemy.engine import Connection

from governance.errors import ConflictError, InvalidError
from governance.ledger import merkle, store
from governance.ledger.canonical import canonical_object
from governance.ledger.note import Checkpoint, NoteError, parse_vkey, verify_checkpoint
from governance.ledger.tree import StoredTree
from governance.ledger.verify import Reading, VerifyResult, check_note, read_entry, read_key, trusted_key

FORM = "governance-part/1"
_FIRST = frozenset({"part", "from", "frontier"})
_LAST = frozenset({"checkpoint", "consistency", "vkey"})


def part_lines(
    connection: Connection, tenant_id: str, *, since: datetime, until: datetime, vkey: str
) -> Iterator[str]:
    """Stream the entries recorded from `since` on and before `until`, with what proves them.

    Raises InvalidError if there is none, ConflictError `no-checkpoint` if no checkpoint covers them.
    """
    if since >= until:
        sentence = "Give a period that begins before it ends."
        raise InvalidError(sentence, fields={"from": [sentence]})
    newest = store.latest_checkpoint(connection, tenant_id)
    found = store.positions_between(connection, tenant_id, since, until)
    if found is None:
        sentence = "Nothing was recorded in this period."
        raise InvalidError(sentence, fields={"from": [sentence]})
    first, last = max(found[0] - 1, 0), found[1] + 1
    try:
        size = 0 if newest is None else verify_checkpoint(newest.note, [parse_vkey(vkey)]).size
    except NoteError:
        size = 0
    if newest is None or size <= found[1]:
        raise ConflictError("Sign a checkpoint before exporting the ledger.", reason="no-checkpoint")
    return _lines(connection, tenant_id, first, min(last + 1, size), size, newest.note, vkey)


def _lines(
    connection: Connection, tenant_id: str, first: int, end: int, size: int, note: str, vkey: str
) -> Iterator[str]:
    tree = StoredTree(connection, tenant_id)
    before, start = [], 0
    for bit in reversed(range(first.bit_length())):
        if first >> bit & 1:
            before.append(tree.subtree(start, start + (1 << bit)).hex())
            start += 1 << bit
    yield _line({"part": FORM, "from": first, "frontier": before})
    for entry in store.leaves(connection, tenant_id, after=first - 1, until=end):
        leaf, digest = entry.leaf.decode(), entry.leaf_hash.hex()
        yield f'{{"leaf":{leaf},"leaf_hash":"{digest}","position":{entry.position}}}\n'
    proof = [each.hex() for each in merkle.consistency_proof(end, size, tree.subtree)]
    yield _line({"checkpoint": note, "consistency": proof, "vkey": vkey})


def _line(value: dict[str, object]) -> str:
    return rfc8785.dumps(value).decode() + "\n"  # type: ignore[arg-type]


def is_part(first_line: bytes) -> bool:
    """Whether a file begins as a part does."""
    read = canonical_object(first_line)
    return isinstance(read, dict) and read.get("part") == FORM


def verify_part(lines: Iterable[bytes], *, vkey: str | None = None) -> VerifyResult:
    """Check a part offline, with public keys only: any changed, removed, inserted or moved byte is a problem.

    `size` of the result is the number of entries in the part.
    """
    reading, first, last = Reading(), 0, b""
    begun = False
    for line in lines:
        if not begun:
            begun, first = True, _begin(reading, line)
            continue
        if last:
            read_entry(reading, last)
        last = line
    end = canonical_object(last) if last else "is missing."
    if isinstance(end, str) or end.keys() != _LAST or not isinstance(end["vkey"], str):
        reading.complain("The last line must have exactly checkpoint, consistency and vkey.")
        return VerifyResult(False, reading.size - first, tuple(reading.problems))
    inside = read_key(reading, end["vkey"], "The key in the export")
    key = inside if vkey is None else trusted_key(reading, vkey, inside)
    checkpoint = None
    if key is not None:
        checkpoint = check_note(reading, end["checkpoint"], key, "The checkpoint of the export")
    if checkpoint is not None and not _continues(reading, end["consistency"], checkpoint):
        reading.complain("The entries are not those of the signed ledger.")
    if checkpoint is not None and reading.tenant not in (None, checkpoint.origin.rpartition("/")[2]):
        reading.complain("The checkpoint was signed for another tenant.")
    return VerifyResult(
        ok=not reading.problems,
        size=reading.size - first,
        problems=tuple(reading.problems),
        checkpoint=checkpoint,
        vkey=None if key is None else key.text,
        key_was_embedded=vkey is None,
    )


def _begin(reading: Reading, line: bytes) -> int:
    """Take up the tree before the first entry; gives its size."""
    read = canonical_object(line)
    try:
        if isinstance(read, str) or read.keys() != _FIRST or read["part"] != FORM:
            raise ValueError
        size = read["from"]
        if type(size) is not int:
            raise ValueError
        hashes = tuple(bytes.fromhex(each) for each in read["frontier"])
        reading.frontier = merkle.Frontier(size, hashes)
    except (ValueError, TypeError, KeyError):
        reading.complain("The first line must have exactly part, from and frontier.")
        return 0
    reading.size = size
    return size


def _continues(reading: Reading, proof: object, checkpoint: Checkpoint) -> bool:
    """Whether the tree read so far is the beginning of the signed one."""
    size, root = checkpoint.size, checkpoint.root
    if not isinstance(proof, list) or reading.size > size:
        return False
    try:
        hashes = [bytes.fromhex(each) for each in proof]
    except (ValueError, TypeError):
        return False
    if reading.size == size:
        return not hashes and reading.root() == root
    return merkle.verify_consistency(reading.size, size, hashes, reading.root(), root)
