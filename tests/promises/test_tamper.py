"""Promise: whoever holds an export and the public key detects any change to it, offline.

10,000 single-bit flips over every byte and 1,000 structural edits; none may be missed, and no untouched
export may be refused. Two verifiers with a seeded bug, each blind to one column, show the campaign's teeth.
"""

import json
import random
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.events import Event, Sealed
from governance.ledger.merkle import leaf_hash, tree_root
from governance.ledger.model import build_leaf
from governance.ledger.note import Checkpoint, NoteSigner, sign_note
from governance.ledger.verify import verify_export

SEED = 20261121
FLIPS = 10_000
EDITS = 1_000
ENTRIES = 40
START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SIGNER = NoteSigner("privacy.example.org/ledger", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))

Lines = list[bytes]


def an_export(count: int, *, tenant: str = "tnt_0123456789abcdef") -> Lines:
    """An export as the service writes it (`test_verify.py` compares the real one), made in memory."""
    leaves = []
    for position in range(count):
        sealed = Sealed(b"%d" % position, f"{position:064x}") if position % 3 == 0 else None
        event = Event(
            id=f"evt_{tenant[-4:]}{position:028x}",
            kind=("consent.granted", "consent.withdrawn", "subject.created")[position % 3],
            at=START + timedelta(seconds=position),
            actor_ref="client_1",
            subject_ref=None if position % 5 == 0 else f"sub_{position % 7:032x}",
            facts={
                "purpose": "newsletter",
                "proven": position % 2 == 0,
                "number": position,
                "land": "Österreich",
            },
            sealed=sealed,
        )
        leaves.append(build_leaf(event, tenant_ref=tenant, position=position))
    return with_end([entry_line(leaf, position) for position, leaf in enumerate(leaves)], leaves, tenant)


def entry_line(leaf: bytes, position: int) -> bytes:
    line = {"leaf": json.loads(leaf), "leaf_hash": leaf_hash(leaf).hex(), "position": position}
    return rfc8785.dumps(line) + b"\n"


def with_end(lines: Lines, leaves: list[bytes], tenant: str) -> Lines:
    root = tree_root([leaf_hash(leaf) for leaf in leaves])
    note = sign_note(Checkpoint(f"privacy.example.org/{tenant}", len(leaves), root).text, SIGNER)
    return [*lines, rfc8785.dumps({"checkpoint": note, "vkey": SIGNER.vkey}) + b"\n"]


def split(data: bytes) -> Lines:
    """Cut a file into lines as reading it in binary does: after every newline byte and nowhere else."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


EXPORT = an_export(ENTRIES)
OTHER_TENANT = an_export(ENTRIES, tenant="tnt_fedcba9876543210")
SHORTER = an_export(ENTRIES - 3)
WHOLE = b"".join(EXPORT)

Verifier = Callable[[Lines], bool]


def accepts(lines: Lines) -> bool:
    """The verifier under test, with the auditor's own key."""
    return verify_export(lines, vkey=SIGNER.vkey).ok


def accepts_with_embedded_key(lines: Lines) -> bool:
    """The verifier under test, with nothing but the file."""
    return verify_export(lines).ok


def missed_flips(
    accept: Verifier, count: int, *, seed: int = SEED, places: Sequence[int] = range(len(WHOLE))
) -> int:
    """Flip one random bit at a time in one of these bytes; count the flips that go unnoticed."""
    random_ = random.Random(seed)
    missed = 0
    for _ in range(count):
        at = random_.choice(places)
        changed = bytearray(WHOLE)
        changed[at] ^= 1 << random_.randrange(8)
        missed += accept(split(bytes(changed)))
    return missed


def test_no_single_bit_flip_is_missed() -> None:
    assert missed_flips(accepts, FLIPS // 2) == 0
    assert missed_flips(accepts_with_embedded_key, FLIPS // 2, seed=SEED + 1) == 0


Edit = Callable[[random.Random, Lines], Lines]


def some(random_: random.Random, lines: Lines) -> int:
    """The index of some entry line."""
    return random_.randrange(len(lines) - 1)


def rewritten(lines: Lines, at: int, change: Callable[[dict[str, Any]], object]) -> Lines:
    """Change the JSON of one line and write it canonically again."""
    told = json.loads(lines[at])
    change(told)
    return [*lines[:at], rfc8785.dumps(told) + b"\n", *lines[at + 1 :]]


def reencoded(lines: Lines, at: int, **how: Any) -> Lines:
    return [*lines[:at], json.dumps(json.loads(lines[at]), **how).encode() + b"\n", *lines[at + 1 :]]


def delete(random_: random.Random, lines: Lines) -> Lines:
    at = some(random_, lines)
    return lines[:at] + lines[at + 1 :]


def insert(random_: random.Random, lines: Lines) -> Lines:
    at, source = some(random_, lines), some(random_, lines)
    return [*lines[:at], lines[source], *lines[at:]]


def insert_and_renumber(random_: random.Random, lines: Lines) -> Lines:
    """Put a copy in and number everything again, in line and leaf, with all leaf hashes recomputed."""
    at, source = some(random_, lines), some(random_, lines)
    leaves = [json.loads(line)["leaf"] for line in [*lines[:at], lines[source], *lines[at:-1]]]
    renumbered = [rfc8785.dumps(leaf | {"seq": number}) for number, leaf in enumerate(leaves)]
    return [*(entry_line(leaf, number) for number, leaf in enumerate(renumbered)), lines[-1]]


def swap(random_: random.Random, lines: Lines) -> Lines:
    one, two = random_.sample(range(len(lines) - 1), 2)
    changed = list(lines)
    changed[one], changed[two] = changed[two], changed[one]
    return changed


def swap_and_renumber(random_: random.Random, lines: Lines) -> Lines:
    changed = swap(random_, lines)
    leaves = [rfc8785.dumps(json.loads(line)["leaf"]) for line in changed[:-1]]
    return [*(entry_line(leaf, number) for number, leaf in enumerate(leaves)), lines[-1]]


def renumber(random_: random.Random, lines: Lines) -> Lines:
    at = some(random_, lines)
    number = random_.choice([at + 1, -at - 1, at + 2**52, True, str(at), None])
    return rewritten(lines, at, lambda told: told.update(position=number))


def renumber_leaf(random_: random.Random, lines: Lines) -> Lines:
    at = some(random_, lines)
    told = json.loads(lines[at])["leaf"] | {"seq": at + 1 + random_.randrange(5)}
    return [*lines[:at], entry_line(rfc8785.dumps(told), at), *lines[at + 1 :]]


def truncate_lines(random_: random.Random, lines: Lines) -> Lines:
    cut = 1 + random_.randrange(len(lines) - 1)
    return lines[:-cut] if random_.random() < 0.5 else [*lines[: -cut - 1], lines[-1]]


def truncate_bytes(random_: random.Random, lines: Lines) -> Lines:
    return split(WHOLE[: -1 - random_.randrange(len(WHOLE) - 1)])


def replay_entry(random_: random.Random, lines: Lines) -> Lines:
    return [*lines[:-1], lines[some(random_, lines)], lines[-1]]


def replay_checkpoint(random_: random.Random, lines: Lines) -> Lines:
    return [*lines[:-1], SHORTER[-1]] if random_.random() < 0.5 else [*lines, SHORTER[-1]]


def move_across_tenants(random_: random.Random, lines: Lines) -> Lines:
    at = some(random_, lines)
    return [*lines[:at], OTHER_TENANT[at], *lines[at + 1 :]]


def take_the_end_of_another_tenant(random_: random.Random, lines: Lines) -> Lines:
    at = some(random_, lines)
    return [*lines[:at], *OTHER_TENANT[at:]] if at else [*lines[:-1], OTHER_TENANT[-1]]


def reencode(random_: random.Random, lines: Lines) -> Lines:
    at = random_.randrange(len(lines))
    how: dict[str, Any] = random_.choice(
        [
            {"ensure_ascii": False},  # spaces after separators
            {"indent": 0},
            {"separators": (",", ":"), "ensure_ascii": True, "sort_keys": False},
        ]
    )
    return reencoded(lines, at, **how)


def reorder_members(random_: random.Random, lines: Lines) -> Lines:
    at = some(random_, lines)
    told = json.loads(lines[at])
    turned = dict(reversed(told.items()))
    text = json.dumps(turned, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    return [*lines[:at], text, *lines[at + 1 :]]


def respell(random_: random.Random, lines: Lines) -> Lines:
    """Write the same value otherwise: escapes, exponents, upper-case digits."""
    at = some(random_, lines)
    line = lines[at]
    position, digest = json.loads(line)["position"], json.loads(line)["leaf_hash"]
    spelt = random_.choice(
        [
            line.replace(b"consent", b"\\u0063onsent").replace(b"subject", b"\\u0073ubject"),
            line.replace(b'"position":%d' % position, b'"position":%d.0' % position),
            line.replace(b'"position":%d' % position, b'"position":%de0' % position),
            line.replace(b'"position":', b'"position":0'),
            line.replace(b'"position":', b'"position":-'),
            line.replace(digest.encode(), digest.upper().encode()),
        ]
    )
    return [*lines[:at], spelt, *lines[at + 1 :]]


def add_white_space(random_: random.Random, lines: Lines) -> Lines:
    at = random_.randrange(len(WHOLE) + 1)
    return split(
        WHOLE[:at] + random_.choice([b" ", b"\t", b"\r", b"\n", b"\xef\xbb\xbf", b"\0"]) + WHOLE[at:]
    )


def add_member(random_: random.Random, lines: Lines) -> Lines:
    at = random_.randrange(len(lines))
    return rewritten(lines, at, lambda told: told.update({random_.choice(["note", "zzz", "a"]): "x"}))


def repeat_member(random_: random.Random, lines: Lines) -> Lines:
    at = random_.randrange(len(lines))
    return [*lines[:at], lines[at].replace(b"{", b'{"leaf":{},', 1), *lines[at + 1 :]]


def drop_member(random_: random.Random, lines: Lines) -> Lines:
    at = random_.randrange(len(lines))
    return rewritten(lines, at, lambda told: told.pop(random_.choice(sorted(told))))


def rewrite_leaf(random_: random.Random, lines: Lines) -> Lines:
    """Change what a leaf says and recompute its hash."""
    at = some(random_, lines)
    leaf = json.loads(lines[at])["leaf"]
    changes = {
        "kind": "consent.refused",
        "subject": "sub_forged",
        "actor": "client_2",
        "at": "2020-01-01T00:00:00.000000Z",
        "facts": {},
        "commit": "0" * 63 + "f",
        "sealed": "f" * 64,
        "id": "evt_forged",
        "tenant": "tnt_forged",
        "v": 2,
    }
    name = random_.choice(sorted(changes))
    return [*lines[:at], entry_line(rfc8785.dumps(leaf | {name: changes[name]}), at), *lines[at + 1 :]]


def rewrite_end(random_: random.Random, lines: Lines) -> Lines:
    """Change the checkpoint or the key: size, root, origin, signatures."""
    end = json.loads(lines[-1])
    note: str = end["checkpoint"]
    size = f"\n{len(lines) - 1}\n"
    notes = [
        note.replace(size, f"\n{len(lines)}\n"),
        note.replace(size, f"\n0{len(lines) - 1}\n"),
        note.replace(size, size + "extension\n"),
        note.replace("privacy.example.org/tnt", "privacy.example.org/other/tnt"),
        note + note.splitlines()[-1] + "\n",
        note.replace("\n\u2014 privacy", "\n\u2014 other"),
        note[:-1],
        "\n" + note,
        json.loads(OTHER_TENANT[-1])["checkpoint"],
    ]
    end["checkpoint"] = random_.choice(notes)
    return [*lines[:-1], rfc8785.dumps(end) + b"\n"]


EDITORS: list[Edit] = [
    delete,
    insert,
    insert_and_renumber,
    swap,
    swap_and_renumber,
    renumber,
    renumber_leaf,
    truncate_lines,
    truncate_bytes,
    replay_entry,
    replay_checkpoint,
    move_across_tenants,
    take_the_end_of_another_tenant,
    reencode,
    reorder_members,
    respell,
    add_white_space,
    add_member,
    repeat_member,
    drop_member,
    rewrite_leaf,
    rewrite_end,
]


def edited(count: int) -> list[tuple[str, Lines]]:
    """So many different edits, each kind in turn; an edit that happens to change nothing is made again."""
    random_ = random.Random(SEED)
    made = []
    for number in range(count):
        editor = EDITORS[number % len(EDITORS)]
        lines = editor(random_, EXPORT)
        while lines == EXPORT:
            lines = editor(random_, EXPORT)
        made.append((editor.__name__, lines))
    return made


def test_no_structural_edit_is_missed() -> None:
    assert [name for name, lines in edited(EDITS) if accepts(lines)] == []


def test_no_untouched_export_is_refused() -> None:
    exports = [an_export(size) for size in (0, 1, 2, 3, 7, 8, 9, 31, 32, 33, ENTRIES)]
    assert all(accepts(exports[turn % len(exports)]) for turn in range(1_000))
    assert all(accepts_with_embedded_key(lines) for lines in exports)


def blind_to(column: str) -> Verifier:
    """A verifier with a seeded bug: it takes one column of each line as it should be, never as it is."""

    def accept(lines: Lines) -> bool:
        mended = []
        for number, line in enumerate(lines):
            try:
                told = json.loads(line)
                leaf = rfc8785.dumps(told["leaf"])
                right = {"position": number, "leaf_hash": leaf_hash(leaf).hex()}
                # Only a line that is otherwise as written: the bug is in one column, not in the form.
                if rfc8785.dumps(told) + b"\n" == line and column in told:
                    line = rfc8785.dumps(told | {column: right[column]}) + b"\n"
            except (ValueError, KeyError, TypeError, rfc8785.CanonicalizationError):
                pass
            mended.append(line)
        return accepts(mended)

    return accept


@pytest.mark.parametrize("column", ["position", "leaf_hash"])
def test_a_verifier_that_skips_one_column_is_caught_by_flips_in_it(column: str) -> None:
    value = re.compile(rb'"%s":"?([0-9a-f]+)' % column.encode())
    places = [at for found in value.finditer(WHOLE) for at in range(*found.span(1))]
    assert len(places) > ENTRIES
    assert blind_to(column)(EXPORT)
    assert missed_flips(blind_to(column), 100, places=places) > 10
    assert missed_flips(accepts, 100, places=places) == 0
