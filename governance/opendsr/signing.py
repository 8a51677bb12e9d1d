"""The processor's signature (4.1, 4.2, 8.3): its domain, its certificate, and its key over a body's bytes.

RSA: PKCS #1 v1.5 with SHA-256, as processors in production do; elliptic curves: ECDSA with SHA-256. The
certificate must be issued by an authority to the domain; who trusts it is the controller's matter.
"""

import base64
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from governance.errors import NotReadyError
from governance.settings import Settings
from governance.systems.opendsr_signature import DOMAIN_HEADER, SIGNATURE_HEADER

_Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs in the name of a domain; `certificate` is its chain in PEM, its own first."""

    domain: str
    certificate: bytes
    key: _Key

    def headers(self, body: bytes) -> dict[str, str]:
        """The two headers that go with a body."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            raw = self.key.sign(body, padding.PKCS1v15(), hashes.SHA256())
        else:
            raw = self.key.sign(body, ec.ECDSA(hashes.SHA256()))
        return {DOMAIN_HEADER: self.domain, SIGNATURE_HEADER: base64.b64encode(raw).decode()}


def signer(settings: Settings) -> Signer | None:
    """The installation's signer, read anew (certificates are renewed); None if it is no processor.

    Raises NotReadyError with a sentence if what was set up cannot be used.
    """
    if settings.opendsr_certificate_file is None or settings.opendsr_key_file is None:
        return None
    try:
        certificate = settings.opendsr_certificate_file.read_bytes()
        chain = x509.load_pem_x509_certificates(certificate)
        key = serialization.load_pem_private_key(settings.opendsr_key_file.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        raise NotReadyError("The certificate or the key for OpenDSR cannot be read.") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise NotReadyError("The key for OpenDSR must be RSA or of an elliptic curve.")
    if key.public_key() != chain[0].public_key():
        raise NotReadyError("The key for OpenDSR is not that of its certificate.")
    if chain[0].issuer == chain[0].subject:
        raise NotReadyError("The certificate for OpenDSR is signed by itself; OpenDSR forbids that (4.1).")
    return Signer(_domain(settings, chain[0]), certificate, key)


def _domain(settings: Settings, certificate: x509.Certificate) -> str:
    """The domain of the public address, which the certificate must name (8.3)."""
    domain = settings.public_url.split("://", 1)[1].split("/", 1)[0].rsplit(":", 1)[0]
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    if domain not in names.get_values_for_type(x509.DNSName):
        raise NotReadyError(f"The certificate for OpenDSR does not name the domain {domain}.")
    return domain
