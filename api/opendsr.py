"""OpenDSR 2.0 as a processor: other controllers send requests about people, and are told how these stand.

Errors are 400 (7.5) in both forms at once: problem details, with the specification's `error` as a member.
"""

import base64
from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response, request

from api import strict_json
from api.problems import problem
from api.rooms import PUBLIC, Room, json_body
from api.runtime import request_snapshot, request_work, this_caller, this_runtime
from api.shapes import Answer, AnyObject
from governance.clock import wire
from governance.errors import ConflictError, InvalidError, NotFoundError, NotReadyError
from governance.opendsr import model
from governance.opendsr import service as opendsr
from governance.opendsr.signing import Signer, signer

room = Room("opendsr", description="OpenDSR 2.0: requests about people from controllers that we process for.")

_TEXT = ma.validate.Length(min=1, max=1000)


class _Loose(ma.Schema):
    """Members that this version of the specification does not know are left alone."""

    class Meta:
        """How it is read."""

        unknown = ma.EXCLUDE


class Identity(_Loose):
    """One way of naming the person (5.3)."""

    identity_type = ma.fields.String(required=True, validate=ma.validate.OneOf(model.IDENTITY_TYPES))
    identity_value = ma.fields.String(required=True, validate=_TEXT)
    identity_format = ma.fields.String(required=True, validate=ma.validate.OneOf(model.FORMATS))


class Request(_Loose):
    """A request (7.1.1). `extensions` are read by nobody here; what is null counts as left out."""

    regulation = ma.fields.String(allow_none=True, validate=ma.validate.OneOf(("gdpr", "ccpa")))
    subject_request_id = ma.fields.String(required=True)
    subject_request_type = ma.fields.String(required=True, validate=ma.validate.OneOf(model.TYPES))
    subject_identities = ma.fields.List(
        ma.fields.Nested(Identity),
        required=True,
        validate=ma.validate.Length(min=1, max=model.MOST_IDENTITIES),
    )
    submitted_time = ma.fields.AwareDateTime(required=True)
    api_version = ma.fields.String(
        allow_none=True,
        validate=ma.validate.OneOf(
            model.ALSO_KNOWN_AS, error=f"This version is not supported; supported is: {model.VERSION}."
        ),
    )
    status_callback_urls = ma.fields.List(
        ma.fields.String(validate=_TEXT),
        allow_none=True,
        validate=ma.validate.Length(max=model.MOST_CALLBACKS),
    )
    extensions = ma.fields.Dict(allow_none=True)


class Status(Answer):
    """How a request stands (8.3)."""

    controller_id = ma.fields.String(required=True)
    expected_completion_time = ma.fields.AwareDateTime(required=True)
    subject_request_id = ma.fields.String(required=True)
    request_status = ma.fields.String()
    api_version = ma.fields.String()
    results_url = ma.fields.String()
    results_count = ma.fields.Integer()


_REQUEST = Request()


@room.get("/opendsr/v2/discovery", scope=PUBLIC)
@room.answers(200, AnyObject)
@room.refuses(404)
def discovery() -> Response:
    """Say what is supported, and where the certificate is (6.3); 404 where this is no processor."""
    signs = _signer()
    if isinstance(signs, Response):
        return signs
    identities = [{"identity_type": kind, "identity_format": form} for kind, form in model.IDENTITIES]
    body = strict_json.write(
        {
            "api_version": model.VERSION,
            "supported_identities": identities,
            "supported_subject_request_types": list(model.TYPES),
            "processor_certificate": f"{this_runtime().settings.public_url}/opendsr/v2/certificate.pem",
        }
    )
    return Response(body, 200, signs.headers(body), content_type="application/json")


@room.get("/opendsr/v2/certificate.pem", scope=PUBLIC)
@room.answers(200, {"type": "string"}, content_type="application/x-pem-file")
@room.refuses(404)
def certificate() -> Response:
    """Give the certificate that answers and callbacks are signed with, and its chain."""
    signs = _signer()
    if isinstance(signs, Response):
        return signs
    return Response(signs.certificate, 200, content_type="application/x-pem-file")


@room.post("/opendsr/v2/requests", scope="rights:write", effect=False)
@room.describe(requestBody={"required": True, "content": {"application/json": {"schema": Request}}})
@room.answers(201, AnyObject)
def submit() -> Response:
    """Take a request in (7); the same one again is answered alike, another one under its id 400."""
    signs = _signer()
    if isinstance(signs, Response):
        return signs
    body = request.get_data(cache=True)
    client_id = this_caller().client_id
    try:
        asked = _read(json_body(request))
        with request_work() as work:
            taken = opendsr.take(work, client_id, asked, body).request
    except InvalidError as error:
        return _wrong(error.message, error.fields)
    answer = {
        "controller_id": client_id,
        "expected_completion_time": wire(taken.expected_at),
        "received_time": wire(taken.received_at),
        "encoded_request": base64.b64encode(body).decode(),
        "subject_request_id": taken.subject_request_id,
        "api_version": model.VERSION,
    }
    return _signed(signs, answer, 201)


@room.get("/opendsr/v2/requests/<subject_request_id>", scope="rights:read", or_scope="rights:write")
@room.answers(200, Status)
def show(subject_request_id: str) -> Response:
    """Say how a request stands (8); only to the controller that sent it."""
    return _status(subject_request_id)


@room.get("/opendsr/v2/status/<subject_request_id>", scope="rights:read", or_scope="rights:write")
@room.answers(200, Status)
def status(subject_request_id: str) -> Response:
    """Say the same under the name that 3.1 gives it."""
    return _status(subject_request_id)


@room.delete("/opendsr/v2/requests/<subject_request_id>", scope="rights:write")
@room.answers(202, AnyObject)
def cancel(subject_request_id: str) -> Response:
    """Take a request back while nothing was done that cannot be undone (9); afterwards 400."""
    signs = _signer()
    if isinstance(signs, Response):
        return signs
    try:
        with request_work() as work:
            found = opendsr.cancel(work, this_caller().client_id, subject_request_id)
            now = work.now
    except ConflictError as error:
        return _wrong(error.message, {})
    answer = {
        "controller_id": found.client_id,
        "subject_request_id": found.subject_request_id,
        "received_time": wire(now),
        "api_version": model.VERSION,
    }
    return _signed(signs, answer, 202)


def _status(subject_request_id: str) -> Response:
    signs = _signer()
    if isinstance(signs, Response):
        return signs
    with request_snapshot() as snapshot:
        found = opendsr.get(snapshot, this_caller().client_id, subject_request_id)
        return _signed(signs, opendsr.document(snapshot, found), 200)


def _signer() -> Signer | Response:
    """What signs our answers; 404 where no certificate was set up, 503 where it cannot be used."""
    try:
        found = signer(this_runtime().settings)
    except NotReadyError as error:
        return problem(503, "Service Unavailable", error.message)
    if found is None:
        raise NotFoundError("This service was not set up as an OpenDSR processor.")
    return found


def _read(document: object) -> model.NewRequest:
    try:
        said = _REQUEST.load(document)  # type: ignore[arg-type]  # whatever it is, marshmallow says so
    except ma.ValidationError as error:
        messages = error.messages
        raise InvalidError("The request cannot be used; see `errors`.", fields=_flat(messages)) from None
    people, unusable = model.references(said["subject_identities"])
    return model.NewRequest(
        subject_request_id=model.check_id(said["subject_request_id"]),
        type=said["subject_request_type"],
        regulation=said.get("regulation"),
        submitted_at=said["submitted_time"],
        identities=people,
        unusable=unusable,
        callbacks=list(dict.fromkeys(said.get("status_callback_urls") or [])),
    )


def _flat(messages: Any, path: str = "") -> dict[str, list[str]]:
    if not isinstance(messages, Mapping):
        return {path: [str(each) for each in messages]}
    found: dict[str, list[str]] = {}
    for name, inner in messages.items():
        found |= _flat(inner, f"{path}.{name}" if path else str(name))
    return found


def _wrong(message: str, fields: Mapping[str, Any]) -> Response:
    details = [
        {"domain": "Validation", "reason": path, "message": " ".join(complaints)}
        for path, complaints in fields.items()
    ]
    told = {"code": 400, "message": message, "errors": details}
    return problem(400, "Bad Request", message, code="invalid", errors=dict(fields) or None, error=told)


def _signed(signs: Signer, document: Mapping[str, object], status: int) -> Response:
    body = strict_json.write(document)
    return Response(body, status, signs.headers(body), content_type="application/json")
