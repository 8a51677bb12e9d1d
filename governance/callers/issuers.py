"""Use cases of outside issuers: trust one, change it, find whose a token is."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import rfc8785
from sqlalchemy.engine import Connection

from governance.callers import issuer_store as store
from governance.callers.issuer_model import Issuer, is_among, read_body
from governance.callers.model import SCOPES, check_maker
from governance.egress.addresses import read_target
from governance.errors import ConflictError, InvalidError, NotFoundError, StaleError
from governance.settings import Settings
from governance.work import Snapshot, Work


def put(
    work: Work,
    issuer_id: str,
    body: Mapping[str, Any],
    version: int | None,
    *,
    role_scopes: Iterable[str] = (),
    maker_scopes: Iterable[str] | None,
) -> Issuer:
    """Trust an issuer, or change what is trusted; `version` is the one that the change builds on, None for a
    new.

    `role_scopes`: what the roles that it names open. Raises InvalidError for members that cannot be used and
    for scopes that the maker lacks, StaleError for a version that is not the newest, ConflictError
    `issuer-taken` if its tokens already mean something here.
    """
    new = read_body(work.tenant_id, issuer_id, 1 if version is None else version + 1, body)
    check_maker(sorted((new.given & set(SCOPES)).union(role_scopes)), maker_scopes)
    settings = work.resource(Settings)
    check_url(new.issuer, settings, work.tenant_id)
    present = store.find(work.connection, work.tenant_id, issuer_id)
    if (None if present is None else present.version) != version:
        raise StaleError("Nothing was changed: someone else has written it; read it again.")
    for other in store.by_url(work.connection, new.issuer):
        same = (other.tenant_id, other.issuer_id) == (work.tenant_id, issuer_id)
        if not same and other.audience == new.audience:
            raise ConflictError(
                "Tokens of this issuer for this audience are taken already; let it issue them for another.",
                reason="issuer-taken",
            )
    told = {"issuer": new.issuer, "audience": new.audience, **new.config()}
    event = work.record(
        "access.issuer_put",
        facts={
            "issuer": issuer_id,
            "version": new.version,
            "enabled": new.enabled,
            "given": sorted(new.given),
            "digest": hashlib.sha256(rfc8785.dumps(told)).hexdigest(),  # type: ignore[arg-type]  # plain JSON
        },
    )
    if not store.write(work.connection, new, at=work.now, event_id=event.id):
        raise StaleError("Nothing was changed: someone else has just written it; read it again.")
    return new


def check_url(url: str, settings: Settings, tenant_id: str) -> None:
    """Refuse an issuer that cannot be one (OpenID Connect Discovery 1.0 §3): InvalidError."""
    wrong = None
    if url in (settings.issuer, settings.public_url):
        wrong = "This service itself is no outside issuer."
    elif "?" in url:
        wrong = "An issuer's URL has no query."
    else:
        try:
            read_target(url, settings.places_of(tenant_id), inside=True)
        except InvalidError as problem:
            wrong = " ".join(each for sentences in problem.fields.values() for each in sentences)
    if wrong is not None:
        raise InvalidError("This issuer cannot be kept as it is.", fields={"issuer": [wrong]})


def find(snapshot: Snapshot, issuer_id: str) -> Issuer | None:
    """A tenant's issuer by its id."""
    return store.find(snapshot.connection, snapshot.tenant_id, issuer_id)


def get(snapshot: Snapshot, issuer_id: str) -> Issuer:
    """A tenant's issuer by its id; NotFoundError if there is none."""
    found = find(snapshot, issuer_id)
    if found is None:
        raise NotFoundError("There is no issuer of this id.")
    return found


def every(snapshot: Snapshot) -> list[Issuer]:
    """All issuers of the tenant."""
    return store.every(snapshot.connection, snapshot.tenant_id)


def of_token(connection: Connection, issuer: object, audience: object) -> Issuer | None:
    """The enabled issuer that a token claims to be of, by its `iss` and `aud`: nothing is proved yet.

    None if there is no such issuer, or if the audience names several: a token is for one tenant.
    """
    if not isinstance(issuer, str):
        return None
    found = [each for each in store.by_url(connection, issuer) if is_among(each.audience, audience)]
    return found[0] if len(found) == 1 and found[0].enabled else None


def still(snapshot: Snapshot, issuer_id: str, version: int) -> bool:
    """Whether an issuer is trusted, as of this snapshot, just as it was when its token was read."""
    found = find(snapshot, issuer_id)
    return found is not None and found.enabled and found.version == version
