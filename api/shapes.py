"""Shapes that several rooms share: strict fields, how a person is named, pages of lists."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import marshmallow as ma

from governance.subjects.identifiers import POINT_TYPES, SUBSCRIBERS, Identifier
from governance.subjects.model import SubjectReference

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_YEARS = range(1900, 2200)
OPAQUE = ma.validate.Regexp(r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")
"""The opaque id of somebody who works there."""


def read_instant(text: str) -> datetime:
    """Read an RFC 3339 instant (seconds may be left out) into aware UTC; raises ValueError."""
    if not _INSTANT.fullmatch(text):
        raise ValueError("not RFC 3339")
    try:
        instant = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError:
        raise ValueError("out of range") from None
    if instant.year not in _YEARS:
        raise ValueError("out of range")
    return instant


class Instant(ma.fields.AwareDateTime):
    """An RFC 3339 instant with an offset, between the years 1900 and 2199; read into aware UTC."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            if isinstance(value, str):
                return read_instant(value)
        except ValueError:
            pass
        raise ma.ValidationError(
            "Not an RFC 3339 instant with an offset between 1900 and 2199, such as 2026-11-21T10:00:00Z."
        )


class Day(ma.fields.Date):
    """A calendar date, YYYY-MM-DD."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        try:
            if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
                return date.fromisoformat(value)
        except ValueError:
            pass
        raise ma.ValidationError("Not a date of the form YYYY-MM-DD.")


class Flag(ma.fields.Boolean):
    """`true` or `false`, and nothing that merely looks like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise ma.ValidationError("Not true or false.")


class Text(ma.fields.String):
    """A string of 1 to `longest` characters without control characters."""

    def __init__(self, longest: int = 256, **kwargs: Any) -> None:
        validators = [ma.validate.Length(1, longest), _printable, *_as_list(kwargs.pop("validate", None))]
        super().__init__(validate=validators, **kwargs)


class Whole(ma.fields.Integer):
    """A whole number, written without quotes or fraction."""

    def __init__(self, least: int | None = None, most: int | None = None, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=ma.validate.Range(least, most), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ma.ValidationError("Not a whole number.")
        return value


def _printable(text: str) -> None:
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text):
        raise ma.ValidationError("Control characters are not allowed.")


def _as_list(validators: Any) -> list[Any]:
    if validators is None:
        return []
    return list(validators) if isinstance(validators, list | tuple) else [validators]


class Shape(ma.Schema):
    """A request's shape: unknown members are refused."""

    class Meta:
        """Strict and in order."""

        unknown = ma.RAISE


class Answer(ma.Schema):
    """An answer's shape, for the documentation; it may grow."""

    class Meta:
        """Clients ignore what they do not know."""

        unknown = ma.INCLUDE


class AnyObject(Answer):
    """A JSON object whose members are defined elsewhere."""


class SubjectName(Shape):
    """Who is meant: exactly one of the CRM's opaque id, an e-mail address, a telephone number (E.164)."""

    id = Text(128)
    email = Text(320)
    phone = Text(40)

    @ma.post_load
    def make(self, data: Mapping[str, str], **_: Any) -> SubjectReference:
        """Read it into what the domain knows."""
        return SubjectReference(**data)


class PointName(Shape):
    """A contact point as a value."""

    type = ma.fields.String(required=True, validate=ma.validate.OneOf(POINT_TYPES))
    value = Text(512, required=True)

    @ma.post_load
    def make(self, data: Mapping[str, str], **_: Any) -> Identifier:
        """Read it into what the domain knows."""
        return Identifier(data["type"], data["value"])


class IdentifierShape(Shape):
    """A contact point of a person."""

    type = ma.fields.String(required=True, validate=ma.validate.OneOf(POINT_TYPES))
    value = Text(512, required=True)
    verified = Flag()
    subscriber = ma.fields.String(validate=ma.validate.OneOf(SUBSCRIBERS), allow_none=True)

    @ma.post_load
    def make(self, data: Mapping[str, Any], **_: Any) -> Identifier:
        """Read it into what the domain knows."""
        return Identifier(data["type"], data["value"], data.get("verified"), data.get("subscriber"))


class Page(ma.Schema):
    """Which part of a list."""

    class Meta:
        """Unknown parameters are refused: a person's data in a URL would be one."""

        unknown = ma.RAISE

    limit = ma.fields.Integer(load_default=50, validate=ma.validate.Range(1, 500))
    after = ma.fields.String(
        validate=ma.validate.Length(1, 2000), metadata={"description": "`next` of the page before."}
    )


class Listing(Answer):
    """A part of a list, and where it goes on."""

    items = ma.fields.List(ma.fields.Dict(), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class LedgerPlace(Answer):
    """Where an event lies in the ledger."""

    position = ma.fields.Integer(required=True)
    leaf_hash = ma.fields.String(required=True)


class OwnerBody(Shape):
    """Who does it from now on."""

    owner = ma.fields.String(required=True, validate=OPAQUE)
