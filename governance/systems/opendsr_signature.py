"""Signatures of OpenDSR processors (4.1, 4.2, 8.8): whose certificate it is, and whether a body is theirs.

The certificate must be valid now, be issued by an authority that is trusted, and name the processor's domain.
Revocation is not looked up. Signatures are over the raw body, SHA-256: RSA PKCS #1 v1.5 or ECDSA.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import DNSName
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from governance.systems.connector import Problem

DOMAIN_HEADER = "x-opendsr-processor-domain"
SIGNATURE_HEADER = "x-opendsr-signature"

_NOT_TRUSTED = "The processor's certificate is not valid now, not of its domain, or of no trusted authority."


def trusted_certificate(pem: bytes, authorities: str | None, domain: str, now: datetime) -> x509.Certificate:
    """The processor's certificate out of its chain (PEM, its own first); Problem if it cannot be trusted.

    `authorities`: PEM of those that the tenant trusts instead of the public ones.
    """
    try:
        chain = x509.load_pem_x509_certificates(pem)
        store = Store(list(_authorities(authorities)))
        verifier = (
            PolicyBuilder().store(store).time(now.replace(tzinfo=None)).build_server_verifier(DNSName(domain))
        )
        verifier.verify(chain[0], chain[1:])
    except (ValueError, VerificationError, x509.UnsupportedGeneralNameType):
        raise Problem(_NOT_TRUSTED) from None
    return chain[0]


def is_signed(certificate: x509.Certificate, signature: str, body: bytes) -> bool:
    """Whether a body was signed with the certificate's key; `signature` is base64, line breaks allowed."""
    try:
        raw = base64.b64decode("".join(signature.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(raw, body, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(raw, body, ec.ECDSA(hashes.SHA256()))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def is_pem(text: str) -> bool:
    """Whether a text holds certificates."""
    try:
        return bool(x509.load_pem_x509_certificates(text.encode()))
    except ValueError:
        return False


def _authorities(pem: str | None) -> Sequence[x509.Certificate]:
    source = Path(certifi.where()).read_bytes() if pem is None else pem.encode()
    return x509.load_pem_x509_certificates(source)
