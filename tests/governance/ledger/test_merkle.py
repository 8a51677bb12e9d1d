"""The Merkle code against every published vector, and against the recursive definition of RFC 9162."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from governance.ledger import merkle

VECTORS = Path(__file__).parents[2] / "fixtures" / "merkle"


def rows(name: str) -> list[dict[str, Any]]:
    """Read one vector file, one case a line."""
    return [json.loads(line) for line in (VECTORS / name).read_text().splitlines()]


def decoded(value: str | None) -> bytes:
    return base64.b64decode(value or "")


def proof_of(row: dict[str, Any]) -> list[bytes]:
    return [decoded(each) for each in row["proof"] or []]


def defined_root(entries: list[bytes]) -> bytes:
    """The recursive definition of RFC 9162 §2.1.1, word for word and independent of the code under test."""
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + defined_root(entries[:k]) + defined_root(entries[k:])).digest()


def inclusion(row: dict[str, Any]) -> bool:
    return merkle.verify_inclusion(
        decoded(row["leafHash"]), row["leafIdx"], row["treeSize"], proof_of(row), decoded(row["root"])
    )


def consistency(row: dict[str, Any]) -> bool:
    return merkle.verify_consistency(
        row["size1"], row["size2"], proof_of(row), decoded(row["root1"]), decoded(row["root2"])
    )


def subtree_inclusion(row: dict[str, Any]) -> bool:
    return merkle.verify_subtree_inclusion(
        decoded(row["leafHash"]),
        row["leafIdx"],
        row["start"],
        row["end"],
        proof_of(row),
        decoded(row["root"]),
    )


def subtree_consistency(row: dict[str, Any]) -> bool:
    return merkle.verify_subtree_consistency(
        row["start"], row["end"], row["size"], proof_of(row), decoded(row["root1"]), decoded(row["root2"])
    )


SUITES = [
    ("inclusion.jsonl", 98, inclusion),
    ("consistency.jsonl", 98, consistency),
    ("subtree-inclusion.jsonl", 204, subtree_inclusion),
    ("subtree-consistency.jsonl", 118, subtree_consistency),
]


@pytest.mark.parametrize(("name", "count", "verify"), SUITES, ids=[suite[0] for suite in SUITES])
def test_every_upstream_vector_is_answered_as_upstream_says(
    name: str, count: int, verify: Callable[[dict[str, Any]], bool]
) -> None:
    cases = rows(name)
    assert len(cases) == count
    assert [row["id"] for row in cases if verify(row) is row["wantErr"]] == []


@pytest.mark.parametrize(
    ("name", "corner"),
    [
        ("inclusion.jsonl", "inclusion/single-entry/empty-root-and-leaf.json"),
        ("consistency.jsonl", "consistency/additional/sizes-are-equal-zero-and-proof-is-empty.json"),
    ],
)
def test_the_two_corner_vectors_are_among_the_cases(name: str, corner: str) -> None:
    assert any(row["id"] == corner and row["wantErr"] for row in rows(name))


def test_hashes_and_roots_equal_the_published_ones() -> None:
    known = json.loads((VECTORS / "roots.json").read_text())
    inputs = [bytes.fromhex(each) for each in known["leaf_inputs_hex"]]
    hashes = [merkle.leaf_hash(each) for each in inputs]
    assert [each.hex() for each in hashes] == known["leaf_hashes_hex"]
    roots = [merkle.tree_root(hashes[:size]).hex() for size in range(9)]
    assert roots == known["roots_by_size_hex"]
    grown = [merkle.Frontier().extend(hashes[:size])[0].root().hex() for size in range(9)]
    assert grown == known["roots_by_size_hex"]


def test_a_tree_without_the_domain_prefixes_would_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merkle, "node_hash", lambda left, right: hashlib.sha256(left + right).digest())
    assert any(inclusion(row) is row["wantErr"] for row in rows("inclusion.jsonl"))


def test_every_proof_of_the_exhaustive_file_is_generated_and_verified() -> None:
    leaves = [merkle.leaf_hash(bytes([i])) for i in range(65)]
    subtree = merkle.subtrees_of(leaves)
    seen = 0
    for row in rows("exhaustive-n65.jsonl"):
        proof = [bytes.fromhex(each) for each in row["proof"]]
        if row["type"] == "inclusion":
            root = bytes.fromhex(row["root"])
            assert merkle.inclusion_proof(row["i"], row["n"], subtree) == proof
            assert merkle.verify_inclusion(leaves[row["i"]], row["i"], row["n"], proof, root)
        else:
            roots = bytes.fromhex(row["root1"]), bytes.fromhex(row["root2"])
            assert merkle.consistency_proof(row["m"], row["n"], subtree) == proof
            assert merkle.verify_consistency(row["m"], row["n"], proof, *roots)
        seen += 1
    assert seen > 300


def test_all_pairs_up_to_65_leaves_verify_and_refuse_any_other_position_root_or_length() -> None:
    leaves = [merkle.leaf_hash(bytes([i])) for i in range(65)]
    subtree = merkle.subtrees_of(leaves)
    roots = [defined_root([bytes([i]) for i in range(size)]) for size in range(66)]
    pairs = 0
    for size in range(1, 66):
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, subtree)
            assert merkle.verify_inclusion(leaves[index], index, size, proof, roots[size])
            assert not merkle.verify_inclusion(leaves[index], index + 1, size, proof, roots[size])
            assert not merkle.verify_inclusion(leaves[index], index, size, [*proof, leaves[0]], roots[size])
            assert not merkle.verify_inclusion(leaves[index], index, size, proof, roots[size - 1])
            proof = merkle.consistency_proof(index + 1, size, subtree)
            assert merkle.verify_consistency(index + 1, size, proof, roots[index + 1], roots[size])
            assert not merkle.verify_consistency(index + 1, size, proof, roots[index], roots[size])
            pairs += 2
    assert pairs == 4290


def test_the_frontier_grows_like_the_definition_and_keeps_complete_nodes() -> None:
    entries = [i.to_bytes(2, "big") for i in range(600)]
    hashes = [merkle.leaf_hash(each) for each in entries]
    frontier, kept = merkle.Frontier(), []
    for start in range(0, 600, 37):
        frontier, nodes = frontier.extend(hashes[start : start + 37], keep=frozenset({8}))
        kept += nodes
        assert merkle.Frontier.unpack(frontier.size, frontier.pack()) == frontier
        assert frontier.root() == merkle.tree_root(hashes[: frontier.size])
    assert frontier.root() == defined_root(entries)
    assert kept == [
        merkle.Node(8, 0, defined_root(entries[:256])),
        merkle.Node(8, 1, defined_root(entries[256:512])),
    ]


@pytest.mark.parametrize(("size", "packed"), [(1, b""), (2, b"x" * 31), (3, b"x" * 32), (-1, b"")])
def test_a_frontier_that_does_not_fit_its_size_is_refused(size: int, packed: bytes) -> None:
    with pytest.raises(ValueError):
        merkle.Frontier.unpack(size, packed)


def test_proofs_outside_the_tree_are_refused() -> None:
    subtree = merkle.subtrees_of([merkle.leaf_hash(b"")] * 4)
    for index, size in [(-1, 4), (4, 4), (0, 0)]:
        with pytest.raises(ValueError):
            merkle.inclusion_proof(index, size, subtree)
    for first, second in [(0, 4), (5, 4), (-1, 4), (0, 0)]:
        with pytest.raises(ValueError):
            merkle.consistency_proof(first, second, subtree)
