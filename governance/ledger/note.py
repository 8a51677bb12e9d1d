"""C2SP signed notes and checkpoints: text that carries its signatures, for people and verifiers.

Formats: C2SP signed-note and tlog-checkpoint, with Ed25519 keys (type 0x01). Pure; raises NoteError.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
MAX_SIGNATURES = 100
_DASH = "\u2014 "
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_KEY_ID = re.compile(r"[0-9a-f]{8}")


class NoteError(ValueError):
    """A note, checkpoint or key that is malformed or does not verify; the sentence says which part."""


class Signer(Protocol):
    """What signs checkpoints. `vkey` is the public key in C2SP form; `sign` gives 64 bytes of Ed25519."""

    @property
    def name(self) -> str:
        """The key's name as it stands in the signature line."""
        ...

    @property
    def vkey(self) -> str:
        """The verification key: `name+keyid+base64`."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign the text of a note."""
        ...


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key with the name it signs under; `text` is its C2SP form."""

    name: str
    public_key: bytes
    _ed25519: Ed25519PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse names and keys that no note can carry (NoteError)."""
        if not _is_key_name(self.name):
            raise NoteError("The name of a key must be non-empty, without spaces and plus signs.")
        try:
            loaded = Ed25519PublicKey.from_public_bytes(self.public_key)
        except ValueError as error:
            raise NoteError("An Ed25519 public key has 32 bytes.") from error
        object.__setattr__(self, "_ed25519", loaded)

    @property
    def key_id(self) -> bytes:
        """The first 4 bytes of SHA-256(name, newline, type, key): a hint, not a fingerprint."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:4]

    @property
    def text(self) -> str:
        """The key as `name+keyid+base64(type, key)`."""
        return f"{self.name}+{self.key_id.hex()}+{_to_base64(ED25519 + self.public_key)}"

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Tell whether `signature` is this key's over `message`."""
        try:
            self._ed25519.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A Ed25519 private key with the name it signs under."""

    name: str
    private_key: Ed25519PrivateKey

    @property
    def vkey(self) -> str:
        """The public key in C2SP form."""
        return VerificationKey(self.name, self.private_key.public_key().public_bytes_raw()).text

    def sign(self, message: bytes) -> bytes:
        """Sign `message`; 64 bytes."""
        return self.private_key.sign(message)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line as it stands in the note, without its newline."""
        return f"{_DASH}{self.name} {_to_base64(self.key_id + self.signature)}"


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A note taken apart: `text` is what is signed and ends in a newline."""

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: its origin, the number of its leaves and their root (C2SP tlog-checkpoint)."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The body of the note."""
        lines = (self.origin, self.size, _to_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse_vkey(text: str) -> VerificationKey:
    """Read a verification key `name+keyid+base64`; NoteError unless it is exactly what `text` would write."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    raw = _from_base64(encoded, "The key")
    if not _KEY_ID.fullmatch(key_id) or raw[:1] != ED25519:
        raise NoteError("A verification key reads name+keyid+base64 with an Ed25519 key (type 0x01).")
    key = VerificationKey(name, raw[1:])
    if key.key_id.hex() != key_id:
        raise NoteError("The key id does not belong to this name and key.")
    return key


def sign_note(text: str, *signers: Signer) -> str:
    """Sign `text` (which must end in a newline) and return the whole note."""
    _check_text(text)
    if not signers:
        raise NoteError("A note needs at least one signature.")
    lines = [
        Signature(each.name, parse_vkey(each.vkey).key_id, each.sign(text.encode())).line for each in signers
    ]
    return text + "\n" + "".join(f"{line}\n" for line in lines)


def parse_note(note: str) -> SignedNote:
    """Take a note apart without checking its signatures."""
    text, gap, block = note.rpartition("\n\n")
    if not gap or not block.endswith("\n"):
        raise NoteError("A note is its text, an empty line and signature lines, each ended by a newline.")
    text += "\n"
    _check_text(text)
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"A note may carry at most {MAX_SIGNATURES} signatures.")
    return SignedNote(text, tuple(_parse_signature(line) for line in lines))


def verify_note(note: str, keys: Iterable[VerificationKey]) -> SignedNote:
    """Return the note if a known key signed it.

    Signatures of unknown keys are passed over; one of a known key that does not verify spoils the note.
    """
    parsed = parse_note(note)
    known = {(key.name, key.key_id): key for key in keys}
    verified = 0
    for signature in parsed.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        if not key.verifies(parsed.text.encode(), signature.signature):
            raise NoteError(f"The signature of {key.name} does not verify.")
        verified += 1
    if not verified:
        raise NoteError("None of the known keys signed this note.")
    return parsed


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the body of a checkpoint: origin, size, base64 root, and any extension lines."""
    _check_text(text)
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines) or not _SIZE.fullmatch(lines[1]):
        raise NoteError("A checkpoint has an origin line, a decimal size and a base64 root.")
    root = _from_base64(lines[2], "The root")
    if len(root) != hashlib.sha256().digest_size:
        raise NoteError("The root of a checkpoint has 32 bytes.")
    return Checkpoint(lines[0], int(lines[1]), root, tuple(lines[3:]))


def verify_checkpoint(note: str, keys: Iterable[VerificationKey]) -> Checkpoint:
    """Return the checkpoint that a note carries if a known key signed it."""
    return parse_checkpoint(verify_note(note, keys).text)


def _parse_signature(line: str) -> Signature:
    """Read `— name base64(key id, signature)`."""
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not (line.startswith(_DASH) and space and _is_key_name(name)):
        raise NoteError("A signature line reads: em dash, space, key name, space, base64.")
    raw = _from_base64(encoded, "A signature")
    if len(raw) < 5:
        raise NoteError("A signature is shorter than its key id.")
    return Signature(name, raw[:4], raw[4:])


def _is_key_name(name: str) -> bool:
    """Tell whether a key may be called so: non-empty, without white space and plus signs."""
    return bool(name) and not any(each == "+" or each.isspace() for each in name)


def _check_text(text: str) -> None:
    """Refuse text that a note cannot carry: control characters, surrogates, or no newline at its end."""
    if not text.endswith("\n") or any(each < " " and each != "\n" for each in text):
        raise NoteError("The text of a note ends in a newline and has no other control characters.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NoteError("The text of a note must be UTF-8.") from error


def _to_base64(raw: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(raw).decode("ascii")


def _from_base64(encoded: str, what: str) -> bytes:
    """Read standard base64, refusing every spelling but the one that `_to_base64` writes."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError(f"{what} is not base64.") from error
    if _to_base64(raw) != encoded:
        raise NoteError(f"{what} is not written in the canonical form of base64.")
    return raw
