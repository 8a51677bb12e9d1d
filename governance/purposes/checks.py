"""What the records of purposes and capture points may say; everything that is wrong is said at once. Pure."""

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from governance.errors import InvalidError
from governance.purposes.model import ACQUIRED, ACTIVE, INACTIVE, PERMISSIONS, Body, Vocabulary, may_name

_COUNTRY = re.compile(r"[A-Z]{2}")
_STAGE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SPOILT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LONGEST_TEXT = 4000
_LONGEST_LIST = 200


def check_purpose(purpose_id: str, body: Body, words: Vocabulary) -> None:
    """Refuse a record that is no purpose; InvalidError names every member that cannot be used."""
    complaints = _Complaints(purpose_id)
    complaints.members(body, _PURPOSE_CHECKS)
    complaints.basis(body.get("lawful_basis"), words.lawful_bases)
    complaints.codes("message_classes", body, words.message_classes)
    complaints.codes("data_classes", body, words.data_classes)
    if body.get("state") not in (None, ACTIVE, INACTIVE):
        complaints.add("state", "Use active or inactive.")
    if body.get("permission") not in (None, *PERMISSIONS):
        complaints.add("permission", f"Use one of {', '.join(PERMISSIONS)}.")
    complaints.settle("This purpose cannot be kept as it is")


def check_capture_point(capture_point_id: str, body: Body, known_purposes: Collection[str]) -> None:
    """Refuse a record that is no capture point, or serves a purpose that is not in use; InvalidError."""
    complaints = _Complaints(capture_point_id)
    complaints.members(body, _CAPTURE_POINT_CHECKS)
    complaints.codes("purposes", body, known_purposes, closed=True)
    if body.get("acquired") not in (None, *ACQUIRED):
        complaints.add("acquired", f"Use one of {', '.join(ACQUIRED)}.")
    complaints.settle("This capture point cannot be kept as it is")


class _Complaints:
    """Gathers what is wrong with a record, so that all of it is said at once."""

    def __init__(self, record_id: str) -> None:
        self.fields: dict[str, list[str]] = {}
        if not may_name(record_id):
            self.add(
                "id", "An id is 1 to 63 characters of a-z, 0-9, hyphen and underscore, e.g. `marketing`."
            )

    def add(self, path: str, sentence: str) -> None:
        self.fields.setdefault(path, []).append(sentence)

    def members(self, body: Body, checks: Mapping[str, Callable[[Any], str | None]]) -> None:
        for name, value in body.items():
            if name not in checks:
                self.add(name, "There is no such member." + _nearest(name, checks))
            elif value is not None and (sentence := checks[name](value)):
                self.add(name, sentence)

    def codes(self, name: str, body: Body, known: Collection[str], *, closed: bool = False) -> None:
        if name in self.fields or not (known or closed):
            return
        for index, code in enumerate(body.get(name) or ()):
            if code not in known:
                self.add(f"{name}.{index}", "This code is not in the catalogue." + _nearest(code, known))

    def basis(self, basis: object, known: Collection[str]) -> None:
        if "lawful_basis" in self.fields or basis is None:
            return
        for path, code in _bases(basis):
            if known and code not in known:
                self.add(path, "This is no lawful basis of the catalogue." + _nearest(code, known))

    def settle(self, sentence: str) -> None:
        if self.fields:
            raise InvalidError(f"{sentence}: see {', '.join(sorted(self.fields)[:10])}.", fields=self.fields)


def _bases(basis: object) -> list[tuple[str, str]]:
    """Every basis that a record names, with the path of its member."""
    if not isinstance(basis, Mapping):
        return [("lawful_basis", str(basis))]
    found = [("lawful_basis.default", basis["default"])] if basis.get("default") else []
    for part in ("by_country", "by_stage"):
        found += [(f"lawful_basis.{part}.{key}", code) for key, code in (basis.get(part) or {}).items()]
    return found


def _nearest(name: str, known: Collection[str]) -> str:
    """` Did you mean …?` where a known name is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _text(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        return f"Use a text of at most {_LONGEST_TEXT} characters."
    return "The text holds characters that cannot be kept." if _SPOILT.search(value) else None


def _code(value: object) -> str | None:
    return (
        None
        if isinstance(value, str) and may_name(value)
        else "Use an id of a-z, 0-9, hyphen and underscore."
    )


def _flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "Use true or false."


def _code_list(value: object) -> str | None:
    if not isinstance(value, list | tuple) or len(value) > _LONGEST_LIST:
        return f"Use a list of at most {_LONGEST_LIST} codes."
    if any(_code(each) for each in value):
        return "Use codes of a-z, 0-9, hyphen and underscore."
    return "Name each code once." if len(set(value)) < len(value) else None


def _basis(value: object) -> str | None:
    if not isinstance(value, Mapping):
        return _code(value)
    if set(value) - {"default", "by_country", "by_stage"}:
        return "Use a code, or an object with default, by_country and by_stage."
    if value.get("default") is not None and _code(value["default"]):
        return "The default must be the code of a lawful basis."
    for part, is_key in (("by_country", _COUNTRY), ("by_stage", _STAGE)):
        codes = value.get(part)
        if codes is None:
            continue
        if not isinstance(codes, Mapping) or len(codes) > _LONGEST_LIST:
            return f"{part} must be an object of codes."
        if not all(isinstance(key, str) and is_key.fullmatch(key) for key in codes) or any(
            map(_code, codes.values())
        ):
            return f"{part} must map countries (two capitals) or stages to codes of lawful bases."
    return None


_PURPOSE_CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "title": _text,
    "description": _text,
    "owner": _text,
    "controller": _text,
    "lawful_basis": _basis,
    "legitimate_interests_assessment": _text,
    "impact_assessment": _text,
    "message_classes": _code_list,
    "data_classes": _code_list,
    "special_categories": _code_list,
    "profiling": _flag,
    "solely_automated": _flag,
    "human_review": _flag,
    "retention": _text,
    "compatible_with": _code_list,
    "permission": _code,
    "state": _code,
}
PURPOSE_MEMBERS = tuple(_PURPOSE_CHECKS)
"""The members of a purpose's record."""

_CAPTURE_POINT_CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "title": _text,
    "description": _text,
    "owner": _text,
    "channel": _code,
    "purposes": _code_list,
    "notice": _code,
    "double_opt_in": _flag,
    "acquired": _code,
}
CAPTURE_POINT_MEMBERS = tuple(_CAPTURE_POINT_CHECKS)
"""The members of a capture point's record."""
