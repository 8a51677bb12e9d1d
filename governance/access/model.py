"""Who asks for data, and what that asker was given: askers, roles, grants, fields. Pure.

Reading order: `Field` (what is asked for), `Grant` (what a role gives), `Asker` (who holds it), `cover` (what
the asker's grants say about one field, for one purpose, in one stage).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

STAFF, COMPONENT = "staff", "component"
ASKER_TYPES = (STAFF, COMPONENT)

HUMAN_OPERATED, SERVICE, AI = "human_operated", "service", "ai"
COMPONENT_KINDS = (HUMAN_OPERATED, SERVICE, AI)
KINDS = (STAFF, *COMPONENT_KINDS)
"""What an asker is: a member of staff, or a component that people work with, that works alone, that is AI."""

ACTIVE, LEFT, UNKNOWN = "active", "left", "unknown"
STATES = (ACTIVE, LEFT)

ROLE, DATA_FIELD, ASSESSMENT = "role", "data_field", "assessment"
"""Kinds of records besides STAFF and COMPONENT."""

FULL, MASKED, NONE = "full", "masked", "none"
_RANK = {NONE: 0, MASKED: 1, FULL: 2}

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_ADDRESS = re.compile(r"[0-9]{9,}|[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*")
_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a person's data. `mask` is what is left of it while it is masked (`catalogue/masks`)."""

    id: str
    data_class: str
    mask: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody may see for some purposes. `stages` None: of people in every stage, or in none yet.

    `full` and `masked` name fields; a data class stands for all of its fields.
    """

    purposes: frozenset[str]
    full: frozenset[str]
    masked: frozenset[str]
    stages: frozenset[str] | None = None

    def shows(self, what: Field) -> str:
        """FULL, MASKED or NONE; what is said of the field itself beats what is said of its class."""
        for name in (what.id, what.data_class):
            if name in self.masked:
                return MASKED
            if name in self.full:
                return FULL
        return NONE

    def reaches(self, stage: str | None) -> bool:
        """Whether it is about people in this stage."""
        return self.stages is None or stage in self.stages


@dataclass(frozen=True, slots=True)
class Role:
    """What is given to whoever holds it. `kinds`: which askers may; `scopes`: what it opens to staff."""

    role_id: str
    kinds: tuple[str, ...] = KINDS
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A role, a component, a member of staff, a field or an assessment as it was last put."""

    kind: str
    id: str
    version: int
    status: str
    body: Body
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, with everything that was given; `state` is UNKNOWN for one that nobody registered."""

    type: str
    id: str
    kind: str | None = None
    state: str = UNKNOWN
    roles: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()

    @property
    def active(self) -> bool:
        """Whether anything may be given to it at all."""
        return self.state == ACTIVE


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a caller sits who is not simply where the tenant is.

    `country` is ISO 3166-1 alpha-2; `recipient` the code by which transfer flows name whoever receives there.
    """

    country: str
    recipient: str


@dataclass(frozen=True, slots=True)
class Authority:
    """What a member of staff may do here: `scopes` of the HTTP door, empty once `status` is LEFT."""

    staff_id: str
    status: str
    roles: tuple[str, ...] = ()
    scopes: frozenset[str] = field(default_factory=frozenset)

    @property
    def active(self) -> bool:
        """Whether this member of staff may still sign in."""
        return self.status == ACTIVE


@dataclass(frozen=True, slots=True)
class Coverage:
    """What grants say: is the purpose given at all, how is the field shown, and in this stage?"""

    purpose: bool
    shown: str
    stage: bool


def cover(grants: Iterable[Grant], purpose: str, what: Field | None, stage: str | None) -> Coverage:
    """What an asker's grants say; several add up, and what is shown in full by one is not masked by another.

    `what` None: the use of data without naming a field.
    """
    for_purpose = [grant for grant in grants if purpose in grant.purposes]
    if what is None:
        return Coverage(bool(for_purpose), NONE, any(grant.reaches(stage) for grant in for_purpose))
    showing = [(grant.shows(what), grant.reaches(stage)) for grant in for_purpose]
    here = [shown for shown, reaches in showing if reaches and shown != NONE]
    anywhere = [shown for shown, _ in showing]
    shown = max(here or anywhere, key=_RANK.__getitem__, default=NONE)
    in_stage = bool(here) or (shown == NONE and any(reaches for _, reaches in showing))
    return Coverage(bool(for_purpose), shown, in_stage)


def closure(role_id: str, roles: Mapping[str, Role]) -> tuple[str, ...]:
    """A role and all that it includes, nearest first; one that no longer exists gives nothing."""
    found: dict[str, None] = {}
    waiting = [role_id]
    while waiting:
        each = waiting.pop(0)
        if each in roles and each not in found:
            found[each] = None
            waiting += roles[each].includes
    return tuple(found)


def held(role_ids: Sequence[str], roles: Mapping[str, Role]) -> tuple[str, ...]:
    """All roles that somebody holds with these: they and what they include, each once."""
    return tuple(dict.fromkeys(each for role_id in role_ids for each in closure(role_id, roles)))


def may_be_asker(text: str) -> bool:
    """Whether a text may name a component or a member of staff: opaque, and no address of a person."""
    return _ID.fullmatch(text) is not None and not _ADDRESS.fullmatch(text)


def is_code(text: object) -> bool:
    """Whether a text may name a role, a field, a purpose."""
    return isinstance(text, str) and _CODE.fullmatch(text) is not None
