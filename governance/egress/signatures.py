"""Signatures of webhooks by Standard Webhooks (`v1`, HMAC-SHA-256). Pure; no dependency but the hash.

What is signed is `{webhook-id}.{webhook-timestamp}.{body}`; the header `webhook-signature` lists a signature
for each secret that is valid just now, so that a secret can be changed without a gap.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

PREFIX = "whsec_"
SECRET_BYTES = 32
TOLERANCE = timedelta(minutes=5)
"""How far the timestamp of a webhook may lie from the receiver's clock."""

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"

_FEWEST_BYTES = 16
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


class BadSignatureError(Exception):
    """A webhook that is not from whom it says, or not of now; the sentence says which check failed."""


def write_secret(raw: bytes) -> str:
    """Write a secret as its receiver is given it: `whsec_` and base64."""
    return PREFIX + base64.b64encode(raw).decode()


def read_secret(secret: str) -> bytes:
    """Read a secret with or without `whsec_` and padding; ValueError if it is none."""
    text = secret.removeprefix(PREFIX)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("A webhook secret is `whsec_` and base64.") from None
    if len(raw) < _FEWEST_BYTES:
        raise ValueError("A webhook secret of so few bytes protects nothing.")
    return raw


def sign(secrets: Sequence[bytes], webhook_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Give the three headers for one attempt at `at`, signed under each secret, the newest first."""
    seconds = str(int(at.timestamp()))
    signatures = [_signature(secret, webhook_id, seconds, body) for secret in secrets]
    return {ID_HEADER: webhook_id, TIMESTAMP_HEADER: seconds, SIGNATURE_HEADER: " ".join(signatures)}


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Do what a receiver does before it believes a webhook; BadSignatureError if it must not.

    `headers` are looked up by lower-case name. Unknown versions in the list of signatures are passed over.
    """
    try:
        key = read_secret(secret)
    except ValueError as problem:
        raise BadSignatureError(str(problem)) from None
    for name in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER):
        if not headers.get(name):
            raise BadSignatureError(f"The header {name} is missing.")
    seconds = headers[TIMESTAMP_HEADER]
    if not _SECONDS.fullmatch(seconds):
        raise BadSignatureError("The header webhook-timestamp is no number of seconds.")
    if abs(now.timestamp() - int(seconds)) > TOLERANCE.total_seconds():
        raise BadSignatureError("The webhook is older or newer than five minutes.")
    expected = _signature(key, headers[ID_HEADER], seconds, body).encode()
    found = False
    for given in headers[SIGNATURE_HEADER].split(" "):
        found |= hmac.compare_digest(given.encode(errors="replace"), expected)
    if not found:
        raise BadSignatureError("No signature fits.")


def _signature(secret: bytes, webhook_id: str, seconds: str, body: bytes) -> str:
    signed = f"{webhook_id}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
