"""What a correction changes in what this service keeps itself: attributes and contact points.

The rules are those of a `PUT` of the person (`SubjectChange.checked`, `read_identifier`): whatever that
refuses is refused here, naming the change. With `was`, only what is still so is changed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from governance.errors import InvalidError
from governance.rights.attributes import OWN
from governance.subjects import service as subjects
from governance.subjects.identifiers import POINT_TYPES, Identifier, read_identifier
from governance.subjects.model import Subject, SubjectChange
from governance.work import Snapshot, Work

Value = str | int | float | bool | None
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LONGEST = {"language": 35}


@dataclass(frozen=True, slots=True)
class Correction:
    """One value to put right. `name`: an attribute (`email`, `family_name`), or `table.column` of `system`.

    With `was`, only what is still so is changed. Without `system`, everybody is told.
    """

    name: str
    value: Value = field(repr=False)
    was: Value = field(default=None, repr=False)
    system: str | None = None

    @property
    def is_ours(self) -> bool:
        """Whether this service keeps such a value itself, and is meant."""
        return self.system is None and (self.name in OWN or self.name in POINT_TYPES)


def check_values(now: datetime, wanted: Sequence[Correction]) -> None:
    """Refuse values that cannot be, before anything is written; InvalidError names each `changes.N.value`."""
    wrong: dict[str, list[str]] = {}
    for number, each in enumerate(wanted):
        if not each.is_ours or each.value is None:
            continue
        try:
            if each.name in OWN:
                _attribute(each.name, each.value, now)
            elif not isinstance(each.value, str):
                raise InvalidError("Send a text.")
            elif each.name != "phone":  # which number one without `+` is depends on the person's country
                read_identifier(Identifier(each.name, each.value))
        except InvalidError as error:
            wrong[f"changes.{number}.value"] = [error.message]
    if wrong:
        raise InvalidError("A value cannot be; see the fields.", fields=wrong)


def write(work: Work, subject_ref: str, wanted: Sequence[Correction]) -> list[Correction]:
    """Write what this service keeps of a person; gives the changes whose `was` is no longer so.

    InvalidError names `changes.N.value` for what cannot be of this person: a number without its country, a
    region of another country.
    """
    person = subjects.find_by_ref(work, subject_ref)
    if person is None or person.erased:
        return []
    own: dict[str, Any] = {}
    known: dict[str, Any] = {"birth_date": subjects.birth_date(work, person)}
    known |= {name: getattr(person, name) for name in OWN if name not in known}
    left: list[Correction] = []
    held = _held(work, person)
    for number, each in enumerate(wanted):
        if not each.is_ours:
            continue
        try:
            if each.name in OWN:
                applies = _is_so(known[each.name], each, work.now)
                if applies:
                    known[each.name] = own[each.name] = _attribute(each.name, each.value, work.now)
            else:
                applies = _put_point(held, each, person.country)
            SubjectChange(**own).checked(work.now)
        except InvalidError as error:
            raise InvalidError(error.message, fields={f"changes.{number}.value": [error.message]}) from error
        if not applies:
            left.append(each)
    if any(each.is_ours and each.name in POINT_TYPES and each not in left for each in wanted):
        own["identifiers"] = held
    if own:
        subjects.put(work, person.external_id, SubjectChange(**own), by_act=True)
    return left


def _attribute(name: str, value: Value, now: datetime) -> str | date | None:
    """Read an attribute as a `PUT` does; InvalidError for what it would refuse."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.isprintable() or len(value) > _LONGEST.get(name, 64):
        raise InvalidError(
            "Send a date as YYYY-MM-DD."
            if name == "birth_date"
            else "Send a text, as a PUT of the person does."
        )
    read: str | date = value
    if name == "birth_date":
        try:
            if not _DAY.fullmatch(value):
                raise ValueError
            read = date.fromisoformat(value)
        except ValueError:
            raise InvalidError("Not a date of the form YYYY-MM-DD.") from None
    given: dict[str, Any] = {name: read}
    found: str | date = getattr(SubjectChange(**given).checked(now), name)
    return found


def _is_so(known: str | date | None, each: Correction, now: datetime) -> bool:
    """Whether a change applies: no `was`, or it is still so, or what is wanted is there already."""
    return each.was is None or known in [_as_kept(each.name, one, now) for one in (each.was, each.value)]


def _as_kept(name: str, value: Value, now: datetime) -> str | date | None:
    """A value in the form in which it would be kept; one that cannot be stands for itself."""
    try:
        return _attribute(name, value, now)
    except InvalidError:
        return str(value)  # what was stored before such values were refused


def _held(snap: Snapshot, person: Subject) -> list[Identifier]:
    """The person's open contact points."""
    return [
        Identifier(point.type, subjects.reveal_point(snap, point), None, point.subscriber)
        for point in subjects.points(snap, person.subject_ref)
        if point.state == "open"
    ]


def _put_point(held: list[Identifier], each: Correction, country: str | None) -> bool:
    """Put a contact point in place of what it was; False if `was` is none of the open ones."""
    new = None if each.value is None else read_identifier(Identifier(each.name, str(each.value)), country)
    there = new is not None and any(_same(one, new.type, new.value, country) for one in held)
    if each.was is not None:
        old = [one for one in held if _same(one, each.name, str(each.was), country)]
        if not old and not there:
            return False
        for one in old:
            if new is None or not _same(one, new.type, new.value, country):
                held.remove(one)
    if new is not None and not there:
        held.append(Identifier(new.type, new.value))
    return True


def _same(one: Identifier, type_: str, value: str, country: str | None) -> bool:
    """Whether a contact point is this one, however it is written."""
    if one.type != type_:
        return False
    try:
        return (
            read_identifier(one, country).normalised
            == read_identifier(Identifier(type_, value), country).normalised
        )
    except InvalidError:
        return one.value == value
