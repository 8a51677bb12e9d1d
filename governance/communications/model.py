"""The question of the communications gate: may this message go to this person, now? Read from JSON; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pycountry

from governance.errors import InvalidError
from governance.subjects.model import CHANNEL_POINT_TYPE, POINT_TYPES, SubjectReference

ACTION = "communication.send"
CHANNELS = tuple(CHANNEL_POINT_TYPE)
CALL_MODES = ("live", "automated", "ai_voice")
WRITERS = ("human", "ai")
LATEST_YEAR = 2999
"""No question about a later year is answered: calendar arithmetic must not run over."""

_CODE_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-")
MAX_CODE = 128


@dataclass(frozen=True, slots=True)
class PointName:
    """How a caller names a contact point: by our `ref`, or by `type` and `value`."""

    ref: str | None = None
    type: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """One question; `time` moves what depends on the clock, `in_reply_to` says only that there is one.

    `controller` is '' where the purpose's own counts. `sender_country` is ISO 3166-1 alpha-2,
    `sender` the code of the system that sends from there, as transfer flows name it.
    """

    subject: SubjectReference
    channel: str
    message_class: str
    purpose: str
    topic: str | None = None
    contact_point: PointName | None = None
    product_family: str | None = None
    in_reply_to: bool = False
    contains_promotion: bool = False
    call_mode: str | None = None
    written_by: str | None = None
    sender_country: str | None = None
    sender: str | None = None
    time: datetime | None = None

    def about(self, subject: SubjectReference) -> "CheckRequest":
        """The same question about somebody else."""
        return replace(self, subject=subject)

    def document(self) -> dict[str, Any]:
        """The question as it is logged: codes only. The contact point is named by the decision's facts."""
        said: dict[str, Any] = {
            "channel": self.channel,
            "message_class": self.message_class,
            "purpose": self.purpose,
            "topic": self.topic,
            "product_family": self.product_family,
            "in_reply_to": self.in_reply_to,
            "contains_promotion": self.contains_promotion,
            "call_mode": self.call_mode,
            "written_by": self.written_by,
            "sender_country": self.sender_country,
            "sender": self.sender,
        }
        return {name: value for name, value in said.items() if value is not None}


def read_check(
    subject: SubjectReference, properties: Mapping[str, Any], context: Mapping[str, Any] | None = None
) -> CheckRequest:
    """Read a question from an action's properties and the request's context; unknown members are ignored.

    Raises InvalidError that names every member that cannot be used; the sentences never repeat a value.
    """
    reader = _Reader()
    context = context or {}
    channel = reader.choice(properties, "channel", CHANNELS, required=True)
    request = CheckRequest(
        subject=subject,
        channel=channel or "",
        message_class=reader.code(properties, "message_class", required=True) or "",
        purpose=reader.code(properties, "purpose", required=True) or "",
        topic=reader.code(properties, "topic"),
        contact_point=reader.point(properties, "contact_point", channel),
        product_family=reader.code(properties, "product_family"),
        in_reply_to=reader.given(properties, "in_reply_to"),
        contains_promotion=reader.flag(properties, "contains_promotion"),
        call_mode=reader.choice(properties, "call_mode", CALL_MODES),
        written_by=reader.choice(properties, "written_by", WRITERS),
        sender_country=reader.country(context, "sender_country"),
        sender=reader.code(context, "sender"),
        time=reader.instant(context, "time"),
    )
    if context.get("as_of") is not None:
        reader.complain("context.as_of", "The past cannot be asked about here yet; leave it out.")
    reader.finish()
    return request


def read_instant(value: object) -> datetime | None:
    """Read an instant of ISO 8601 with an offset (RFC 3339 and AuthZEN's shorter examples).

    None if it is none.
    """
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is None:
            return None
        instant = instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return instant if instant.year <= LATEST_YEAR else None


def is_code(value: object) -> bool:
    """Whether a value is an opaque code: 1 to 128 of `A-Z a-z 0-9 . _ : -`, the first a letter or digit."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_CODE
        and value[0].isalnum()
        and _CODE_CHARACTERS.issuperset(value)
    )


@cache
def _countries() -> frozenset[str]:
    return frozenset(country.alpha_2 for country in pycountry.countries)


class _Reader:
    """Collects complaints while members are read, so that a caller hears of all of them at once."""

    def __init__(self) -> None:
        self.complaints: dict[str, list[str]] = {}

    def complain(self, field: str, sentence: str) -> None:
        self.complaints.setdefault(field, []).append(sentence)

    def finish(self) -> None:
        if self.complaints:
            raise InvalidError("The question cannot be read; see the fields.", fields=self.complaints)

    def code(self, members: Mapping[str, Any], name: str, *, required: bool = False) -> str | None:
        value = members.get(name)
        if value is None:
            if required:
                self.complain(name, "This member is required.")
            return None
        if isinstance(value, str) and is_code(value):
            return value
        self.complain(name, "Give a code of 1 to 128 characters of A-Z a-z 0-9 . _ : - .")
        return None

    def choice(
        self, members: Mapping[str, Any], name: str, choices: tuple[str, ...], *, required: bool = False
    ) -> str | None:
        value = members.get(name)
        if value is None and not required:
            return None
        if isinstance(value, str) and value in choices:
            return value
        self.complain(name, f"Give one of {', '.join(choices)}.")
        return None

    def flag(self, members: Mapping[str, Any], name: str) -> bool:
        value = members.get(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.complain(name, "Give true or false.")
        return False

    def given(self, members: Mapping[str, Any], name: str) -> bool:
        value = members.get(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        if isinstance(value, str) and value:
            return True
        self.complain(name, "Give the id of the message that is answered, or true.")
        return False

    def country(self, members: Mapping[str, Any], name: str) -> str | None:
        value = members.get(name)
        if value is None:
            return None
        if isinstance(value, str) and value in _countries():
            return value
        self.complain(
            f"context.{name}", "There is no such country; give an ISO 3166-1 alpha-2 code such as DE."
        )
        return None

    def instant(self, members: Mapping[str, Any], name: str) -> datetime | None:
        value = members.get(name)
        if value is None:
            return None
        instant = read_instant(value)
        if instant is None:
            self.complain(
                f"context.{name}", "Give an RFC 3339 instant with offset, such as 2026-11-21T10:00:00Z."
            )
        return instant

    def point(self, members: Mapping[str, Any], name: str, channel: str | None) -> PointName | None:
        """A contact point as `{"ref"}`, `{"type", "value"}`, or the value alone."""
        value = members.get(name)
        if value is None:
            return None
        wanted = CHANNEL_POINT_TYPE.get(channel or "")
        if isinstance(value, str) and value:
            return PointName(type=wanted, value=value)
        if isinstance(value, Mapping):
            ref, kind, text = value.get("ref"), value.get("type", wanted), value.get("value")
            if isinstance(ref, str) and is_code(ref) and text is None:
                return PointName(ref=ref)
            if (
                ref is None
                and isinstance(text, str)
                and text
                and isinstance(kind, str)
                and kind in POINT_TYPES
            ):
                if wanted is not None and kind != wanted:
                    self.complain(f"{name}.type", f"This channel reaches contact points of type {wanted}.")
                return PointName(type=kind, value=text)
        self.complain(name, 'Give {"type": …, "value": …} or {"ref": …}.')
        return None
