"""Signed notes and checkpoints against the C2SP text, and every way to spoil them."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.ledger import note
from governance.ledger.note import Checkpoint, NoteError, NoteSigner

VECTOR = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "merkle" / "signed-note.json").read_text(encoding="utf-8")
)
ALICE = NoteSigner("alice.example", Ed25519PrivateKey.from_private_bytes(b"a" * 32))
BOB = NoteSigner("bob.example", Ed25519PrivateKey.from_private_bytes(b"b" * 32))
ALICE_KEY, BOB_KEY = note.parse_vkey(ALICE.vkey), note.parse_vkey(BOB.vkey)


def test_the_published_note_verifies_with_the_published_key() -> None:
    key = note.parse_vkey(VECTOR["vkey"])
    assert key.text == VECTOR["vkey"]
    assert note.verify_note(VECTOR["note"], [key]).text == VECTOR["note_text_signed"]


def test_a_signed_note_can_be_verified_and_is_written_back_byte_for_byte() -> None:
    signed = note.sign_note("one\n\ntwo\n", ALICE, BOB)
    parsed = note.verify_note(signed, [ALICE_KEY, BOB_KEY])
    assert parsed.text == "one\n\ntwo\n"
    assert parsed.text + "\n" + "".join(f"{each.line}\n" for each in parsed.signatures) == signed


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    signed = note.sign_note("text\n", BOB, ALICE)
    assert note.verify_note(signed, [ALICE_KEY]).text == "text\n"
    with pytest.raises(NoteError, match="None of the known keys"):
        note.verify_note(note.sign_note("text\n", BOB), [ALICE_KEY])


def test_a_broken_signature_of_a_known_key_spoils_the_note_even_beside_a_good_one() -> None:
    other = note.sign_note("other\n", BOB).splitlines()[-1]
    spoilt = note.sign_note("text\n", ALICE) + other + "\n"
    with pytest.raises(NoteError, match="bob"):
        note.verify_note(spoilt, [ALICE_KEY, BOB_KEY])


def test_a_key_of_the_same_name_but_other_bytes_is_another_key() -> None:
    impostor = NoteSigner(ALICE.name, BOB.private_key)
    with pytest.raises(NoteError):
        note.verify_note(note.sign_note("text\n", impostor), [ALICE_KEY])


@pytest.mark.parametrize(
    "text",
    ["", "no newline", "tab\there\n", "nul\x00\n", "lone \ud800\n"],
)
def test_text_that_no_note_can_carry_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        note.sign_note(text, ALICE)


def test_malformed_notes_are_refused() -> None:
    good = note.sign_note("text\n", ALICE)
    line = good.splitlines()[-1]
    for bad in [
        "",
        "text\n",
        "text\n\n",
        good[:-1],
        good + "\n",
        good.replace("\u2014", "-"),
        good.replace(line, line.replace(" ", "  ")),
        good.replace(line, line[:-1] + "!"),
        good.replace(line, "\u2014 alice.example AAAA"),
        "text\n\n" + f"{line}\n" * 101,
    ]:
        with pytest.raises(NoteError):
            note.verify_note(bad, [ALICE_KEY])


def test_keys_that_are_not_written_exactly_so_are_refused() -> None:
    name, key_id, key = ALICE.vkey.split("+", 2)
    for bad in [
        "",
        name,
        f"{name}+{key_id}",
        f"+{key_id}+{key}",
        f"{name}+{key_id.upper()}+{key}",
        f"{name}+00000000+{key}",
        f"{name} x+{key_id}+{key}",
        f"{name}+{key_id}+{key}=",
        f"{name}+{key_id}+{key[:-4]}",
        f"{name}+{key_id}+" + "B" + key[1:],
    ]:
        with pytest.raises(NoteError):
            note.parse_vkey(bad)


def test_a_checkpoint_reads_back_as_it_was_written() -> None:
    for checkpoint in [
        Checkpoint("example.org/log", 0, b"\0" * 32),
        Checkpoint("example.org/log", 4711, bytes(range(32)), ("more", "lines")),
    ]:
        signed = note.sign_note(checkpoint.text, ALICE)
        assert note.verify_checkpoint(signed, [ALICE_KEY]) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "origin\n1\n",
        "origin\n01\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "origin\n-1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "origin\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n",
        "origin\n1\nAAAA\n",
        "origin\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\nx\n",
    ],
)
def test_malformed_checkpoints_are_refused(text: str) -> None:
    with pytest.raises(NoteError):
        note.parse_checkpoint(text)
