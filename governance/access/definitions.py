"""Reading the records of roles, components, staff, fields and assessments; every complaint at once. Pure."""

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from governance.access.model import (
    ACTIVE,
    COMPONENT,
    COMPONENT_KINDS,
    KINDS,
    STAFF,
    STATES,
    Body,
    Field,
    Grant,
    Role,
    is_code,
    may_be_asker,
)
from governance.access.overlaps import overlaps
from governance.errors import InvalidError
from governance.subjects.identifiers import check_code
from governance.subjects.places import is_country

_LONGEST_TEXT = 2000
_MOST = 200
_SPOILT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_CLIENT = re.compile(r"client_[0-9a-f]{32}")

_TEXTS = ("title", "description", "owner")
_GRANT = ("purposes", "data_classes", "fields", "masked", "stages")
ROLE_MEMBERS = (*_TEXTS, "kinds", "includes", "excludes", "scopes", *_GRANT, "grants")
SEAT = ("country", "recipient")
COMPONENT_MEMBERS = (*_TEXTS, "status", "kind", "roles", "clients", *SEAT, *_GRANT, "grants")
STAFF_MEMBERS = ("status", "roles", "clients", *SEAT, *_GRANT, "grants")
FIELD_MEMBERS = ("title", "description", "owner", "data_class", "mask")
ASSESSMENT_MEMBERS = (*_TEXTS, "from", "to", "outcome", "reference", "data_classes", "expires_at")
OUTCOMES = ("compatible", "incompatible")


@dataclass(frozen=True, slots=True)
class Words:
    """The codes that records may use, as the tenant has them."""

    purposes: frozenset[str] = frozenset()
    data_classes: frozenset[str] = frozenset()
    fields: Mapping[str, Field] = field(default_factory=dict)
    masks: frozenset[str] = frozenset()
    stages: frozenset[str] = frozenset()
    scopes: tuple[str, ...] = ()
    roles: Mapping[str, Role] = field(default_factory=dict)


class Complaints:
    """Gathers what is wrong with a record."""

    def __init__(self, body: Body, members: Collection[str]) -> None:
        self.fields: dict[str, list[str]] = {}
        self.body = body
        for name in body:
            if name not in members:
                self.add(str(name), "There is no such member." + nearest(str(name), members))

    def add(self, path: str, sentence: str) -> None:
        """Keep a complaint."""
        self.fields.setdefault(path, []).append(sentence)

    def text(self, name: str, *, required: bool = False) -> str:
        """Read a text."""
        value = self.body.get(name)
        if value is None:
            if required:
                self.add(name, "This member is required.")
            return ""
        if not isinstance(value, str) or not value or len(value) > _LONGEST_TEXT or _SPOILT.search(value):
            self.add(name, f"Use a text of 1 to {_LONGEST_TEXT} characters.")
            return ""
        return value

    def choice(self, name: str, known: Collection[str], default: str | None = None) -> str:
        """Read one of a few words; required without a default."""
        value = self.body.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or value not in known:
            self.add(name, f"Use one of {', '.join(known)}.")
            return default or ""
        return value

    def codes(
        self, name: str, known: Collection[str], what: str, body: Body, path: str = ""
    ) -> tuple[str, ...]:
        """Read a list of known codes."""
        value = body.get(name)
        if value is None:
            return ()
        if not isinstance(value, list | tuple) or len(value) > _MOST:
            self.add(path + name, f"Use a list of at most {_MOST} codes.")
            return ()
        for number, code in enumerate(value):
            if not isinstance(code, str) or code not in known:
                said = nearest(code, known) if isinstance(code, str) else ""
                self.add(f"{path}{name}.{number}", f"This is no {what} of this tenant.{said}")
        if not self.fields and len(set(value)) < len(value):
            self.add(path + name, "Name each once.")
        return tuple(code for code in value if isinstance(code, str))

    def settle(self, sentence: str) -> None:
        """Raise InvalidError if anything was wrong."""
        if self.fields:
            raise InvalidError(f"{sentence}; see {', '.join(sorted(self.fields)[:10])}.", fields=self.fields)


def nearest(name: str, known: Collection[str]) -> str:
    """` Did you mean …?` where a known name is near."""
    near = difflib.get_close_matches(name, [str(each) for each in known], n=1)
    return f" Did you mean {near[0]}?" if near else ""


def check_role(role_id: str, body: Body, words: Words) -> Role:
    """The role that a record describes; InvalidError names every member that cannot be used."""
    desk = Complaints(body, ROLE_MEMBERS)
    if not is_code(role_id):
        desk.add(
            "id", "An id is 1 to 63 characters of a-z, 0-9, hyphen and underscore, e.g. `support_agent`."
        )
    for name in _TEXTS:
        desk.text(name)
    others = [each for each in words.roles if each != role_id]
    kinds = desk.codes("kinds", KINDS, "kind of asker", body) or KINDS
    includes = desk.codes("includes", [*others, role_id], "role", body)
    excludes = desk.codes("excludes", others, "role", body)
    scopes = desk.codes("scopes", words.scopes, "scope", body)
    grants = read_grants(desk, words)
    desk.settle("This role cannot be kept as it is")
    return Role(role_id, kinds, includes, excludes, scopes, grants)


def check_component(component_id: str, body: Body, words: Words) -> None:
    """Refuse a record that is no component; InvalidError."""
    desk = Complaints(body, COMPONENT_MEMBERS)
    for name in _TEXTS:
        desk.text(name)
    kind = desk.choice("kind", COMPONENT_KINDS)
    _check_asker(component_id, desk, words, kind, COMPONENT)


def check_staff(staff_id: str, body: Body, words: Words) -> None:
    """Refuse a record that is no member of staff; InvalidError."""
    _check_asker(staff_id, Complaints(body, STAFF_MEMBERS), words, STAFF, STAFF)


def _check_asker(asker_id: str, desk: Complaints, words: Words, kind: str, what: str) -> None:
    if not may_be_asker(asker_id):
        desk.add(
            "id",
            "An id is 1 to 128 characters of A-Z a-z 0-9 . _ : - that look like no telephone number or "
            "network address; put a letter before a long number.",
        )
    desk.choice("status", STATES, ACTIVE)
    _check_seat(desk)
    roles = desk.codes("roles", words.roles, "role", desk.body)
    read_grants(desk, words)
    clients = desk.body.get("clients")
    if clients is not None and (
        not isinstance(clients, list | tuple)
        or len(clients) > _MOST
        or not all(isinstance(each, str) and _CLIENT.fullmatch(each) for each in clients)
        or len(set(clients)) < len(clients)
    ):
        desk.add("clients", "Use a list of ids of credentials (client_…), each once.")
    if not desk.fields and kind:
        for number, role_id in enumerate(roles):
            if kind not in words.roles[role_id].kinds:
                may = ", ".join(words.roles[role_id].kinds)
                desk.add(f"roles.{number}", f"This role is for {may} only, and this is {kind}.")
    desk.settle(f"This {'component' if what == COMPONENT else 'member of staff'} cannot be kept as it is")


def _check_seat(desk: Complaints) -> None:
    """Refuse a country that there is not, and a recipient that no flow could name."""
    country, recipient = desk.body.get("country"), desk.body.get("recipient")
    if country is not None and not (isinstance(country, str) and is_country(country)):
        desk.add("country", "There is no such country; give an ISO 3166-1 alpha-2 code such as DE.")
    if recipient is None:
        return
    if country is None:
        desk.add("recipient", "Say in which country the recipient is.")
    try:
        check_code(recipient if isinstance(recipient, str) else "", "recipient")
    except InvalidError as error:
        desk.add("recipient", error.message)


def check_field(field_id: str, body: Body, words: Words, shipped: Collection[str]) -> None:
    """Refuse a record that is no field of a tenant's own; InvalidError."""
    desk = Complaints(body, FIELD_MEMBERS)
    if not is_code(field_id):
        desk.add("id", "An id is 1 to 63 characters of a-z, 0-9, hyphen and underscore.")
    if field_id in shipped or field_id in words.data_classes:
        desk.add("id", "The catalogue has this name already; choose another one.")
    desk.choice("data_class", sorted(words.data_classes))
    desk.choice("mask", sorted(words.masks), "hidden")
    for name in ("title", "description", "owner"):
        desk.text(name)
    desk.settle("This field cannot be kept as it is")


def check_assessment(assessment_id: str, body: Body, words: Words, now: datetime) -> None:
    """Refuse a record that is no compatibility assessment (GDPR Art. 6(4)) in force; InvalidError."""
    desk = Complaints(body, ASSESSMENT_MEMBERS)
    if not is_code(assessment_id):
        desk.add("id", "An id is 1 to 63 characters of a-z, 0-9, hyphen and underscore.")
    for name in ("owner", "reference"):
        desk.text(name, required=True)
    for name in ("title", "description"):
        desk.text(name)
    sides = [desk.choice(name, sorted(words.purposes)) for name in ("from", "to")]
    if sides[0] and sides[0] == sides[1]:
        desk.add("to", "A purpose is compatible with itself; assess two different ones.")
    desk.choice("outcome", OUTCOMES)
    desk.codes("data_classes", words.data_classes, "data class", body)
    expires = read_instant(body.get("expires_at"))
    if expires is None:
        desk.add("expires_at", "Say until when it holds: an RFC 3339 instant such as 2027-11-21T00:00:00Z.")
    elif expires <= now:
        desk.add("expires_at", "This lies in the past: an assessment that has ended permits nothing.")
    desk.settle("This assessment cannot be kept as it is")


def read_instant(value: object) -> datetime | None:
    """Read an RFC 3339 instant with offset; None if it is none."""
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) and len(value) < 40 else None
        return None if instant is None or instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_grants(desk: Complaints, words: Words) -> tuple[Grant, ...]:
    """The grants of a record: those of its list, and the one that its own members spell."""
    found: list[Grant] = []
    if any(desk.body.get(name) is not None for name in _GRANT):
        found += _grant(desk, desk.body, "", words)
    listed = desk.body.get("grants")
    if listed is not None and (not isinstance(listed, list | tuple) or len(listed) > _MOST):
        desk.add("grants", f"Use a list of at most {_MOST} grants.")
        listed = None
    for number, each in enumerate(listed or ()):
        path = f"grants.{number}"
        if not isinstance(each, Mapping):
            desk.add(path, "Use an object with purposes, data_classes, fields, masked and stages.")
            continue
        for name in each:
            if name not in _GRANT:
                desk.add(f"{path}.{name}", "There is no such member." + nearest(str(name), _GRANT))
        found += _grant(desk, each, f"{path}.", words)
    if not desk.fields:
        for sentence in overlaps(found, words.fields):
            desk.add("grants", sentence)
    return tuple(found)


def _grant(desk: Complaints, body: Body, path: str, words: Words) -> list[Grant]:
    showable = [*words.data_classes, *words.fields]
    purposes = desk.codes("purposes", words.purposes, "purpose", body, path)
    classes = desk.codes("data_classes", words.data_classes, "data class", body, path)
    fields = desk.codes("fields", words.fields, "field", body, path)
    masked = desk.codes("masked", showable, "field or data class", body, path)
    stages = desk.codes("stages", words.stages, "stage of the relationship", body, path)
    if not purposes:
        desk.add(f"{path}purposes", "Say for which purposes; without a purpose nothing is read.")
    if body.get("stages") is not None and not stages:
        desk.add(f"{path}stages", "Name stages, or leave the member out to mean every one.")
    for name in sorted({*classes, *fields} & set(masked)):
        desk.add(f"{path}masked", f"{name} is given in full and masked; say it once.")
    return [
        Grant(
            frozenset(purposes),
            frozenset((*classes, *fields)),
            frozenset(masked),
            None if body.get("stages") is None else frozenset(stages),
        )
    ]


def plain(body: Body) -> dict[str, Any]:
    """A record as JSON, members that are null left out."""
    return {name: value for name, value in body.items() if value is not None}
