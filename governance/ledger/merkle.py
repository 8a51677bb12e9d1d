"""RFC 9162 Merkle trees: hashing, the frontier for appends, proofs and their checks.

Everything here is pure and works on 32-byte SHA-256 hashes. A tree of n leaves is the half-open range
[0, n); `subtree(start, end)` gives the hash of any aligned part of it, so a proof can be made from a list in
memory or from a database that keeps only some inner nodes. Verifiers answer True or False, and never raise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

SubtreeHash = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """Hash one leaf: SHA-256(0x00 || data) (RFC 9162 §2.1.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash one inner node: SHA-256(0x01 || left || right) (RFC 9162 §2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes (or over equally high nodes, the last of which may be ragged).

    Pairing level by level and lifting an odd last node equals the recursive definition of RFC 9162 §2.1.1.
    """
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


@dataclass(frozen=True, slots=True)
class Node:
    """A complete subtree: the 2**level leaves from index * 2**level on."""

    level: int
    index: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """The compact range of a growing tree: the roots of its complete subtrees, the largest (leftmost) first.

    There is one hash for every set bit of `size`; with it leaves are appended without reading old ones.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a frontier whose hashes cannot belong to its size (ValueError)."""
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError(f"A frontier of size {self.size} needs {self.size.bit_count()} hashes.")
        if any(len(each) != HASH_BYTES for each in self.hashes):
            raise ValueError("Every hash of a frontier must be 32 bytes long.")

    def root(self) -> bytes:
        """Return the root of the whole tree; the root of no leaves is SHA-256 of nothing."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def extend(
        self, leaf_hashes: Iterable[bytes], *, keep: frozenset[int] = frozenset()
    ) -> tuple[Frontier, list[Node]]:
        """Append leaf hashes; return the new frontier and the completed nodes of the levels in `keep`."""
        size, hashes, kept = self.size, list(self.hashes), []
        for leaf in leaf_hashes:
            node, level, position = leaf, 0, size
            # A set bit of the old size is a complete subtree that the new one joins as its right half.
            while position & 1:
                node = node_hash(hashes.pop(), node)
                position >>= 1
                level += 1
                if level in keep:
                    kept.append(Node(level, position, node))
            hashes.append(node)
            size += 1
        return Frontier(size, tuple(hashes)), kept

    def pack(self) -> bytes:
        """Return the hashes joined into one byte string, 32 bytes each."""
        return b"".join(self.hashes)

    @classmethod
    def unpack(cls, size: int, packed: bytes) -> Frontier:
        """Read what `pack` wrote; ValueError if its length does not belong to the size."""
        if len(packed) % HASH_BYTES:
            raise ValueError("A packed frontier must be a whole number of 32-byte hashes.")
        parts = (packed[i : i + HASH_BYTES] for i in range(0, len(packed), HASH_BYTES))
        return cls(size, tuple(parts))


def subtrees_of(leaf_hashes: Sequence[bytes]) -> SubtreeHash:
    """Return `subtree(start, end)` over leaf hashes held in memory."""
    return lambda start, end: tree_root(leaf_hashes[start:end])


def inclusion_proof(index: int, size: int, subtree: SubtreeHash) -> list[bytes]:
    """Return the audit path of leaf `index` in the tree of `size` leaves (RFC 9162 §2.1.3.1).

    ValueError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"Leaf {index} is not in a tree of {size} leaves.")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    return path[::-1]


def consistency_proof(first: int, second: int, subtree: SubtreeHash) -> list[bytes]:
    """Return the proof that the first `first` leaves are a prefix of `second` leaves (RFC 9162 §2.1.4.1).

    ValueError unless 0 < first <= second: an empty tree is a prefix of everything, so it proves nothing.
    """
    if not 0 < first <= second:
        raise ValueError(f"There is no consistency proof from {first} to {second} leaves.")
    path: list[bytes] = []
    start, end, whole = 0, second, True
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start, whole = middle, False
    if not whole:
        path.append(subtree(start, end))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether `proof` shows that leaf hash `leaf` is at `index` of the tree (RFC 9162 §2.1.3.2)."""
    return verify_subtree_inclusion(leaf, index, 0, size, proof, root)


def verify_consistency(
    first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> bool:
    """Tell whether `proof` shows that the tree only grew from `first` to `second` (RFC 9162 §2.1.4.2)."""
    return first > 0 and verify_subtree_consistency(0, first, second, proof, first_root, second_root)


def verify_subtree_inclusion(
    leaf: bytes, index: int, start: int, end: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Tell whether leaf `index` lies in the subtree [start, end) with root `root`.

    Indexes count from the beginning of the whole tree (draft-ietf-plants-merkle-tree-certs, subtrees).
    """
    if not _sound(proof, leaf, root) or not _is_subtree(start, end) or not start <= index < end:
        return False
    node, last, running = index - start, end - start - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            running = node_hash(step, running)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            running = node_hash(running, step)
        node >>= 1
        last >>= 1
    return last == 0 and running == root


def verify_subtree_consistency(
    start: int, end: int, size: int, proof: Sequence[bytes], subtree_root: bytes, root: bytes
) -> bool:
    """Tell whether the subtree [start, end) with `subtree_root` is part of the tree of `size` leaves.

    Two cases hash nothing, and upstream's vectors answer them before any root is looked at: an empty subtree
    has the empty root (which says nothing of the tree; `verify_consistency` refuses a first size of 0), and
    the whole tree has the tree's root.
    """
    if not 0 <= start <= end <= size:
        return False
    if start == end:
        return not proof and subtree_root == EMPTY_ROOT
    if start == 0 and end == size:
        return not proof and subtree_root == root
    if not _is_subtree(start, end) or not _sound(proof, subtree_root, root):
        return False
    node, last, top = start, end - 1, size - 1
    # Climb to the subtree of [start, end) whose hash the proof starts from: past every right edge.
    while node != last and (last & 1 or last == top):
        node, last, top = node >> 1, last >> 1, top >> 1
    steps = iter(proof)
    if node == last:
        running, whole = subtree_root, subtree_root
    else:
        seed = next(steps, None)
        if seed is None:
            return False
        running, whole = seed, seed
    for step in steps:
        if top == 0:
            return False
        if last & 1 or last == top:
            if node < last:
                running = node_hash(step, running)
            whole = node_hash(step, whole)
            while not last & 1 and last:
                node, last, top = node >> 1, last >> 1, top >> 1
        else:
            whole = node_hash(whole, step)
        node, last, top = node >> 1, last >> 1, top >> 1
    return top == 0 and running == subtree_root and whole == root


def _split(size: int) -> int:
    """Return the largest power of two smaller than `size` (size > 1)."""
    return 1 << (size - 1).bit_length() - 1


def _is_subtree(start: int, end: int) -> bool:
    """Tell whether [start, end) is non-empty and starts at a multiple of its width rounded up to 2**k."""
    return 0 <= start < end and start % (1 << (end - start - 1).bit_length()) == 0


def _sound(proof: Sequence[bytes], *hashes: bytes) -> bool:
    """Tell whether every hash is exactly 32 bytes; an empty one would let a forger choose the input."""
    return all(len(each) == HASH_BYTES for each in (*proof, *hashes))
