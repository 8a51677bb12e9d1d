"""Accounts of people who sign in here: names, passwords, codes that count once. Pure but for random secrets.

The embedded default, where a company has no identity provider of its own: a password (NIST SP 800-63B §3.1.1)
and a time-based code (RFC 6238), always both.
"""

import hmac
import re
import unicodedata
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pyotp

from governance.errors import InvalidError
from governance.ids import random_bytes

ACTIVE, DISABLED = "active", "disabled"

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 256
_LEAST_CHARACTERS = 5
"""Different characters in a password, at the least."""

STEP = 30
"""Seconds that a code stands for (RFC 6238 §4.1)."""

_DRIFT = 1
"""Steps that a telephone's clock may be off, either way (RFC 6238 §5.2)."""

RECOVERY_CODES = 10
_RECOVERY = re.compile(r"[a-z2-7]{16}")
_LONGEST_NAME = 254

WINDOW = timedelta(minutes=15)
MOST_BY_NAME = 10
MOST_BY_TENANT = 1000
"""Tries to sign in that are looked at within a window: with one name, and at one tenant. More are refused
unseen, whether there is such a name or not."""

CODE_LASTS = timedelta(seconds=60)
"""How long an authorization code is good (RFC 6749 §4.1.2: ten minutes at the most)."""


@dataclass(frozen=True, slots=True)
class UserAccount:
    """An account. Neither name nor address of the person is in it: `login_index` is a keyed hash of the name
    they sign in with, `staff_id` the company's opaque id of a member of staff.

    `scopes`: what the account opens; None leaves that to the roles of a member of staff who is registered.
    `generation` counts the changes that end every session before them.
    """

    tenant_id: str
    user_id: str
    staff_id: str
    login_index: str
    scopes: tuple[str, ...] | None
    state: str
    generation: int
    created_at: datetime

    @property
    def active(self) -> bool:
        """Whether its person may still sign in."""
        return self.state == ACTIVE


@dataclass(frozen=True, slots=True)
class Secrets:
    """What proves a person: the password's hash (PHC string) and the key of their codes (base32)."""

    password: str = field(repr=False)
    totp: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account with what is shown once and kept nowhere in clear."""

    account: UserAccount
    totp: str = field(repr=False)
    recovery_codes: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in: it is born with an authorization code, and every token of it ends with it."""

    tenant_id: str
    session_id: str
    user_id: str
    staff_id: str
    client_id: str
    scopes: tuple[str, ...]
    redirect_uri: str
    code_challenge: str
    code_used: bool
    code_until: datetime
    expires_at: datetime
    good: bool


def normal_login(text: str) -> str:
    """Write a name to sign in with in the one way it is looked up by; InvalidError if it can be none."""
    name = unicodedata.normalize("NFKC", text).strip().casefold()
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
        raise InvalidError(f"A name to sign in with has 1 to {_LONGEST_NAME} printable characters.")
    return name


def normal_password(text: str) -> str:
    """Write a password in the one way it is hashed (NIST SP 800-63B §3.1.1.2)."""
    return unicodedata.normalize("NFKC", text)


def check_password(text: str, login: str) -> str:
    """Return the password as it is hashed; InvalidError if it is too short, too plain, or holds the name."""
    password = normal_password(text)
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidError(f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    if len(set(password)) < _LEAST_CHARACTERS:
        raise InvalidError(f"A password has at least {_LEAST_CHARACTERS} different characters.")
    if normal_login(login).split("@")[0] in password.casefold():
        raise InvalidError("A password must not hold the name that one signs in with.")
    return password


def new_totp() -> str:
    """Make a key for time-based codes: 160 bits, in base32 (RFC 4226 §4)."""
    return b32encode(random_bytes(20)).decode("ascii")


def totp_uri(secret: str, staff_id: str, service: str) -> str:
    """Write the address that authenticator apps read from a picture."""
    uri: str = pyotp.TOTP(secret).provisioning_uri(name=staff_id, issuer_name=service)
    return uri


def totp_step(secret: str, code: str, now: datetime) -> int | None:
    """The step of time that a code belongs to; None if it is no code of this key, now."""
    present = int(now.timestamp()) // STEP
    codes = pyotp.TOTP(secret)
    found = None
    for step in range(present - _DRIFT, present + _DRIFT + 1):
        if hmac.compare_digest(codes.at(step * STEP).encode(), code.encode("utf-8", "replace")):
            found = step
    return found


def new_recovery_codes() -> tuple[str, ...]:
    """Make codes for when the telephone is lost: 80 random bits each."""
    made = (b32encode(random_bytes(10)).decode("ascii").lower() for _ in range(RECOVERY_CODES))
    return tuple("-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in made)


def normal_code(text: str) -> str:
    """Write a code without what people put between its characters."""
    return re.sub(r"[\s-]", "", text).lower()


def is_recovery_code(code: str) -> bool:
    """Whether a code (in its normal form) has the form of a recovery code."""
    return _RECOVERY.fullmatch(code) is not None


def window_of(now: datetime) -> datetime:
    """The beginning of the window that an instant lies in."""
    seconds = int(now.timestamp()) % int(WINDOW.total_seconds())
    return now.replace(microsecond=0) - timedelta(seconds=seconds)


def check_redirect_uris(uris: Sequence[str]) -> tuple[str, ...]:
    """Return where a sign-in may lead back to, to the letter (RFC 9700 §2.1); InvalidError for what is unfit.

    https with a host, or http on loopback for development; no user, no fragment, no pattern.
    """
    for uri in uris:
        if len(uri) > 500 or not _REDIRECT.fullmatch(uri):
            raise InvalidError(
                "A redirect URI is https://host[:port]/path, or http:// on loopback; no user, no fragment.",
                fields={"redirect_uris": [f"{uri!r} is not"]},
            )
    return tuple(uris)


_REDIRECT = re.compile(
    r"(?:https://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::[0-9]{1,5})?"
    r"/[A-Za-z0-9._~/%-]*(?:\?[A-Za-z0-9._~/%=&-]*)?",
    re.ASCII,
)
