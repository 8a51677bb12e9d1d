"""Reaching over the wall: every route of the OpenAPI document, every place where an id can stand.

A route joins by itself. What cannot be guessed is declared here, and a route for which something is missing
fails the test with its name: a parameter of a path (PATHS), a body that is not made of named members
(EXAMPLES, RAW).
"""

import io
import json
import re
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from werkzeug.test import TestResponse

from tests.api.conftest import basic
from tests.promises.two_tenants import FLOW, MAPPING, MECHANISM, PROMOTION, QUESTION, RULE, World

PATHS: dict[str, str] = {
    "cap_id": "cap_id",
    "capture_point_id": "capture_point_id",
    "decision_id": "decision_id",
    "disposition_id": "disposition_id",
    "erasure_id": "erasure_id",
    "external_id": "external_id",
    "hold_id": "hold_id",
    "import_id": "import_id",
    "letter_id": "letter_id",
    "message_id": "message_id",
    "notice_id": "notice_id",
    "objection_id": "objection_id",
    "pack": "pack",
    "proposal_id": "proposal_id",
    "grant_id": "grant_id",
    "override_id": "proposal_id",  # no shipped rule can be overridden: another id of theirs stands in
    "mechanism_id": "mechanism_id",
    "flow_id": "flow_id",
    "role_id": "role_id",
    "staff_id": "staff_id",
    "component_id": "component_id",
    "field_id": "field_id",
    "assessment_id": "assessment_id",
    "issuer_id": "issuer_id",
    "subject_request_id": "request_id",
    "/privacy/packages/{token} token": "confirmation",
    "purpose_id": "purpose_id",
    "receipt_id": "receipt_id",
    "record_id": "record_id",
    "request_id": "request_id",
    "run_id": "run_id",
    "screening_id": "screening_id",
    "suppression_id": "suppression_id",
    "system": "system_id",
    "system_id": "system_id",
    "task_id": "task_id",
    "version": "version",
    "webhook_id": "webhook_id",
    "/v1/communications/reviews/{review_id}/resolve review_id": "communications_review",
    "/v1/lifecycle/reviews/{review_id}/keep review_id": "lifecycle_review",
    "/callbacks/{system_id}/{token} token": "confirmation",
    "/confirm/{token} token": "confirmation",
    "/preferences/{token} token": "preferences",
    "/privacy/requests/{token} token": "confirmation",
    "/unsubscribe/{token} token": "unsubscribe",
}
"""Kind of the id in a parameter of a path, by its name, or by path and name where that differs."""

FITS: dict[str, str] = {
    "id": "external_id", "into": "external_id", "subject": "external_id", "screening": "screening_id",
    "email": "email", "value": "email", "ref": "point_ref", "identity": "identity", "token": "confirmation",
    "contact_points": "point_ref", "purpose": "purpose_id", "capture_point": "capture_point_id",
    "system": "system_id", "record": "record_id", "run": "run_id", "appeal_of": "request_id",
    "after": "event",
    "message_id": "message_id", "in_reply_to": "message_id", "Idempotency-Key": "idempotency_key",
}  # fmt: skip
"""Kind of the id that fits a member's name best; to any other name everything is tried."""

VALUES: dict[str, Any] = {
    "purpose": "marketing", "channel": "email", "message_class": "promotional", "method": "web_form",
    "status": "withdrawn", "scope": "marketing", "type": "email", "to": "contact",
    "capture_point": "web-form",
    "data_class": "invoices", "created_at": "2020-01-01T00:00:00Z", "register": "us-national-dnc",
    "because": "a reason", "matter": "a matter", "reason": "a reason", "expires_at": "2028-01-01T00:00:00Z",
    "until": "2028-01-01", "ground": "manifestly-unfounded", "resolution": "not_an_opt_out", "text": "STOP",
    "url": "https://hooks.example.com/in", "types": ["governance.consent.granted"],
    "grant_type": "client_credentials",
    "reference": "paper-1", "sha256": "0" * 64, "phone": "+12025550199", "outcome": "delivered",
    "owner": "somebody",
    "country": "US", "region": "US-NY", "language": "en", "model": "relationship",
}  # fmt: skip
"""Values that pass for a member's name, so that an attempt gets as far as the id in it."""

_SEND = {"name": "communication.send", "properties": PROMOTION}
_ASKER = {"type": "component", "id": "crm"}
_PERSON = {"type": "data_subject", "id": "own"}
_LISTS = {"channel": "email", "message_classes": [], "purposes": [], "limit": 5, "window": "P1D"}

EXAMPLES: dict[str, Any] = {
    "POST /access/v1/evaluation": {"subject": _ASKER, "action": _SEND, "resource": _PERSON},
    "POST /access/v1/evaluations": {
        "subject": _ASKER,
        "action": _SEND,
        "evaluations": [{"resource": _PERSON}],
    },
    "POST /access/v1/search/subject": {
        "subject": _ASKER,
        "action": _SEND,
        "resource": _PERSON,
        "page": {"token": ""},
    },
    "POST /access/v1/search/resource": {
        "subject": _ASKER,
        "action": _SEND,
        "resource": _PERSON,
        "page": {"token": ""},
    },
    "POST /access/v1/search/action": {"subject": _ASKER, "resource": _PERSON, "page": {"token": ""}},
    "PUT /v1/transfer-mechanisms/{mechanism_id}": MECHANISM,
    "PUT /v1/transfer-flows/{flow_id}": {**FLOW, "mechanisms": ["acme-clauses"]},
    "POST /v1/policies/{pack}/draft/shadow": {"until": "2026-12-05T00:00:00Z"},
    "POST /v1/rights-requests/{request_id}/correct": {"changes": [{"name": "country", "value": "US"}]},
    "POST /v1/access/break-glass": {"subject": {"id": "own"}, "fields": ["phone"], "reason": "r"},
    "POST /v1/access/break-glass/{grant_id}/review": {"outcome": "justified", "note": "n"},
    "POST /v1/overrides": {
        "subject": {"id": "own"},
        "rule": "own",
        "reason": "r",
        "expires_at": "2026-11-22T00:00:00Z",
    },
    "PUT /v1/roles/{role_id}": {
        "title": "T",
        "kinds": ["staff"],
        "includes": ["own"],
        "purposes": ["marketing"],
    },
    "PUT /v1/staff/{staff_id}": {"roles": ["marketer"], "clients": ["own"]},
    "PUT /v1/components/{component_id}": {"kind": "service", "roles": ["marketer"], "clients": ["own"]},
    "PUT /v1/data-fields/{field_id}": {"data_class": "invoices"},
    "PUT /v1/compatibility-assessments/{assessment_id}": {
        "from": "service",
        "to": "marketing",
        "outcome": "compatible",
        "owner": "o",
        "reference": "r",
        "expires_at": "2028-01-01T00:00:00Z",
    },
    "PUT /v1/issuers/{issuer_id}": {
        "issuer": "https://idp.example.org",
        "audience": "own",
        "role_claim": "groups",
        "grants": {"office": ["audit:read"]},
    },
    "PUT /v1/policies/{pack}/draft": {"policy": RULE.format(own="rival", text="t")},
    "PUT /v1/caps/{cap_id}": _LISTS,
    "PUT /v1/capture-points/{capture_point_id}": {"title": "T", "owner": "sales", "purposes": ["marketing"]},
    "PUT /v1/purposes/{purpose_id}": {
        "title": "T",
        "owner": "o",
        "lawful_basis": "consent",
        "message_classes": ["survey"],
    },
    "PUT /v1/systems/{system_id}": {
        "kind": "manual",
        "config": {"owner": "o"},
        "data_classes": [],
        "depends_on": ["x"],
    },
    "PUT /v1/notices/{notice_id}/versions/{version}": {"texts": {"en": "words"}},
    "POST /v1/screenings": {"question": QUESTION, "audience": {"ids": ["own"]}},
    "POST /v1/holds": {"matter": "M", "reason": "R", "scope": {"subject": {"id": "own"}}},
    "POST /v1/suppressions": {"subject": {"id": "own"}, "scope": "marketing"},
    "POST /v1/suppressions/lookup": {"subject": {"id": "own"}},
    "POST /v1/register-checks": {
        "register": "us-national-dnc",
        "contact_point": {"type": "phone", "value": "+12025550177"},
        "listed": True,
    },
    "POST /v1/rights-requests": {"type": "access", "identities": [{"id": "own"}]},
    "POST /v1/subjects/{external_id}/split": {"contact_points": ["own"]},
    "POST /v1/rights-requests/{request_id}/verify": {
        "identity": "own",
        "method": "staff",
        "evidence": {"a": "b"},
    },
    "POST /v1/tasks/{task_id}/done": {"steps": [], "evidence": {"text": "done"}},
    "POST /v1/retention/runs": {"dry_run": True},
}
"""Bodies that the document does not describe by named members, or of which one form must be chosen."""


QUERY: dict[str, str] = {
    "subject": "own", "data_class": "invoices", "since": "1", "position": "0", "size": "5", "from": "1",
    "to": "5",
}  # fmt: skip
"""Values of the parameters that a query must have."""


def _report(value: str) -> bytes:
    return (
        "Feedback-Type: abuse\nUser-Agent: X/1\nVersion: 1\nOriginal-Rcpt-To: " + value + "\n"
        f"Message-ID: <{value}>\nList-Unsubscribe: <https://privacy.example.org/unsubscribe/{value}>\n\n"
    ).encode()


RAW: dict[str, Callable[[str], dict[str, Any]]] = {
    "POST /v1/communications/feedback message/feedback-report": lambda value: {"data": _report(value)},
    "POST /v1/communications/feedback message/rfc822": lambda value: {"data": _report(value)},
    "POST /v1/communications/feedback multipart/report": lambda value: {"data": _report(value)},
    "PUT /v1/policies/{pack}/draft application/yaml": lambda value: {
        "data": RULE.format(own="acme", text=value).encode()
    },
    "POST /v1/imports multipart/form-data": lambda value: {
        "data": {
            "file": (io.BytesIO(f"Id\n{value}\n".encode()), "p.csv"),
            "mapping": (io.BytesIO(MAPPING), "m.yaml"),
        }
    },
    "POST /v1/screenings multipart/form-data": lambda value: {
        "data": {"question": json.dumps(QUESTION), "file": (io.BytesIO(f"id\n{value}\n".encode()), "p.csv")}
    },
}
"""Bodies that are no JSON and no form, with an id in them."""

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Route:
    """One operation of the document."""

    method: str
    path: str
    operation: Mapping[str, Any]
    spec: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """Method and path, as the document has them."""
        return f"{self.method} {self.path}"

    @property
    def public(self) -> bool:
        """Whether anyone may ask."""
        return self.operation.get("security") == []

    def parameters(self, where: str) -> list[str]:
        """Names of the parameters in the path, the query or the header."""
        listed = [*self.operation.get("parameters", []), *self.spec["paths"][self.path].get("parameters", [])]
        named = [each if "$ref" not in each else self.resolve(each) for each in listed]
        return [each["name"] for each in named if each.get("in") == where]

    def query(self) -> dict[str, str]:
        """Values of the parameters without which the query would be refused."""
        listed = self.operation.get("parameters", [])
        needed = [each["name"] for each in listed if each.get("in") == "query" and each.get("required")]
        return {name: QUERY.get(name, "own") for name in needed}

    def kind(self, name: str) -> str | None:
        """Which ids stand in a parameter of the path; None if nobody has declared it."""
        return PATHS.get(f"{self.path} {name}") or PATHS.get(name)

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow references, and take the first form that is not null."""
        while "$ref" in schema:
            found: Any = self.spec
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        forms = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
        return self.resolve(forms[0]) if forms else schema

    def bodies(self) -> Mapping[str, Mapping[str, Any]]:
        """Schemas of the body by media type."""
        content = self.operation.get("requestBody", {}).get("content", {})
        return {media: self.resolve(each.get("schema", {})) for media, each in content.items()}


def routes(spec: Mapping[str, Any]) -> list[Route]:
    """Every operation: those that read before those that change, those that delete after them.

    What suspends a whole tenant comes last, and what resumes it at the very end.
    """
    order = {"GET": 0, "PUT": 1, "POST": 1, "PATCH": 1, "DELETE": 2}
    found = [
        Route(method.upper(), path, operation, spec)
        for path, operations in spec["paths"].items()
        for method, operation in operations.items()
        if method != "parameters"
    ]

    def place(route: Route) -> tuple[int, bool, str, str]:
        late = route.path.startswith("/v1/tenant")
        return 3 if late else order[route.method], route.path.endswith("/resume"), route.path, route.method

    return sorted(found, key=place)


def undeclared(route: Route) -> list[str]:
    """What nobody has said of a route yet: it must be declared above, or ids in it would not be tried."""
    missing = [f"PATHS[{name!r}]" for name in route.parameters("path") if route.kind(name) is None]
    for media, schema in route.bodies().items():
        if f"{route.name} {media}" in RAW or route.name in EXAMPLES:
            continue
        if not schema.get("properties") or schema.get("type") == "string":
            missing.append(f"EXAMPLES[{route.name!r}] or RAW[{route.name + ' ' + media!r}]")
    return missing


def base(route: Route, schema: Mapping[str, Any], *, depth: int = 0) -> Any:
    """The smallest body that the document lets pass."""
    if depth == 0 and route.name in EXAMPLES:
        return json.loads(json.dumps(EXAMPLES[route.name]))
    needed = schema.get("required", ())
    return {name: _value(route, name, schema["properties"][name], depth) for name in needed}


def _value(route: Route, name: str, schema: Mapping[str, Any], depth: int) -> Any:
    schema = route.resolve(schema)
    if schema.get("properties"):
        found = base(route, schema, depth=depth + 1)
        return found or ({"id": "own"} if "id" in schema["properties"] else {})
    allowed = [each for each in schema.get("enum", ()) if each is not None]
    kind = schema.get("type")
    if name in VALUES and (not allowed or VALUES[name] in allowed):
        return VALUES[name]
    if allowed:
        return allowed[0]
    simple = {"boolean": True, "integer": 1, "number": 1, "array": [], "object": {}}
    return simple.get(kind[0] if isinstance(kind, list) else str(kind), "own")


def places(route: Route, schema: Mapping[str, Any], example: Any) -> list[Place]:
    """Every place in a body where a text can stand: those of the document and those of the example."""
    found: dict[Place, None] = dict.fromkeys(_texts(example, ()))
    found.update(dict.fromkeys(_members(route, schema, ())))
    return list(found)


def _texts(value: Any, at: Place) -> Iterator[Place]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _texts(each, (*at, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _texts(each, (*at, number))
    elif isinstance(value, str):
        yield at


def _members(route: Route, schema: Mapping[str, Any], at: Place) -> Iterator[Place]:
    schema = route.resolve(schema)
    if len(at) > 6:
        return
    for name, each in (schema.get("properties") or {}).items():
        inner = route.resolve(each)
        if inner.get("properties"):
            yield from _members(route, inner, (*at, name))
        elif "items" in inner:
            item = route.resolve(inner["items"])
            yield from _members(route, item, (*at, name, 0)) if item.get("properties") else ((*at, name, 0),)
        elif "string" in str(inner.get("type")) and not inner.get("enum") and not inner.get("format"):
            yield (*at, name)


_EITHER = ({"id", "email", "phone"}, {"ref", "type"}, {"ref", "value"})
"""Members of which exactly one is given."""


def put(body: Any, place: Place, value: str) -> Any:
    """The body with an id at a place; what is missing on the way there is made."""
    made = json.loads(json.dumps(body))
    at = made
    for step, following in pairwise(place):
        if isinstance(at, list):
            if not at:
                at.append({} if isinstance(following, str) else [])
            at = at[0]
            continue
        if not isinstance(at.get(step), dict | list):
            at[step] = {} if isinstance(following, str) else []
        at = at[step]
    if isinstance(at, list):
        at[:] = [value]
        return made
    for alternatives in _EITHER:
        if place[-1] in alternatives:
            for each in alternatives - {place[-1]}:
                at.pop(each, None)
    if place[0] == "contact_point" and set(made) <= {"subject", "contact_point", "scope"}:
        made.pop("subject", None)
    at[place[-1]] = value
    return made


@dataclass
class Attempt:
    """One request with ids of the other tenant in it."""

    route: Route
    path: str
    where: str
    sent: tuple[str, ...]
    options: dict[str, Any]


def attempts(route: Route, own: World, other: World, *, whole: bool) -> Iterator[Attempt]:
    """All attempts at a route: ids of the other in the path, in the query, in headers, in the body.

    `whole`: every id of the other at every place; else the one that fits best.
    """
    names = route.parameters("path")
    kinds = {name: route.kind(name) or "" for name in names}
    bodies: list[tuple[str, Any, Mapping[str, Any]]] = [
        (media, base(route, schema), schema)
        for media, schema in route.bodies().items()
        if f"{route.name} {media}" not in RAW
    ]
    first = _options(*bodies[0][:2]) if bodies else {}
    theirs = {name: _swapped(route, other.fit(kinds[name]), own, other) for name in names}
    mine = {name: own.fit(kinds[name]) for name in names}
    yield Attempt(route, _fill(route, theirs), "path", tuple(theirs.values()), dict(first))
    for name in names if whole else ():
        for each in other.every():
            sent = _swapped(route, each, own, other)
            yield Attempt(
                route,
                _fill(route, {**theirs, name: sent}),
                f"path.{name}",
                (*theirs.values(), sent),
                dict(first),
            )
    for name in route.parameters("query"):
        for each in _tried(name, other, whole=whole):
            path = f"{_fill(route, mine).partition('?')[0]}?{urlencode({**route.query(), name: each})}"
            yield Attempt(route, path, f"query.{name}", (each,), dict(first))
    if "Idempotency-Key" in route.parameters("header"):
        for each in _tried("Idempotency-Key", other, whole=whole):
            yield Attempt(
                route,
                _fill(route, mine),
                "header",
                (each,),
                {**first, "headers": {"Idempotency-Key": each[:200]}},
            )
    for media, body, schema in bodies:
        for place in places(route, schema, body):
            last = next((str(step) for step in reversed(place) if isinstance(step, str)), "")
            for each in _tried(last, other, whole=whole):
                yield Attempt(
                    route,
                    _fill(route, mine),
                    f"body.{place}",
                    (each,),
                    _options(media, put(body, place, each)),
                )
    for media in route.bodies():
        made = RAW.get(f"{route.name} {media}")
        for each in _tried("id", other, whole=whole) if made else ():
            assert made is not None
            yield Attempt(route, _fill(route, mine), media, (each,), {**made(each), "content_type": media})


def _tried(name: str, other: World, *, whole: bool) -> list[str]:
    return other.every() if whole else [other.fit(FITS.get(name, "external_id"))]


def _swapped(route: Route, token: str, own: World, other: World) -> str:
    """A link of the other tenant made to look like one of our own; its secret stays."""
    if not route.public:
        return token
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        raw = b""
    if other.ref.encode() in raw:
        forged = raw.replace(other.ref.encode(), own.ref.encode())
        return urlsafe_b64encode(forged).decode().rstrip("=")
    return token.replace(other.ref, own.ref)


def _fill(route: Route, values: Mapping[str, str]) -> str:
    path = route.path
    for name, value in values.items():
        path = path.replace("{" + name + "}", re.sub(r"[/?#%]", "_", value))
    return f"{path}?{urlencode(route.query())}" if route.query() else path


def _options(media: str, body: Any) -> dict[str, Any]:
    if media == "application/json":
        return {"data": json.dumps(body), "content_type": media}
    if media == "application/x-ndjson":
        return {"data": json.dumps(body) + "\n", "content_type": media}
    return {"data": {name: str(each) for name, each in body.items()}, "content_type": media}


def make(attempt: Attempt, own: World) -> TestResponse:
    """Make an attempt with our own credential."""
    headers = dict(attempt.options.pop("headers", {}))
    if attempt.route.path.startswith("/oauth/"):
        headers |= basic(own.caller.made)
    elif not attempt.route.public:
        headers["Authorization"] = f"Bearer {own.caller.token}"
    if attempt.route.method == "PUT":
        headers.setdefault("If-Match", '"1"')
    client = own.caller.client
    return client.open(attempt.path, method=attempt.route.method, headers=headers, **attempt.options)


def told(answer: TestResponse, sent: Set[str], other: World) -> list[str]:
    """What an answer holds of the other tenant, apart from what we have ourselves said in this campaign."""
    content = answer.data + str(answer.headers).encode()
    return [
        each
        for each in other.canaries
        if each not in sent and (each.encode() in content or b64encode(each.encode()) in content)
    ]
