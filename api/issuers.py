"""Outside issuers: whose tokens are taken besides ours, and which scopes their roles open."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.configuration import etag, if_match
from api.rooms import Room
from api.runtime import reply, request_snapshot, request_work, this_caller
from api.shapes import Answer, Listing
from governance.access import service as access
from governance.access.model import held
from governance.callers import issuers
from governance.callers.issuer_model import ALGORITHMS, ROLE, TOKEN_TYPES, Issuer
from governance.errors import InvalidError
from governance.work import Work

room = Room("issuers", description="Outside OpenID Connect issuers whose access tokens are taken.")


class IssuerBody(ma.Schema):
    """An issuer; the domain checks its members and names every one that cannot be used."""

    class Meta:
        """The domain refuses what it does not know."""

        unknown = ma.INCLUDE


class IssuerReply(Answer):
    """An issuer as it is trusted. `grants`: which scopes each value of the role claim opens."""

    id = ma.fields.String(required=True)
    version = ma.fields.Integer(required=True)
    issuer = ma.fields.String(required=True)
    audience = ma.fields.String(required=True)
    algorithms = ma.fields.List(ma.fields.String(validate=ma.validate.OneOf(ALGORITHMS)), required=True)
    token_type = ma.fields.String(required=True, validate=ma.validate.OneOf(TOKEN_TYPES))
    staff_claim = ma.fields.String(required=True)
    role_claim = ma.fields.String(required=True)
    grants = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.List(ma.fields.String()), required=True)
    enabled = ma.fields.Boolean(required=True)


@room.get("/v1/issuers", scope="access:read")
@room.answers(200, Listing)
def list_issuers() -> Response:
    """List the outside issuers that are known, enabled or not."""
    with request_snapshot() as snapshot:
        items = [_issuer(each) for each in issuers.every(snapshot)]
    return reply({"items": items, "next": None})


@room.get("/v1/issuers/<issuer_id>", scope="access:read")
@room.answers(200, IssuerReply)
def get_issuer(issuer_id: str) -> Response:
    """Give an outside issuer."""
    with request_snapshot() as snapshot:
        found = issuers.get(snapshot, issuer_id)
    return reply(_issuer(found), headers=etag(found.version))


@room.put("/v1/issuers/<issuer_id>", scope="admin", configuration=True)
@room.body(IssuerBody)
@room.also(201, IssuerReply, description="Trusted.")
@room.answers(200, IssuerReply)
def put_issuer(body: Mapping[str, Any], issuer_id: str) -> Response:
    """Trust an outside issuer, or change what it opens; it takes effect at the next request everywhere.

    It cannot open scopes that the caller lacks. `"enabled": false` ends it.
    """
    with request_work() as work:
        exists = issuers.find(work, issuer_id) is not None
        put = issuers.put(
            work,
            issuer_id,
            body,
            if_match(exists=exists),
            role_scopes=_role_scopes(work, body),
            maker_scopes=this_caller().scopes,
        )
    return reply(_issuer(put), 200 if exists else 201, etag(put.version))


def _role_scopes(work: Work, body: Mapping[str, Any]) -> set[str]:
    """The scopes of the roles that are granted; InvalidError for a role that is not."""
    grants = body.get("grants")
    lists = [each for each in grants.values() if isinstance(each, list)] if isinstance(grants, dict) else []
    texts = {each for some in lists for each in some if isinstance(each, str)}
    named = {each.removeprefix(ROLE) for each in texts if each.startswith(ROLE)}
    roles = access.roles_of(work) if named else {}
    unknown = sorted(named - set(roles))
    if unknown:
        raise InvalidError(
            "An issuer can grant only roles that exist.",
            fields={"grants": [f"There is no such role; choose from {', '.join(sorted(roles))}."]},
        )
    return {scope for each in held(sorted(named), roles) for scope in roles[each].scopes}


def _issuer(each: Issuer) -> dict[str, object]:
    return {
        "id": each.issuer_id,
        "version": each.version,
        "issuer": each.issuer,
        "audience": each.audience,
        **each.config(),
        "enabled": each.enabled,
    }
