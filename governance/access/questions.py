"""The two questions of this gate, read from AuthZEN's properties; every complaint at once. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.access.definitions import read_instant
from governance.errors import InvalidError

READ, USE = "data.read", "data.use"
MOST_FIELDS = 200
_LONGEST = 128


@dataclass(frozen=True, slots=True)
class DataQuestion:
    """May somebody read these fields of a person, or use the data for a purpose?

    `purpose` None: none was named, so nothing is permitted. `collected_for`: what the caller says that the
    data were collected for (use only). `time` moves what depends on the clock, never back behind now.
    """

    action: str
    fields: tuple[str, ...]
    purpose: str | None
    collected_for: str | None = None
    time: datetime | None = None


def read_question(action: str, properties: Mapping[str, Any], context: Mapping[str, Any]) -> DataQuestion:
    """Read a question; InvalidError names every member that cannot be used and repeats no value."""
    complaints: dict[str, list[str]] = {}
    member = "fields" if action == READ else "attributes"
    fields = _names(properties.get(member), member, complaints)
    purpose = _name(properties.get("purpose"), "purpose", complaints)
    collected_for = (
        None if action == READ else _name(properties.get("collected_for"), "collected_for", complaints)
    )
    time = context.get("time")
    instant = read_instant(time)
    if time is not None and instant is None:
        complaints["context.time"] = ["Give an RFC 3339 instant with an offset, e.g. 2026-11-21T10:00:00Z."]
    if context.get("as_of") is not None:
        complaints["context.as_of"] = ["The past cannot be asked about here yet; leave it out."]
    if complaints:
        raise InvalidError("The question cannot be read; see the fields.", fields=complaints)
    return DataQuestion(action, fields, purpose, collected_for, instant)


def _names(value: object, member: str, complaints: dict[str, list[str]]) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > MOST_FIELDS:
        complaints[member] = [f"Give a list of at most {MOST_FIELDS} names."]
        return ()
    found: dict[str, None] = {}
    for number, each in enumerate(value):
        name = _name(each, f"{member}.{number}", complaints)
        if name is not None:
            found[name] = None
        elif f"{member}.{number}" not in complaints:
            complaints[f"{member}.{number}"] = ["Give the name of a field."]
    return tuple(found)


def _name(value: object, member: str, complaints: dict[str, list[str]]) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST or not value.isprintable():
        complaints[member] = [f"Give 1 to {_LONGEST} printable characters."]
        return None
    return value
