"""What a tenant's export and its certificate of deletion say, and how both are checked offline. Pure."""

import base64
import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from governance.clock import wire
from governance.ledger.verify import verify_export
from governance.tenants.model import Deletion

MANIFEST, SIGNATURE, KEYS, LEDGER, README = (
    "manifest.json",
    "manifest.jws",
    "keys.jwks.json",
    "ledger.ndjson",
    "README.txt",
)
EXPORT_KIND, CERTIFICATE_KIND = "tenant-export", "tenant-deletion-certificate"

EXPLANATION = """Everything that this service holds of one tenant, read at one moment.

manifest.json     what is in here: each file with its size and SHA-256, and the rows of each table
manifest.jws      the SHA-256 of manifest.json, signed (compact JWS, ES256)
keys.jwks.json    the public keys of the service; compare them with those you obtained elsewhere
ledger.ndjson     the ledger with its signed checkpoint; `governance audit verify ledger.ndjson`
tables/*.ndjson   one JSON object a row; instants are RFC 3339, binary values {"base64": ...}
decisions/*.ndjson  the same of the log of checks
people.ndjson     only if it was asked for: contact points of people IN THE CLEAR

Personal values in tables/ (columns that end in _sealed, and payload) are sealed: AES-256-GCM under keys of
each person which never leave the keyring of the service. They cannot be read from here.
External ids, countries, stages and consent states are plain: keep this file like the CRM itself.

Check all of it offline:  governance tenant verify FILE
"""


@dataclass(slots=True)
class Checked:
    """What an offline check came to: the claims, and a sentence for each fault."""

    claims: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def plain(value: object) -> object:
    """A value of a row as JSON."""
    if isinstance(value, bytes | memoryview):
        return {"base64": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, datetime):
        return wire(value)
    return value


def line(row: Mapping[str, object]) -> bytes:
    """A row as one line of NDJSON."""
    told = {name: plain(value) for name, value in row.items()}
    return (
        json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=str).encode()
        + b"\n"
    )


def certificate_claims(deletion: Deletion, *, at: datetime, keys: int, left: int) -> dict[str, object]:
    """What a certificate of deletion says; it names nobody but the callers who asked and approved."""
    return {
        "iss": "governance",
        "iat": int(at.timestamp()),
        "jti": deletion.deletion_id,
        "kind": CERTIFICATE_KIND,
        "tenant": deletion.ref,
        "tenant_id": deletion.tenant_id,
        "asked_by": deletion.asked_by,
        "asked_at": wire(deletion.asked_at),
        "approved_by": deletion.approved_by,
        "approved_at": deletion.approved_at and wire(deletion.approved_at),
        "grace_until": deletion.due_at and wire(deletion.due_at),
        "deleted_at": wire(at),
        "rows": dict(deletion.rows or {}),
        "rows_left": left,
        "keys_destroyed": keys,
        "ledger_head": deletion.checkpoint,
    }


def read_signed(token: str, jwks: Mapping[str, Any], kind: str) -> Checked:
    """Check a signed statement with public keys only, and give its claims."""
    checked = Checked()
    try:
        keys = KeySet.import_key_set({"keys": list(jwks["keys"])})
        found = jws.deserialize_compact(token.strip(), keys, algorithms=["ES256"])
        checked.claims = json.loads(found.payload)
    except (JoseError, ValueError, KeyError):
        checked.problems.append("The signature does not verify with these keys.")
        return checked
    if checked.claims.get("kind") != kind:
        checked.problems.append(f"This is signed, but it is no {kind}.")
    return checked


def check_certificate(token: str, jwks: Mapping[str, Any]) -> Checked:
    """Check a certificate of deletion offline: signature, kind, two persons, nothing left."""
    checked = read_signed(token, jwks, CERTIFICATE_KIND)
    if checked.ok and checked.claims["asked_by"] == checked.claims["approved_by"]:
        checked.problems.append("One and the same person asked and approved.")
    if checked.ok and checked.claims["rows_left"]:
        checked.problems.append("Rows were left.")
    return checked


def check_archive(file: IO[bytes], jwks: Mapping[str, Any] | None = None) -> Checked:
    """Check an export offline: every file, the signature, the ledger; `jwks` are keys obtained elsewhere."""
    try:
        with zipfile.ZipFile(file) as archive:
            return _check_archive(archive, jwks)
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, EOFError, OSError):
        return Checked(problems=["This is no complete export of a tenant."])


def _check_archive(archive: zipfile.ZipFile, jwks: Mapping[str, Any] | None) -> Checked:
    manifest = archive.read(MANIFEST)
    keys = jwks if jwks is not None else json.loads(archive.read(KEYS))
    checked = read_signed(archive.read(SIGNATURE).decode(), keys, EXPORT_KIND)
    if not checked.ok:
        return checked
    if checked.claims["manifest_sha256"] != hashlib.sha256(manifest).hexdigest():
        checked.problems.append("The manifest is not the one that was signed.")
        return checked
    told = json.loads(manifest)["files"]
    present = [name for name in archive.namelist() if name not in (MANIFEST, SIGNATURE)]
    if len(present) != len(set(present)) or set(present) != set(told):
        checked.problems.append("Files are missing from the export or were added to it.")
    for name in sorted(set(present) & set(told)):
        with archive.open(name) as member:
            if _digest(member) != told[name]["sha256"]:
                checked.problems.append(f"{name} was changed.")
    with archive.open(LEDGER) as ledger:
        result = verify_export(ledger)
    checked.problems += [f"{LEDGER}: {each}" for each in result.problems]
    return checked


def _digest(chunks: IO[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in iter(lambda: chunks.read(1 << 16), b""):
        digest.update(chunk)
    return digest.hexdigest()
