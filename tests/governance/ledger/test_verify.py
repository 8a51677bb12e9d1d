"""The export of a real ledger verifies offline, and what the auditor holds decides what can be proven."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from governance.errors import ConflictError
from governance.events import Sealed
from governance.ledger import service, verify
from governance.ledger.canonical import canonical
from governance.ledger.export import export_lines
from governance.ledger.merkle import leaf_hash, tree_root
from governance.ledger.note import Checkpoint, NoteSigner, sign_note
from governance.ledger.verify import verify_export, verify_file

IMPOSTOR = NoteSigner("privacy.example.org/ledger", Ed25519PrivateKey.from_private_bytes(b"i" * 32))


def exported(engine: Engine, vkey: str, tenant_id: str = "acme") -> list[bytes]:
    with engine.connect() as connection:
        return [line.encode() for line in export_lines(connection, tenant_id, vkey=vkey)]


@pytest.fixture
def signed(open_work: Callable[..., Any], record: Callable[..., None], signer: NoteSigner) -> tuple[str, str]:
    """Five entries signed, then seven: the two checkpoints."""
    notes = []
    for count in (5, 2):
        record(count)
        with open_work() as work:
            notes.append(service.checkpoint(work, signer, host="privacy.example.org"))
    return notes[0], notes[1]


def test_an_export_verifies_with_the_auditors_key_and_older_checkpoint(
    engine: Engine, signed: tuple[str, str], signer: NoteSigner, tmp_path: Path
) -> None:
    lines = exported(engine, signer.vkey)
    result = verify_export(lines, vkey=signer.vkey, older_checkpoint=signed[0])
    assert (result.ok, result.size, result.problems) == (True, 7, ())
    assert result.checkpoint is not None
    assert result.checkpoint.origin == "privacy.example.org/ref-of-acme"
    assert not result.key_was_embedded
    assert "since the checkpoint of 5 entries" in result.summary
    path = tmp_path / "export.ndjson"
    path.write_bytes(b"".join(lines))
    assert verify_file(path, vkey=signer.vkey, older_checkpoint=signed[1]).ok


def test_without_a_key_the_one_in_the_file_is_used_and_said(
    engine: Engine, signed: tuple[str, str], signer: NoteSigner
) -> None:
    result = verify_export(exported(engine, signer.vkey))
    assert result.ok
    assert result.key_was_embedded
    assert result.vkey == signer.vkey
    assert "compare that key" in result.summary


def test_payloads_and_unsigned_entries_stay_in_the_house(
    engine: Engine, open_work: Callable[..., Any], signed: tuple[str, str], signer: NoteSigner
) -> None:
    with open_work() as work:
        work.record("consent.granted", sealed=Sealed(b"ciphertext", "ab" * 32))
    assert verify_export(exported(engine, signer.vkey)).size == 7
    with open_work() as work:
        service.checkpoint(work, signer, host="privacy.example.org")
    lines = exported(engine, signer.vkey)
    assert verify_export(lines, vkey=signer.vkey).size == 8
    assert b"ciphertext" not in b"".join(lines)


def test_an_empty_ledger_can_be_signed_exported_and_verified(
    engine: Engine, open_work: Callable[..., Any], signer: NoteSigner
) -> None:
    with open_work() as work:
        service.checkpoint(work, signer)
    result = verify_export(exported(engine, signer.vkey), vkey=signer.vkey)
    assert (result.ok, result.size) == (True, 0)


def test_no_export_without_a_checkpoint_by_the_very_key(
    engine: Engine, open_work: Callable[..., Any], signer: NoteSigner
) -> None:
    with pytest.raises(ConflictError, match="Sign a checkpoint"):
        exported(engine, signer.vkey)
    with open_work() as work:
        service.checkpoint(work, signer)
    with pytest.raises(ConflictError, match="this key"):
        exported(engine, IMPOSTOR.vkey)


def test_a_whole_ledger_made_up_by_another_key_fails_the_auditors_key(
    engine: Engine, open_work: Callable[..., Any], signed: tuple[str, str], signer: NoteSigner
) -> None:
    with open_work() as work:
        service.checkpoint(work, IMPOSTOR, host="privacy.example.org")
    with engine.connect() as connection:
        root = service.head(connection, "acme")[1]
    lines = exported(engine, signer.vkey)[:-1]
    note = sign_note(Checkpoint("privacy.example.org/ref-of-acme", 7, root).text, IMPOSTOR)
    lines.append(rfc8785.dumps({"checkpoint": note, "vkey": IMPOSTOR.vkey}) + b"\n")
    assert verify_export(lines).ok
    result = verify_export(lines, vkey=signer.vkey)
    assert not result.ok
    assert result.problems[0] == "The export names another key than the given one."


def test_a_history_rewritten_with_the_signing_key_fails_the_held_checkpoint(
    engine: Engine, record: Callable[..., None], open_work: Callable[..., Any], signer: NoteSigner
) -> None:
    """The operator holds key and database; only the checkpoint in the auditor's hand shows the rewriting."""
    record(5)
    record(5, tenant_id="rewritten", subject_ref="sub_2")
    with open_work() as work:
        held = service.checkpoint(work, signer, host="h")
    with open_work("rewritten") as work:
        work.tenant_ref = "ref-of-acme"
        service.checkpoint(work, signer, host="h")
    with engine.connect() as connection:
        lines = [json.loads(line) for line in export_lines(connection, "rewritten", vkey=signer.vkey)]
    for line in lines[:-1]:
        line["leaf"]["tenant"] = "ref-of-acme"
    forged = resigned([line["leaf"] for line in lines[:-1]], signer, "h/ref-of-acme")
    assert verify_export(forged, vkey=signer.vkey).ok
    result = verify_export(forged, vkey=signer.vkey, older_checkpoint=held)
    assert result.problems == ("The first 5 entries are not those of the older checkpoint.",)


def test_an_export_rolled_back_behind_the_held_checkpoint_fails(
    engine: Engine, signed: tuple[str, str], signer: NoteSigner
) -> None:
    leaves = [json.loads(line)["leaf"] for line in exported(engine, signer.vkey)[:5]]
    shorter = resigned(leaves, signer, "privacy.example.org/ref-of-acme")
    assert verify_export(shorter, vkey=signer.vkey, older_checkpoint=signed[0]).ok
    result = verify_export(shorter, vkey=signer.vkey, older_checkpoint=signed[1])
    assert result.problems == ("The older checkpoint covers 7 entries; some have been removed since.",)


def resigned(leaves: list[dict[str, Any]], signer: NoteSigner, origin: str) -> list[bytes]:
    """An export over these leaves with everything recomputed and signed."""
    texts = [rfc8785.dumps(leaf) for leaf in leaves]
    lines = [
        rfc8785.dumps({"leaf": leaf, "leaf_hash": leaf_hash(text).hex(), "position": number}) + b"\n"
        for number, (leaf, text) in enumerate(zip(leaves, texts, strict=True))
    ]
    root = tree_root([leaf_hash(text) for text in texts])
    note = sign_note(Checkpoint(origin, len(texts), root).text, signer)
    return [*lines, rfc8785.dumps({"checkpoint": note, "vkey": signer.vkey}) + b"\n"]


@pytest.mark.parametrize(
    "older", ["", "nonsense", "a\n1\nAAAA\n\n\u2014 x AAAAAAAA\n"], ids=["empty", "text", "short-root"]
)
def test_an_unreadable_older_checkpoint_is_a_problem(
    engine: Engine, signed: tuple[str, str], signer: NoteSigner, older: str
) -> None:
    result = verify_export(exported(engine, signer.vkey), vkey=signer.vkey, older_checkpoint=older)
    assert not result.ok


def test_an_older_checkpoint_by_another_key_or_of_another_log_is_a_problem(
    engine: Engine, signed: tuple[str, str], signer: NoteSigner
) -> None:
    with engine.connect() as connection:
        root = service.root_at(connection, "acme", 5)
    lines = exported(engine, signer.vkey)
    foreign = sign_note(Checkpoint("privacy.example.org/ref-of-acme", 5, root).text, IMPOSTOR)
    assert not verify_export(lines, vkey=signer.vkey, older_checkpoint=foreign).ok
    elsewhere = sign_note(Checkpoint("privacy.example.org/other", 5, root).text, signer)
    result = verify_export(lines, vkey=signer.vkey, older_checkpoint=elsewhere)
    assert result.problems == ("The older checkpoint is of another log.",)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b""],
        [b"\n"],
        [b"{}\n"],
        [b"[]\n"],
        [b'{"checkpoint":1,"vkey":2}\n'],
        [b'{"checkpoint":"","vkey":""}\n'],
        [b"\xff\n"],
        [b"[" * 100_000 + b"\n"],
        [b'{"a":' + b"9" * 5000 + b"}\n"],
        [b'{"a":NaN}\n'],
        [b'{"a":"\\ud800"}\n'],
        [b"\n"] * 200,
    ],
)
def test_what_is_no_export_is_refused_without_a_crash(lines: list[bytes]) -> None:
    result = verify_export(lines)
    assert not result.ok
    assert len(result.problems) <= verify.MAX_PROBLEMS + 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abz_19", min_size=1), inner),
    )
)
def test_the_verifiers_canonical_json_equals_that_of_the_writer(value: Any) -> None:
    assert canonical({"value": value}) == rfc8785.dumps({"value": value})
