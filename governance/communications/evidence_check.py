"""The offline check of a message's evidence: public keys only, no database, no network. Pure.

What it shows: that nothing in the file was changed since it was signed, that every event in it lies in the
ledger whose head was signed, and that decision, policy, notices and what the person gave are those which the
events committed to.
"""

import base64
import hashlib
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from governance.ledger import merkle
from governance.ledger.note import (
    Checkpoint,
    NoteError,
    VerificationKey,
    parse_note,
    parse_vkey,
    verify_checkpoint,
    verify_note,
)
from governance.vault.model import commitment

FORMAT = "governance-evidence/1"
MANIFEST = "manifest.txt"

_MOST_BYTES = 64 * 1024 * 1024
_MOST_FILES = 5000
_LEAF = re.compile(r"ledger/(0|[1-9][0-9]{0,15})\.json")
_MUST = frozenset(
    {"checkpoint.txt", "key.txt", "message.json", "decision.json", "policy/policy.json", "ledger/proofs.json"}
)


@dataclass(frozen=True, slots=True)
class EvidenceResult:
    """What the check found; `key_was_embedded`: checked with the key inside only."""

    ok: bool
    problems: tuple[str, ...]
    message: str | None = None
    allowed: bool | None = None
    events: int = 0
    vkey: str | None = None
    key_was_embedded: bool = False


_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, UnicodeError)
"""What reading a damaged ZIP raises; RuntimeError also for encrypted and unheard-of ones."""


class Doubt(Exception):
    """Something does not hold; the sentence says what."""


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def check_evidence(raw: bytes, *, vkey: str | None = None) -> EvidenceResult:
    """Check a ZIP that `GET /v1/communications/{id}/evidence` answered; `vkey` is the key that you trust."""
    try:
        files = read_files(raw, _MUST)
        text = vkey or files["key.txt"].decode().strip()
        key = parse_vkey(text)
        if files["key.txt"].decode().strip() != text:
            raise Doubt("The file names another key than the given one.")
        check_manifest(files, key, FORMAT)
        checkpoint = verify_checkpoint(files["checkpoint.txt"].decode(), [key])
        leaves = check_ledger(files, checkpoint)
        message, decision = read_object(files, "message.json"), read_object(files, "decision.json")
        _check_message(message, leaves)
        _check_decision(files, message, decision, leaves)
        check_consents(files, leaves)
        check_notices(files, leaves)
    except (Doubt, NoteError) as problem:
        return EvidenceResult(False, (str(problem),))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return EvidenceResult(False, ("The file is not of the form of evidence, or was cut short.",))
    return EvidenceResult(True, (), message["id"], decision["decision"], len(leaves), key.text, vkey is None)


def read_files(raw: bytes, must: frozenset[str]) -> dict[str, bytes]:
    """The files of the ZIP, each name once, in bounded memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            listed = archive.infolist()
            if len(listed) > _MOST_FILES or sum(each.file_size for each in listed) > _MOST_BYTES:
                raise Doubt("The file is larger than evidence is.")
            files = {each.filename: archive.read(each) for each in listed}
    except _BROKEN:
        raise Doubt("The file is no ZIP that can be read, or was damaged on its way.") from None
    if len(files) != len(listed):
        raise Doubt("A file stands in the ZIP twice.")
    missing = sorted(must - files.keys())
    if missing:
        raise Doubt(f"The file {missing[0]} is missing.")
    return files


def check_manifest(files: Mapping[str, bytes], key: VerificationKey, form: str) -> None:
    """Check that these are the files that were signed, all and unchanged."""
    note = files[MANIFEST].decode()
    if len(parse_note(note).signatures) != 1:
        raise Doubt("The manifest must carry exactly one signature.")
    first, *lines = verify_note(note, [key]).text.splitlines()
    if first != form:
        raise Doubt(f"The manifest is not of the form {form}.")
    told = {name: hashed for hashed, _, name in (line.partition(" ") for line in lines)}
    there = {name: digest(data) for name, data in files.items() if name != MANIFEST}
    if told != there:
        names = sorted(name for name in told.keys() | there.keys() if told.get(name) != there.get(name))
        raise Doubt(f"The file {names[0]} is not the one that was signed.")


def check_ledger(files: Mapping[str, bytes], checkpoint: Checkpoint) -> dict[str, dict[str, Any]]:
    """Check that every leaf lies in the signed tree; gives the leaves by the id of their event."""
    proofs = read_object(files, "ledger/proofs.json")
    if proofs["size"] != checkpoint.size:
        raise Doubt("The proofs are for another tree than the checkpoint's.")
    tenant = checkpoint.origin.rpartition("/")[2]
    leaves: dict[str, dict[str, Any]] = {}
    for name, data in files.items():
        found = _LEAF.fullmatch(name)
        if found is None:
            continue
        position = int(found[1])
        path = [bytes.fromhex(each) for each in proofs["proofs"][found[1]]]
        hashed = merkle.leaf_hash(data)
        if not merkle.verify_inclusion(hashed, position, checkpoint.size, path, checkpoint.root):
            raise Doubt(f"The entry {position} does not lie in the signed ledger.")
        leaf = read_object(files, name)
        if (leaf["seq"], leaf["tenant"]) != (position, tenant):
            raise Doubt(f"The entry {position} was made for another place.")
        leaves[leaf["id"]] = leaf
    return leaves


def _check_message(message: Mapping[str, Any], leaves: Mapping[str, Mapping[str, Any]]) -> None:
    facts = leaves[message["event_id"]]["facts"]
    told = (message["id"], message["purpose"], message["channel"], message["message_class"])
    if told != (facts["message"], facts["purpose"], facts["channel"], facts["class"]):
        raise Doubt("The message is not the one that was authorised.")
    for each in message["outcomes"]:
        leaf = leaves[each["event_id"]]
        if leaf["kind"] != f"communications.{each['outcome']}" or leaf["facts"]["message"] != message["id"]:
            raise Doubt("An outcome is not the one that was recorded.")


def _check_decision(
    files: Mapping[str, bytes],
    message: Mapping[str, Any],
    decision: Mapping[str, Any],
    leaves: Mapping[str, Mapping[str, Any]],
) -> None:
    leaf = leaves[message["event_id"]]
    if leaf["facts"]["decision"] != decision["id"] or leaf["kind"] != "communications.authorised":
        raise Doubt("The decision is not the one that the message was authorised by.")
    if leaf["facts"]["decision_sha256"] != digest(files["decision.json"]):
        raise Doubt("The decision is not what the ledger committed to.")
    if decision["policy"].removeprefix("sha256:") != digest(files["policy/policy.json"]):
        raise Doubt("The policy is not the one that the decision was made by.")


def check_consents(files: Mapping[str, bytes], leaves: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that what the person gave is what the events committed to."""
    for name in files:
        if not name.startswith("consent/"):
            continue
        kept = read_object(files, name)
        payload = base64.b64decode(kept["payload"], validate=True)
        made = commitment(
            bytes.fromhex(kept["salt"]), kept["tenant_id"], kept["subject_ref"], kept["event_id"], payload
        )
        if made != leaves[kept["event_id"]]["commit"] or json.loads(payload) != kept["readable"]:
            raise Doubt(f"What the person gave ({name}) is not what the ledger committed to.")


def check_notices(files: Mapping[str, bytes], leaves: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that the notices are those that were recorded."""
    for name, data in files.items():
        if name.startswith("notices/"):
            event_id = name.removeprefix("notices/").split(".")[0]
            if digest(data) not in leaves[event_id]["facts"]["sha256"]:
                raise Doubt(f"The notice {name} is not the one that was recorded.")


def read_object(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    """The JSON object in a file of the evidence."""
    value = json.loads(files[name])
    if not isinstance(value, dict):
        raise Doubt(f"The file {name} is no JSON object.")
    return value
