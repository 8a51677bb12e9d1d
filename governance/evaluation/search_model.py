"""AuthZEN's searches (Authorization API 1.0, "Search APIs") as values, and their reading from JSON. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import rfc8785

from governance.errors import InvalidError
from governance.evaluation.model import EvaluationRequest, read_request
from governance.subjects.model import RELATIONSHIP_STAGES
from governance.subjects.places import check_country

SUBJECT, RESOURCE, ACTION = "subject", "resource", "action"
SEARCHES = (SUBJECT, RESOURCE, ACTION)
DEFAULT_LIMIT = 1000
MOST_RESULTS = 10_000
LONGEST_TOKEN = 2048

_ABSENT: Mapping[str, Mapping[str, Any]] = {
    SUBJECT: {"id": "any"},
    RESOURCE: {"id": "any"},
    ACTION: {"name": "any"},
}
_FILTERS = ("relationship", "country")


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What is looked for (`kind`), the question with a placeholder in its place, and which page of it.

    `limit` is None where the caller named none; `token` is that of the page before. `relationship` and
    `country` narrow a search for people (empty: all).
    """

    kind: str
    question: EvaluationRequest
    limit: int | None = None
    token: str | None = None
    relationship: tuple[str, ...] = ()
    country: tuple[str, ...] = ()

    def digest(self) -> str:
        """Names the question (SHA-256, hex): a token of one search goes on with no other."""
        asked = self.question
        said: dict[str, Any] = {"search": self.kind, "context": dict(asked.context)}
        for name, entity in ((SUBJECT, asked.subject), (RESOURCE, asked.resource)):
            said[name] = {"type": entity.type, "properties": dict(entity.properties)}
            if name != self.kind:
                said[name]["id"] = entity.id
        if self.kind != ACTION:
            said[ACTION] = {"name": asked.action, "properties": dict(asked.action_properties)}
        return hashlib.sha256(_canonical(said)).hexdigest()


@dataclass(frozen=True, slots=True)
class Found:
    """One page of results. `position` is where the next one begins, None at the end.

    `context` explains: the ledger position, and for actions those that are refused with their reasons.
    """

    results: list[dict[str, Any]]
    position: str | int | None
    context: dict[str, Any] = field(default_factory=dict)


def read_search(kind: str, body: object) -> SearchRequest:
    """Read a search; InvalidError names every member that is missing or of the wrong type.

    The id of what is looked for is ignored, as the specification has it.
    """
    complaints: dict[str, list[str]] = {}
    if not isinstance(body, Mapping):
        raise InvalidError("The request is a JSON object.", fields={"": ["Give a JSON object."]})
    members = dict(body)
    sought = members.get(kind)
    if kind == ACTION:
        members[kind] = dict(_ABSENT[kind])
    elif isinstance(sought, Mapping):
        members[kind] = {**sought, **_ABSENT[kind]}
    limit, token = _page(members.get("page"), complaints)
    try:
        question = read_request(members)
    except InvalidError as error:
        raise InvalidError(error.message, fields={**error.fields, **complaints}) from None
    if complaints:
        raise InvalidError("The page cannot be read; see the fields.", fields=complaints)
    return SearchRequest(kind, question, limit, token)


def narrowed(search: SearchRequest) -> SearchRequest:
    """The search with the filter that the properties of the resource name; InvalidError for any other name.

    A filter that is not known is refused: to pass over it would widen the audience.
    """
    complaints: dict[str, list[str]] = {}
    chosen: dict[str, tuple[str, ...]] = dict.fromkeys(_FILTERS, ())
    for name, value in search.question.resource.properties.items():
        if name not in _FILTERS:
            complaints["resource.properties"] = [f"People are narrowed by {' and '.join(_FILTERS)}."]
            continue
        place = f"resource.properties.{name}"
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed) or not listed:
            complaints[place] = ["Give a code or a list of codes."]
            continue
        chosen[name] = tuple(sorted({_code(name, each, place, complaints) for each in listed}))
    if complaints:
        raise InvalidError("The search cannot be narrowed so; see the fields.", fields=complaints)
    return SearchRequest(search.kind, search.question, search.limit, search.token, **chosen)


def _code(name: str, code: str, place: str, complaints: dict[str, list[str]]) -> str:
    if name == "country":
        try:
            return check_country(code, place)
        except InvalidError as problem:
            complaints |= problem.fields
    elif code not in RELATIONSHIP_STAGES:
        complaints[place] = [f"The stages are {', '.join(RELATIONSHIP_STAGES)}."]
    return code


def _page(value: object, complaints: dict[str, list[str]]) -> tuple[int | None, str | None]:
    if value is None:
        return None, None
    if not isinstance(value, Mapping):
        complaints["page"] = ["Give a JSON object."]
        return None, None
    limit, token = value.get("limit"), value.get("token")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        complaints["page.limit"] = ["Give a whole number that is not negative."]
        limit = None
    if token is not None and (not isinstance(token, str) or len(token) > LONGEST_TOKEN):
        complaints["page.token"] = ["Give the `next_token` of the page before as text."]
        token = None
    if value.get("properties") is not None and not isinstance(value["properties"], Mapping):
        complaints["page.properties"] = ["Give a JSON object."]
    return limit, token or None


def _canonical(said: Mapping[str, Any]) -> bytes:
    try:
        return rfc8785.dumps(dict(said))
    except rfc8785.CanonicalizationError:
        raise InvalidError("The request holds a number that JSON readers do not agree about.") from None
