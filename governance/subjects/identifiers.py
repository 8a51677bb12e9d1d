"""What a person is reached and found by, brought into one form: the same value always looks the same."""

import re
import unicodedata
from dataclasses import dataclass

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from governance.errors import InvalidError

POINT_TYPES = ("email", "phone", "postal", "device", "social")
"""The kinds of contact point."""

CHANNEL_POINT_TYPE = {
    "email": "email",
    "sms": "phone",
    "voice": "phone",
    "post": "postal",
    "push": "device",
    "social": "social",
}
"""The kind of contact point that each channel reaches a person by."""

SUBSCRIBERS = ("individual", "sole_trader", "corporate")
"""Whose line or mailbox a contact point is (some countries protect companies' mailboxes less)."""

_EXTERNAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SPACE = re.compile(r"\s+")
_LONGEST = {"email": 254, "phone": 64, "postal": 1000, "device": 512, "social": 256}
_ANYWHERE = "001"


@dataclass(frozen=True, slots=True)
class Identifier:
    """A contact point as it was sent. `verified` None keeps what is known (False for a new one)."""

    type: str
    value: str
    verified: bool | None = None
    subscriber: str | None = None


@dataclass(frozen=True, slots=True)
class PointValue:
    """A contact point's value in its one form.

    `value` is what is sealed and can be written to; `normalised` is what indexes are made of; `country` is
    that of a telephone number (ISO 3166-1), else None. The keyed hashes are empty until the vault makes them.
    """

    type: str
    value: str
    normalised: str
    country: str | None = None
    verified: bool | None = None
    subscriber: str | None = None
    blind_index: str = ""
    suppression_hash: str = ""


def check_external_id(external_id: str) -> str:
    """Return the CRM's id if it is opaque: 1 to 128 of `A-Z a-z 0-9 . _ : -`, first a letter or digit.

    Raises InvalidError; an e-mail address is refused with a sentence of its own, for ids stand in URLs.
    """
    if _EXTERNAL_ID.fullmatch(external_id):
        return external_id
    if "@" in external_id:
        complaint = (
            "An e-mail address cannot be an id: use the CRM's opaque id, send the address in the body."
        )
    else:
        complaint = "An id is 1 to 128 characters of A-Z a-z 0-9 . _ : - and starts with a letter or digit."
    raise InvalidError(complaint, fields={"id": [complaint]})


def check_code(code: str, field: str) -> str:
    """Return a code (capture point, …): 1 to 64 of `A-Z a-z 0-9 . _ : -`; InvalidError names `field`."""
    if not _CODE.fullmatch(code):
        complaint = "A code is 1 to 64 characters of A-Z a-z 0-9 . _ : - and starts with a letter or digit."
        raise InvalidError(complaint, fields={field: [complaint]})
    return code


def normalise(point_type: str, value: str, country: str | None = None) -> str:
    """Give the one form of a value that its indexes are made of; InvalidError if it cannot be of this type.

    E-mail addresses are written in small letters throughout: no provider of note tells letter case apart, and
    an opt-out must hold however the address is written. Telephone numbers become E.164; one without `+` is
    read as dialled in `country` (ISO 3166-1) if that is given.
    """
    return read_identifier(Identifier(point_type, value), country).normalised


def read_identifier(sent: Identifier, country: str | None = None) -> PointValue:
    """Bring a sent contact point into its one form (`country`: where a number without `+` is dialled).

    Raises InvalidError naming `identifiers`; the sentence never repeats the value.
    """
    if sent.type not in POINT_TYPES:
        raise _invalid(f"A contact point's type is one of {', '.join(POINT_TYPES)}.")
    if sent.subscriber is not None and sent.subscriber not in SUBSCRIBERS:
        raise _invalid(f"A contact point's subscriber is one of {', '.join(SUBSCRIBERS)}.")
    text = sent.value.strip()
    if not text or len(text) > _LONGEST[sent.type] or _CONTROL.search(text):
        raise _invalid(f"A contact point of type {sent.type} is empty, too long or holds control characters.")
    place = None
    if sent.type == "email":
        text = index = _email(text)
    elif sent.type == "phone":
        text, place = _phone(text, country)
        index = text
    else:
        text = _SPACE.sub(" ", unicodedata.normalize("NFC", text))
        index = text if sent.type == "device" else unicodedata.normalize("NFKC", text).casefold()
    return PointValue(sent.type, text, index, place, sent.verified, sent.subscriber)


def _email(text: str) -> str:
    """Check the syntax only: no name server is asked about a person. `.test` is allowed, for trials."""
    try:
        checked = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise _invalid("A contact point of type email is no e-mail address.") from error
    if "." not in checked.domain:
        raise _invalid("A contact point of type email has a domain without a dot.")
    return checked.normalized.lower()


def _phone(text: str, country: str | None) -> tuple[str, str | None]:
    """Give E.164 and the number's country."""
    text = "+" + text[2:] if text.startswith("00") else text
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        raise _invalid("A contact point of type phone has no country code such as +49.") from error
    if not phonenumbers.is_possible_number(number):
        raise _invalid("A contact point of type phone has too few or too many digits for its country.")
    region = phonenumbers.region_code_for_number(number)
    if region is None:
        # The range is not assigned: its country is certain only where the code belongs to one country.
        homes = phonenumbers.region_codes_for_country_code(number.country_code or 0)
        region = homes[0] if len(homes) == 1 else None
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return written, None if region == _ANYWHERE else region


def _invalid(complaint: str) -> InvalidError:
    return InvalidError(complaint, fields={"identifiers": [complaint]})
