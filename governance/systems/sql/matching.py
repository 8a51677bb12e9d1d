"""Identifiers against columns: which condition finds them, in what form they are compared."""

import re
import uuid
from collections.abc import Sequence
from typing import Any

import phonenumbers
import sqlalchemy as sa

_DIGITS = 7
"""So many last digits of a telephone number choose the rows that are then compared exactly."""


def is_text(column: sa.Column[Any]) -> bool:
    """Whether a column holds free characters."""
    return isinstance(column.type, sa.String) and not isinstance(column.type, sa.Enum)


def e164(text: str, country: str | None) -> str | None:
    """A telephone number in its one form; None for what is no number."""
    try:
        number = phonenumbers.parse("+" + text[2:] if text.startswith("00") else text, country)
    except phonenumbers.NumberParseException:
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def condition_for(
    column: sa.Column[Any], matches: str, values: Sequence[str]
) -> sa.ColumnElement[bool] | None:
    """Whether a column holds one of these identifiers; None if its type can hold none of them."""
    if isinstance(column.type, sa.Integer):
        numbers = [int(each) for each in values if each.isascii() and each.isdecimal() and len(each) < 19]
        return column.in_(numbers) if numbers else None
    if isinstance(column.type, sa.Uuid):
        ids = [found for each in values if (found := read_uuid(each)) is not None]
        return column.in_(ids) if ids else None
    if matches == "email":
        text = (
            column if is_text(column) else sa.cast(column, sa.Text)
        )  # an index on lower(trim(column)) serves
        lowered = sa.func.lower(sa.func.trim(text))
        return lowered.in_([each.lower() for each in values])
    if matches == "phone":
        digits: sa.ColumnElement[str] = sa.cast(column, sa.Text)
        for sign in " -()./\u00a0":
            digits = sa.func.replace(digits, sign, "")
        return sa.or_(*(digits.endswith(each[-_DIGITS:], autoescape=True) for each in values))
    return column.in_(list(values))


def last_digits(text: str) -> str:
    """The digits by which one person's telephone numbers are told apart, however they are written."""
    return re.sub(r"\D", "", text)[-_DIGITS:]


def form_of(text: str) -> str:
    """The form of an id: letters and digits by their kind, signs as they are (`crm-17` is like `crm-4`)."""
    return re.sub("[0-9]+", "9", re.sub("[A-Za-z]+", "a", text))


def read_uuid(text: str) -> uuid.UUID | None:
    """A UUID; None for what is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
