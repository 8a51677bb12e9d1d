"""What a purpose and a capture point are. Pure.

A purpose answers *why* personal data are used (GDPR Art. 5(1)(b), 30(1)(b)); a capture point is a form, a
call script or an event desk where people give data, with the purposes that it may serve.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ACTIVE = "active"
INACTIVE = "inactive"

OPT_IN, OPT_OUT, AS_THE_LAW = "opt_in", "opt_out", "law"
PERMISSIONS = (OPT_IN, OPT_OUT, AS_THE_LAW)
"""What a purpose asks of the person by itself: a yes, no no, or nothing beyond what the law demands."""

SPECIAL_CATEGORIES = "special_categories"
"""The class of data that Art. 9 GDPR is about."""

ACQUIRED = ("person", "import", "acquired_list", "third_party", "unknown")
"""Where the data that come in at a capture point are from; the words are those of the subjects' `source`."""

Body = Mapping[str, Any]
"""A record as it was sent: JSON whose members are those of PURPOSE_MEMBERS or CAPTURE_POINT_MEMBERS."""

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class MessageClass:
    """A class of messages; `commercial` ones need the person's permission, the rest only the stage's."""

    id: str
    commercial: bool
    title: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The codes that records may use. An empty set means that the catalogue does not close this list."""

    lawful_bases: frozenset[str]
    message_classes: frozenset[str]
    data_classes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why data may be used. An incomplete purpose is kept but inactive: nothing may rest on it.

    `lawful_basis` is the code that holds where `basis_for` knows nothing more exact; '' while none is named.
    """

    purpose_id: str
    title: str
    owner: str
    controller: str | None
    lawful_basis: str
    message_classes: tuple[str, ...]
    data_classes: tuple[str, ...]
    state: str
    version: int
    body: Body

    @property
    def permission(self) -> str | None:
        """What the controller asks for beyond the law, one of PERMISSIONS; None if nothing is said."""
        said: str | None = self.body.get("permission")
        return said

    @property
    def special_categories(self) -> bool:
        """Whether the record names special categories of data (GDPR Art. 9)."""
        return bool(self.body.get("special_categories")) or SPECIAL_CATEGORIES in self.data_classes

    @property
    def profiling(self) -> bool:
        """Whether people are evaluated for it (GDPR Art. 4(4)): an objection to profiling stops it."""
        return bool(self.body.get("profiling"))

    def basis_for(self, *, country: str | None, stage: str | None) -> str:
        """The lawful basis for a person: that of the stage, else of the country, else the default."""
        basis = self.body.get("lawful_basis")
        if not isinstance(basis, Mapping):
            return self.lawful_basis
        by_stage, by_country = basis.get("by_stage") or {}, basis.get("by_country") or {}
        exact: str = by_stage.get(stage) or by_country.get(country) or self.lawful_basis
        return exact


@dataclass(frozen=True, slots=True)
class CapturePoint:
    """Where people give data: the purposes it may serve, the notice it shows, whether it asks to confirm."""

    capture_point_id: str
    title: str
    owner: str
    channel: str | None
    purposes: tuple[str, ...]
    notice: str | None
    double_opt_in: bool
    acquired: str | None
    version: int
    body: Body


def read_purpose(purpose_id: str, version: int, body: Body) -> Purpose:
    """The purpose that a checked record describes; inactive if it is incomplete or says so itself."""
    basis = body.get("lawful_basis")
    lawful_basis = (basis.get("default") if isinstance(basis, Mapping) else basis) or ""
    missing = missing_members(body)
    return Purpose(
        purpose_id,
        body.get("title") or "",
        body.get("owner") or "",
        body.get("controller"),
        lawful_basis,
        tuple(body.get("message_classes") or ()),
        tuple(body.get("data_classes") or ()),
        INACTIVE if missing or body.get("state") == INACTIVE else ACTIVE,
        version,
        dict(body),
    )


def missing_members(body: Body) -> tuple[str, ...]:
    """What a purpose still needs before anything may rest on it.

    One that says of itself that it sends nothing (`message_classes: []`) names the data that it uses.
    """
    basis = body.get("lawful_basis")
    messages = body.get("message_classes")
    sends_nothing = isinstance(messages, list | tuple) and not messages and bool(body.get("data_classes"))
    has = {
        "title": body.get("title"),
        "owner": body.get("owner"),
        "lawful_basis": basis.get("default") if isinstance(basis, Mapping) else basis,
        "message_classes": messages or sends_nothing,
    }
    return tuple(name for name, value in has.items() if not value)


def read_capture_point(capture_point_id: str, version: int, body: Body) -> CapturePoint:
    """The capture point that a checked record describes."""
    return CapturePoint(
        capture_point_id,
        body.get("title") or "",
        body.get("owner") or "",
        body.get("channel"),
        tuple(body.get("purposes") or ()),
        body.get("notice"),
        bool(body.get("double_opt_in")),
        body.get("acquired"),
        version,
        dict(body),
    )


def may_name(record_id: str) -> bool:
    """Whether a text may name a purpose or capture point."""
    return _ID.fullmatch(record_id) is not None
