"""AuthZEN's questions (Authorization API 1.0) as values, and their reading from JSON. Pure.

Missing or ill-typed required members are the caller's error (400); unknown members are ignored. In a batch,
what is wrong with the shape of one question spoils the whole; what is wrong with its content is answered in
its place.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from governance.communications.model import is_code
from governance.errors import InvalidError

EXECUTE_ALL = "execute_all"
DENY_ON_FIRST_DENY = "deny_on_first_deny"
PERMIT_ON_FIRST_PERMIT = "permit_on_first_permit"
SEMANTICS = (EXECUTE_ALL, DENY_ON_FIRST_DENY, PERMIT_ON_FIRST_PERMIT)
MOST_EVALUATIONS = 1000
LONGEST_TEXT = 1024

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_ADDRESS = re.compile(r"[0-9]{9,}|[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*")


@dataclass(frozen=True, slots=True)
class Entity:
    """A subject or a resource."""

    type: str
    id: str
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """May `subject` do `action` to `resource`?"""

    subject: Entity
    action: str
    resource: Entity
    action_properties: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EvaluationBatch:
    """Several questions. `single`: none were listed, so the answer is that of one question, not a list."""

    requests: Sequence[EvaluationRequest]
    semantic: str = EXECUTE_ALL
    single: bool = False


def read_request(body: object) -> EvaluationRequest:
    """Read one question; InvalidError names every member that is missing or of the wrong type."""
    complaints: dict[str, list[str]] = {}
    request = _request(body, {}, "", complaints)
    return _finished(request, complaints)


def read_batch(body: object) -> EvaluationBatch:
    """Read several questions with their defaults; InvalidError names every member that cannot be used."""
    if not isinstance(body, Mapping):
        raise InvalidError("The request is a JSON object.", fields={"": ["Give a JSON object."]})
    complaints: dict[str, list[str]] = {}
    listed = body.get("evaluations")
    if listed is not None and not isinstance(listed, list | tuple):
        complaints["evaluations"] = ["Give an array of objects."]
        listed = None
    if listed is not None and len(listed) > MOST_EVALUATIONS:
        complaints["evaluations"] = [f"Give at most {MOST_EVALUATIONS} evaluations in one request."]
        listed = None
    semantic = _semantic(body.get("options"), complaints)
    if not listed:
        request = _request(body, {}, "", complaints)
        return EvaluationBatch([_finished(request, complaints)], semantic, single=True)
    defaults = {name: body[name] for name in ("subject", "action", "resource", "context") if name in body}
    requests = [
        _request(each, defaults, f"evaluations.{place}.", complaints) for place, each in enumerate(listed)
    ]
    return EvaluationBatch([_finished(each, complaints) for each in requests], semantic)


def opaque(value: str) -> str | None:
    """The text if it is an opaque code and looks like no address of a person.

    None if it must not be logged.
    """
    return value if is_code(value) and not _ADDRESS.fullmatch(value) else None


def _finished(request: EvaluationRequest | None, complaints: dict[str, list[str]]) -> EvaluationRequest:
    if complaints or request is None:
        raise InvalidError(
            "The evaluation request does not have the form of AuthZEN 1.0; see the fields.", fields=complaints
        )
    return request


def _semantic(options: object, complaints: dict[str, list[str]]) -> str:
    if options is None:
        return EXECUTE_ALL
    if not isinstance(options, Mapping):
        complaints["options"] = ["Give an object."]
        return EXECUTE_ALL
    semantic = options.get("evaluations_semantic", EXECUTE_ALL)
    if semantic not in SEMANTICS:
        complaints["options.evaluations_semantic"] = [f"Give one of {', '.join(SEMANTICS)}."]
        return EXECUTE_ALL
    return str(semantic)


def _request(
    body: object, defaults: Mapping[str, Any], path: str, complaints: dict[str, list[str]]
) -> EvaluationRequest | None:
    if not isinstance(body, Mapping):
        complaints[path.rstrip(".")] = ["Give a JSON object."]
        return None
    # A member of an evaluation replaces the default as a whole; the two are never blended.
    members = {**defaults, **body}
    subject = _entity(members.get("subject"), f"{path}subject", complaints)
    resource = _entity(members.get("resource"), f"{path}resource", complaints)
    action = _object(members.get("action"), f"{path}action", complaints)
    name = _text(action.get("name"), f"{path}action.name", complaints) if action is not None else ""
    properties = _optional(action, "properties", f"{path}action.properties", complaints)
    context = _optional(members, "context", f"{path}context", complaints)
    if subject is None or resource is None or action is None:
        return None
    return EvaluationRequest(subject, name, resource, properties, context)


def _entity(value: object, path: str, complaints: dict[str, list[str]]) -> Entity | None:
    members = _object(value, path, complaints)
    if members is None:
        return None
    return Entity(
        _text(members.get("type"), f"{path}.type", complaints),
        _text(members.get("id"), f"{path}.id", complaints),
        _optional(members, "properties", f"{path}.properties", complaints),
    )


def _object(value: object, path: str, complaints: dict[str, list[str]]) -> Mapping[str, Any] | None:
    if isinstance(value, Mapping):
        return value
    complaints[path] = ["This member is required." if value is None else "Give a JSON object."]
    return None


def _optional(
    members: Mapping[str, Any] | None, name: str, path: str, complaints: dict[str, list[str]]
) -> Mapping[str, Any]:
    value = None if members is None else members.get(name)
    if value is None:
        return _NOTHING
    if isinstance(value, Mapping):
        return value
    complaints[path] = ["Give a JSON object."]
    return _NOTHING


def _text(value: object, path: str, complaints: dict[str, list[str]]) -> str:
    if not isinstance(value, str):
        complaints[path] = ["This member is required." if value is None else "Give a string."]
        return ""
    if not value or len(value) > LONGEST_TEXT or not _is_unicode(value):
        complaints[path] = [f"Give 1 to {LONGEST_TEXT} characters of valid Unicode."]
        return ""
    return value


def _is_unicode(text: str) -> bool:
    """Whether it is text that can be written down: JSON lets halves of surrogate pairs through."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
