"""The offline check of an export: public keys only, no database, no network, every byte of the file.

Nothing here shares code with the writer but the hash functions and the note format: canonical JSON is
produced a second way (`canonical`), so that a mistake in one shows in the other.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from governance.ledger import merkle
from governance.ledger.canonical import canonical, canonical_object
from governance.ledger.model import KIND, LEAF_MEMBERS, LEAF_VERSION
from governance.ledger.note import (
    Checkpoint,
    NoteError,
    VerificationKey,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    verify_checkpoint,
)

MAX_PROBLEMS = 50
_BATCH = 4096
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ENTRY_MEMBERS = frozenset({"leaf", "leaf_hash", "position"})
_NOTHING = merkle.leaf_hash(b"")


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What the check found. `problems` holds at most 50 sentences and a count of the rest.

    `size` is the number of entry lines read; `key_was_embedded` says that no key was given, so that the file
    was only checked against the key inside it: it is whole, but anybody could have made it.
    """

    ok: bool
    size: int
    problems: tuple[str, ...]
    checkpoint: Checkpoint | None = None
    vkey: str | None = None
    key_was_embedded: bool = False
    older_size: int | None = None

    @property
    def summary(self) -> str:
        """One sentence for people."""
        if not self.ok:
            return f"NOT verified: {len(self.problems)} problem(s) in {self.size} entries."
        origin = self.checkpoint.origin if self.checkpoint else ""
        text = f"Verified: {self.size} entries of {origin}, unchanged since they were signed"
        if self.older_size is not None:
            text += f", and only appended to since the checkpoint of {self.older_size} entries"
        if self.key_was_embedded:
            text += "; checked with the key inside the file, so compare that key with the published one"
        return text + "."


@dataclass(slots=True)
class Reading:
    """What is known after the lines read so far."""

    problems: list[str] = field(default_factory=list)
    more: int = 0
    size: int = 0
    tenant: str | None = None
    frontier: merkle.Frontier = field(default_factory=merkle.Frontier)
    pending: list[bytes] = field(default_factory=list)

    def complain(self, problem: str) -> None:
        """Note a problem; past the limit only count it."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)
        else:
            self.more += 1

    def take(self, leaf_hash: bytes) -> None:
        """Append a leaf to the tree."""
        self.pending.append(leaf_hash)
        self.size += 1
        if len(self.pending) >= _BATCH:
            self.root()

    def root(self) -> bytes:
        """Return the root over everything read so far."""
        self.frontier, _ = self.frontier.extend(self.pending)
        self.pending = []
        return self.frontier.root()


def verify_file(path: Path, *, vkey: str | None = None, older_checkpoint: str | None = None) -> VerifyResult:
    """Check an export in a file; see `verify_export`."""
    with path.open("rb") as lines:
        return verify_export(lines, vkey=vkey, older_checkpoint=older_checkpoint)


def verify_export(
    lines: Iterable[bytes], *, vkey: str | None = None, older_checkpoint: str | None = None
) -> VerifyResult:
    """Check an export line by line (each with its newline, as a binary file gives them), in constant memory.

    Any changed, removed, inserted, moved or re-encoded byte is a problem. `vkey` is the public key that the
    auditor trusts; without it the one inside the file is used, and the result says so. `older_checkpoint` is
    a signed note that the auditor kept: the export must continue that very history.
    """
    reading = Reading()
    older = _older(reading, older_checkpoint)
    older_root: bytes | None = None
    last: bytes | None = None
    for line in lines:
        if last is not None:
            read_entry(reading, last)
            if older is not None and reading.size == older.size:
                older_root = reading.root()
        last = line
    end = _Ending() if last is None else _read_end(reading, last)
    if last is None:
        reading.complain("The export is empty; its last line must hold the checkpoint.")
    key = end.key if vkey is None else trusted_key(reading, vkey, end.key)
    if end.note is not None and key is not None:
        end.checkpoint = check_note(reading, end.note, key, "The checkpoint of the export")
    if end.checkpoint is not None:
        _compare(reading, end.checkpoint)
    if older is not None and older_checkpoint is not None and key is not None:
        check_note(reading, older_checkpoint, key, "The older checkpoint")
        _compare_older(reading, older, older_root, end.checkpoint)
    if reading.more:
        reading.problems.append(f"... and {reading.more} more problems.")
    return VerifyResult(
        ok=not reading.problems,
        size=reading.size,
        problems=tuple(reading.problems),
        checkpoint=end.checkpoint,
        vkey=None if key is None else key.text,
        key_was_embedded=vkey is None,
        older_size=None if older is None else older.size,
    )


@dataclass(slots=True)
class _Ending:
    """What the last line says."""

    note: str | None = None
    key: VerificationKey | None = None
    checkpoint: Checkpoint | None = None


def read_entry(reading: Reading, line: bytes) -> None:
    """Check one entry line and take its leaf into the tree (an unreadable one as if it were empty)."""
    read = canonical_object(line)
    hashed = _NOTHING
    if isinstance(read, str):
        problem: str | None = read
    elif read.keys() != _ENTRY_MEMBERS or not isinstance(read["leaf"], dict):
        problem = "is no entry: it must have exactly leaf, leaf_hash and position."
    elif not _is_number(read["position"], reading.size):
        problem = f"does not stand at position {reading.size}."
    else:
        # The line is canonical and so far as expected; the text of the leaf is what stands before this tail.
        tail = canonical({"leaf_hash": read["leaf_hash"], "position": reading.size})[1:]
        hashed = merkle.leaf_hash(line[len(b'{"leaf":') : -len(tail) - 2])
        problem = _leaf_problem(read["leaf"], reading)
        if read["leaf_hash"] != hashed.hex():
            problem = "has a leaf that does not match its hash."
    if problem is not None:
        reading.complain(f"Line {reading.size + 1} {problem}")
    reading.take(hashed)


def _leaf_problem(leaf: dict[str, Any], reading: Reading) -> str | None:
    """Say what is wrong with a leaf, or None."""
    if leaf.keys() != LEAF_MEMBERS or not _is_number(leaf["v"], LEAF_VERSION):
        return f"has a leaf that is not of version {LEAF_VERSION}."
    if not _is_number(leaf["seq"], reading.size):
        return "has a leaf that was made for another position."
    if reading.tenant is None and isinstance(leaf["tenant"], str):
        reading.tenant = leaf["tenant"]
    if leaf["tenant"] != reading.tenant:
        return "belongs to another tenant."
    return None if _has_form(leaf) else "has a leaf with a malformed member."


def _has_form(leaf: dict[str, Any]) -> bool:
    """Tell whether the members of a leaf are of the kinds that the writer may write."""
    return (
        isinstance(leaf["id"], str)
        and isinstance(leaf["actor"], str)
        and (leaf["subject"] is None or isinstance(leaf["subject"], str))
        and _matches(KIND, leaf["kind"])
        and _matches(_INSTANT, leaf["at"])
        and (leaf["commit"] is None or _matches(_DIGEST, leaf["commit"]))
        and (leaf["sealed"] is None or _matches(_DIGEST, leaf["sealed"]))
        and isinstance(leaf["facts"], dict)
    )


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    """Tell whether a value is a string of this form."""
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _read_end(reading: Reading, line: bytes) -> _Ending:
    """Read the last line: the signed checkpoint and the public key."""
    read = canonical_object(line)
    if isinstance(read, str):
        reading.complain(f"The last line {read}")
        return _Ending()
    if set(read) != {"checkpoint", "vkey"} or not all(isinstance(each, str) for each in read.values()):
        reading.complain("The last line must have exactly checkpoint and vkey; the export is cut short.")
        return _Ending()
    return _Ending(read["checkpoint"], read_key(reading, read["vkey"], "The key in the export"))


def trusted_key(reading: Reading, vkey: str, inside: VerificationKey | None) -> VerificationKey | None:
    """Return the auditor's own key; complain if the export names another one."""
    key = read_key(reading, vkey, "The given key")
    if key is not None and inside is not None and inside != key:
        reading.complain("The export names another key than the given one.")
    return key


def read_key(reading: Reading, text: str, what: str) -> VerificationKey | None:
    """Read a public key; complain if it is malformed."""
    try:
        return parse_vkey(text)
    except NoteError as error:
        reading.complain(f"{what} cannot be used. {error}")
        return None


def _older(reading: Reading, note: str | None) -> Checkpoint | None:
    """Read the auditor's older checkpoint; its signature is checked when the key is known."""
    if note is None:
        return None
    try:
        return parse_checkpoint(parse_note(note).text)
    except NoteError as error:
        reading.complain(f"The older checkpoint cannot be read. {error}")
        return None


def check_note(reading: Reading, note: str, key: VerificationKey, what: str) -> Checkpoint | None:
    """Return a checkpoint signed by this key alone: what other signatures say could not be checked."""
    try:
        if len(parse_note(note).signatures) != 1:
            raise NoteError("It must carry exactly one signature.")
        return verify_checkpoint(note, [key])
    except NoteError as error:
        reading.complain(f"{what} does not verify. {error}")
        return None


def _compare(reading: Reading, checkpoint: Checkpoint) -> None:
    """Compare the entries read with what was signed."""
    if checkpoint.size != reading.size:
        reading.complain(f"The checkpoint covers {checkpoint.size} entries, the export has {reading.size}.")
    elif checkpoint.root != reading.root():
        reading.complain("The entries do not hash to the signed root.")
    if reading.tenant is not None and checkpoint.origin.rpartition("/")[2] != reading.tenant:
        reading.complain("The checkpoint was signed for another tenant.")


def _compare_older(
    reading: Reading, older: Checkpoint, root: bytes | None, checkpoint: Checkpoint | None
) -> None:
    """Compare the entries read with an older checkpoint of the same log."""
    if checkpoint is not None and older.origin != checkpoint.origin:
        reading.complain("The older checkpoint is of another log.")
    if older.size > reading.size:
        reading.complain(f"The older checkpoint covers {older.size} entries; some have been removed since.")
    elif older.size and older.root != root:
        reading.complain(f"The first {older.size} entries are not those of the older checkpoint.")


def _is_number(value: object, expected: int) -> bool:
    """Tell whether a value is this whole number (True is not 1)."""
    return type(value) is int and value == expected
