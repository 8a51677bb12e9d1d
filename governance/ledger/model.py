"""What a ledger entry is: the leaf that the tree hashes, and the guard that keeps persons out of it.

A leaf is canonical JSON (RFC 8785) with exactly these members:
`v` (1), `tenant` and `subject` and `actor` (random references), `seq` (position, from 0), `id` (the event),
`at` (RFC 3339, UTC), `kind`, `facts`, `commit` (hex HMAC of the sealed payload under its salt, or null) and
`sealed` (hex SHA-256 of the payload's ciphertext, or null: it shows a changed ciphertext without any key, and
tells nothing once the ciphertext is erased).
"""

import hashlib
import ipaddress
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.clock import wire
from governance.events import Event, Fact

LEAF_VERSION = 1
LEAF_MEMBERS = frozenset(
    {"v", "tenant", "seq", "id", "at", "kind", "actor", "subject", "facts", "commit", "sealed"}
)
MAX_TEXT = 256
_SAFE_INTEGER = 2**53 - 1

# RFC 8785 in C. It is canonical for what `check_event` lets into a leaf and for nothing else: names in ASCII
# (other alphabets sort differently there), no fractions, whole numbers below 2**53, no lone surrogates.
_canonical = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode

KIND = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*(\.[a-z][a-z0-9]*([_-][a-z0-9]+)*)+")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_COMMITMENT = re.compile(r"[0-9a-f]{64}")
_EMAIL = re.compile(r"[^\s@]@[^\s@]+\.[^\W\d_]{2,}")
_PHONE = re.compile(r"(?<!\w)\+[\s.()-]*[0-9](?:[\s.()/-]*[0-9]){6,14}(?!\w)")
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_IPV6 = re.compile(r"[0-9a-fA-F]*:[0-9a-fA-F.]*:[0-9a-fA-F:.]*(?!\w)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")


class UnfitLeafError(Exception):
    """A programming error: an event that must not enter the ledger (personal data, free text, form)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored entry. `leaf` is the exact text that was hashed; `payload` is None if absent or erased."""

    position: int
    event_id: str
    kind: str
    subject_ref: str | None
    actor_ref: str
    at: datetime
    leaf: bytes
    leaf_hash: bytes
    payload: bytes | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """The facts that the leaf carries."""
        facts: dict[str, Any] = json.loads(self.leaf)["facts"]
        return facts


def facts_told(leaf: object) -> dict[str, Any]:
    """Give the facts of a leaf as it lies in the table; none of one that cannot be read (`fsck` tells)."""
    try:
        facts = json.loads(leaf)["facts"] if isinstance(leaf, bytes) else {}
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def build_leaf(event: Event, *, tenant_ref: str, position: int) -> bytes:
    """Return the leaf of `event` at `position` (from 0); UnfitLeafError if it must not become one."""
    check_event(event)
    sealed = event.sealed
    return _canonical(
        {
            "v": LEAF_VERSION,
            "tenant": tenant_ref,
            "seq": position,
            "id": event.id,
            "at": wire(event.at),
            "kind": event.kind,
            "actor": event.actor_ref,
            "subject": event.subject_ref,
            "facts": dict(event.facts),
            "commit": None if sealed is None else sealed.commitment,
            "sealed": None if sealed is None else hashlib.sha256(sealed.ciphertext).hexdigest(),
        }
    ).encode()


def check_event(event: Event) -> None:
    """Refuse an event that must not become a leaf, since a leaf can never be changed or erased.

    Raises UnfitLeafError; the sentence names the member, never its value.
    """
    if not KIND.fullmatch(event.kind):
        raise UnfitLeafError("An event's kind reads <room>.<past-participle>, in lower case.")
    for name, reference in (("id", event.id), ("actor", event.actor_ref), ("subject", event.subject_ref)):
        if reference is not None and (not reference or not is_fact_text(reference)):
            raise UnfitLeafError(f"The {name} of a {event.kind} event must be an opaque reference.")
    if event.sealed is not None and not _COMMITMENT.fullmatch(event.sealed.commitment):
        raise UnfitLeafError(f"The commitment of a {event.kind} event must be 64 hexadecimal digits.")
    for name, value in event.facts.items():
        if not _NAME.fullmatch(name):
            raise UnfitLeafError(f"A fact of a {event.kind} event has a name that is no lower_case word.")
        if not _is_fact(value):
            raise UnfitLeafError(
                f"The fact {name!r} of a {event.kind} event is no code, reference, number, flag or list of "
                "codes; seal what is personal or free text in the payload."
            )


def is_fact_text(text: str) -> bool:
    """Tell whether a string may stand in a leaf: a code or reference of at most 256 characters.

    Refused is what looks like an e-mail address, a telephone number in international form or an IP address,
    and control characters. A person's name cannot be told from a code: callers pass codes only.
    """
    if len(text) > MAX_TEXT or _CONTROL.search(text):
        return False
    if text.isascii() and text.replace("_", "").isalnum():
        return True
    return not (_EMAIL.search(text) or _PHONE.search(text) or _IPV4.search(text) or _holds_ipv6(text))


def _is_fact(value: Fact) -> bool:
    """Tell whether a value is of the closed set that a leaf may carry."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return abs(value) <= _SAFE_INTEGER
    if isinstance(value, str):
        return is_fact_text(value)
    return isinstance(value, list) and all(isinstance(each, str) and is_fact_text(each) for each in value)


def _holds_ipv6(text: str) -> bool:
    """Tell whether a part of the text reads as an IPv6 address, also behind a prefix (`ip:2001:db8::1`)."""
    for part in _IPV6.findall(text):
        for candidate in (part.rstrip("."), part.rstrip(".").removeprefix(":")):
            try:
                ipaddress.IPv6Address(candidate)
            except ValueError:
                continue
            return True
    return False
