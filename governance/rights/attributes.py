"""What a correction may name: attributes that somebody keeps, and the columns of a connected database.

A name that means nothing anywhere would be told to everybody and put nothing right, so it is refused, with
the nearest that is known. A system of another kind than `sql` that is named itself is told what it is sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from governance.errors import InvalidError
from governance.policy.complaints import nearest
from governance.purposes import catalogue
from governance.settings import Settings
from governance.subjects.identifiers import POINT_TYPES
from governance.systems import service as systems
from governance.systems.model import System
from governance.work import Snapshot

OWN = ("country", "region", "time_zone", "language", "birth_date", "customer_type")
"""Attributes that this service keeps itself, besides contact points."""

_USUAL = ("given_name", "family_name")
_SHOWN = 12


def check_names(snap: Snapshot, named: Sequence[tuple[str, str | None]]) -> None:
    """Refuse names (each with its system, or None for all) that mean nothing; InvalidError says which."""
    registered = {each.system_id: each for each in systems.every(snap)}
    everywhere = _everywhere(snap, registered.values())
    fields: dict[str, list[str]] = {}
    for number, (name, system_id) in enumerate(named):
        if system_id is not None and system_id not in registered:
            known = ", ".join(sorted(registered)) or "none yet"
            fields[f"changes.{number}.system"] = [f"There is no such system; there are: {known}."]
            continue
        known_here = everywhere if system_id is None else _of_system(registered[system_id])
        if known_here is not None and name not in known_here:
            near = nearest(name, known_here) or f"; use for example {', '.join(sorted(known_here)[:_SHOWN])}."
            fields[f"changes.{number}.name"] = [f"Nobody keeps an attribute of this name{near}"]
    if fields:
        raise InvalidError("Something is named that nobody keeps; see the fields.", fields=fields)


def _everywhere(snap: Snapshot, registered: Iterable[System]) -> frozenset[str]:
    classes: Mapping[str, Any] = catalogue.data_classes(snap.resource(Settings).policies_dir)
    fields = {name for each in classes.values() for name in each.get("fields", ())}
    mapped = {name for each in registered for name in _of_system(each) or () if "." not in name}
    return frozenset({*OWN, *POINT_TYPES, *_USUAL, *fields, *mapped})


def _of_system(system: System) -> frozenset[str] | None:
    """Attributes and columns that a database is mapped with; None where nobody here can know."""
    tables = system.config.get("tables")
    if system.kind != "sql" or not isinstance(tables, Mapping):
        return None
    found: set[str] = set()
    for table, mapped in tables.items():
        for column, field in (mapped.get("fields") or {}).items():
            found.add(f"{table}.{column}")
            if isinstance(field, Mapping) and field.get("attribute"):
                found.add(field["attribute"])
    return frozenset(found)
