"""What a client assertion must say (RFC 7523 §3), once its signature holds."""

from datetime import datetime
from typing import Any


def check_assertion(claims: dict[str, Any], audiences: list[str], now: datetime) -> None:
    """Check a client assertion's claims (RFC 7523 §3) against our clock, with a minute of leeway."""
    audience = claims.get("aud")
    if not set([audience] if isinstance(audience, str) else audience or []) & set(audiences):
        raise ValueError("The assertion is for another audience.")
    if claims.get("iss") != claims.get("sub"):
        raise ValueError("Issuer and subject of the assertion must be the client.")
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if type(expires) is not int or type(begins) is not int:  # `true` is no instant
        raise ValueError("The assertion lacks a usable `exp`.")
    if not begins - 60 <= now.timestamp() < expires + 60 or expires > now.timestamp() + 3600:
        raise ValueError("The assertion is expired, not yet valid, or lives over an hour.")
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        raise ValueError("The assertion lacks a `jti`.")
