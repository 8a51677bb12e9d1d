"""The installation's signing keys: Ed25519 for checkpoints, ES256 for access tokens and for receipts.

Private keys lie wrapped in the keyring; processes remember them once opened. The newest key of a use signs,
the older ones stay published so that what they signed still verifies.
"""

from collections.abc import Mapping
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from joserfc import jws
from joserfc.jwk import ECKey
from sqlalchemy.engine import Connection

from governance.errors import InvalidError, NotReadyError
from governance.ledger.note import NoteSigner
from governance.vault import envelope, keyring
from governance.vault.keys import Keys
from governance.vault.model import signing_key_context

CHECKPOINT = "checkpoint"
TOKEN = "token"  # the name of a use, no secret
RECEIPT = "receipt"
USES = (CHECKPOINT, TOKEN, RECEIPT)

RECEIPT_TYPE = "governance-receipt+jws"
_FIRST = 1


def make_signing_keys(keys: Keys, connection: Connection) -> None:
    """Make the first key of each use that has none."""
    epoch, cipher = keys.newest_epoch(connection)
    for use in USES:
        if keyring.signing_key_rows(connection, use):
            continue
        wrapped = envelope.wrap(cipher, _new_private_key(use), signing_key_context(use, _FIRST, epoch))
        row = {"use": use, "number": _FIRST, "epoch": epoch, "wrapped": wrapped}
        keyring.insert_missing(connection, keyring.signing_key, [row])


class SigningKeys:
    """Signs with the keys of one keyring."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._opened: dict[str, list[bytes]] = {}
        self._elliptic: dict[str, list[ECKey]] = {}

    def checkpoint_signer(self, name: str) -> NoteSigner:
        """The Ed25519 signer of checkpoints, under the name of a log's origin."""
        return NoteSigner(name, Ed25519PrivateKey.from_private_bytes(self._private(CHECKPOINT)[-1]))

    def token_key(self) -> ECKey:
        """The private ES256 key that signs access tokens today."""
        return self._es256(TOKEN)[-1]

    def sign_receipt(self, claims: Mapping[str, object]) -> str:
        """Sign claims as a compact JWS (ES256, canonical JSON); InvalidError if they are no JSON."""
        key = self._es256(RECEIPT)[-1]
        header = {"alg": "ES256", "typ": RECEIPT_TYPE, "kid": key.kid}
        try:
            payload = rfc8785.dumps(dict(claims))  # type: ignore[arg-type]  # dumps refuses what is no JSON
        except (rfc8785.CanonicalizationError, UnicodeError):
            raise InvalidError("These claims are no JSON and cannot be signed.") from None
        return jws.serialize_compact(header, payload, key, algorithms=["ES256"])

    def public_jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public keys of tokens and receipts as a JWK set (RFC 7517), for `/.well-known/jwks.json`."""
        return {"keys": [key.as_dict(private=False) for use in (TOKEN, RECEIPT) for key in self._es256(use)]}

    def _es256(self, use: str) -> list[ECKey]:
        if use not in self._elliptic:
            self._elliptic[use] = [_ec_key(raw) for raw in self._private(use)]
        return self._elliptic[use]

    def _private(self, use: str) -> list[bytes]:
        """The private keys of a use, oldest first."""
        if use not in self._opened:
            with keyring.reading(self._keys.engine) as connection:
                rows = keyring.signing_key_rows(connection, use)
            if not rows:
                raise NotReadyError(f"The keyring holds no {use} signing key; run `governance init`.")
            self._opened[use] = [
                envelope.unwrap(
                    self._keys.epoch(row.epoch, row.epoch_wrapped),
                    row.wrapped,
                    signing_key_context(use, row.number, row.epoch),
                )
                for row in rows
            ]
        return self._opened[use]


def _new_private_key(use: str) -> bytes:
    """A new private key: 32 raw bytes of Ed25519, or a P-256 key in PKCS #8."""
    if use == CHECKPOINT:
        return Ed25519PrivateKey.generate().private_bytes_raw()
    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _ec_key(raw: bytes) -> ECKey:
    """A P-256 key with its RFC 7638 thumbprint as key id."""
    private = load_der_private_key(raw, password=None)
    assert isinstance(private, EllipticCurvePrivateKey)
    kid = ECKey.import_key(private).thumbprint()
    return ECKey.import_key(private, {"use": "sig", "alg": "ES256", "kid": kid})
