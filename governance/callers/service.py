"""Use cases of the components: make one, know one again, take a token back."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from governance.callers import session_store, store, user_store
from governance.callers.model import (
    Component,
    NewComponent,
    Standing,
    check_jwks,
    check_maker,
    check_name,
    check_scopes,
    is_client_id,
    is_secret_of,
    secret_digest,
)
from governance.callers.user_model import check_redirect_uris
from governance.errors import ConflictError, NotFoundError
from governance.work import Snapshot, Work


def create_client(
    work: Work,
    *,
    name: str,
    scopes: Iterable[str],
    jwks: Mapping[str, object] | None = None,
    redirect_uris: Sequence[str] = (),
    maker_scopes: Iterable[str] | None = None,
) -> NewComponent:
    """Make a component with a secret of 256 bits, or with its own public keys if `jwks` is given.

    With `redirect_uris` people sign in through it: it has no secret, since none could be kept in a browser,
    and proves itself by PKCE (RFC 7636). Raises InvalidError for unknown scopes, and for scopes beyond
    `maker_scopes` (None: the command line).
    """
    chosen = check_scopes(scopes)
    check_maker(chosen, maker_scopes)
    secret = None if jwks is not None or redirect_uris else work.new_secret()
    new = Component(
        work.tenant_id,
        work.new_id("client"),
        check_name(name),
        chosen,
        None if secret is None else secret_digest(secret),
        check_jwks(jwks),
        "active",
        work.now,
        check_redirect_uris(redirect_uris),
    )
    event = work.record(
        "access.component_created", facts={"client_id": new.client_id, "scopes": list(chosen)}
    )
    store.add(work.connection, new, event.id)
    return NewComponent(new, secret)


def find(connection: Connection, client_id: str) -> Component | None:
    """The component of this id, if there is one. The tenant is not known yet: it is in the answer."""
    return store.find_by_client_id(connection, client_id) if is_client_id(client_id) else None


def authenticate(connection: Connection, client_id: str, secret: str) -> Component | None:
    """The active component that this secret belongs to, else None; unknown and wrong look the same."""
    found = find(connection, client_id)
    if found is None or not found.active or not is_secret_of(found, secret):
        return None
    return found


def every(snapshot: Snapshot) -> list[Component]:
    """All components of the tenant."""
    return store.every(snapshot.connection, snapshot.tenant_id)


def standing(snapshot: Snapshot, client_id: str, jti: str) -> Standing:
    """Whether a component is active and its token not taken back, as of this snapshot."""
    return store.standing(snapshot.connection, snapshot.tenant_id, client_id, jti)


def let_go(work: Work, client_id: str) -> None:
    """End a component: its tokens stop at the next request. Raises NotFoundError."""
    event = work.record("access.component_left", facts={"client_id": client_id})
    if not store.set_state(work.connection, work.tenant_id, client_id, "left", event.id):
        raise NotFoundError("There is no such component.")


def note_token(
    work: Work,
    *,
    client_id: str,
    jti: str,
    scopes: Iterable[str],
    assertion: tuple[str, datetime] | None = None,
) -> None:
    """Record that a token was issued.

    `assertion`: the `jti` and the expiry of the client assertion that it was issued on, if it was; a repeated
    one raises ConflictError `assertion-used`, since each proves a component once.
    """
    if assertion is not None:
        jti_sha256 = hashlib.sha256(assertion[0].encode()).hexdigest()
        seen = store.is_used(work.connection, work.tenant_id, client_id, jti_sha256)
        try:
            if not seen:
                store.add_used(work.connection, work.tenant_id, client_id, jti_sha256, assertion[1])
        except IntegrityError:
            seen = True
        if seen:
            raise ConflictError("This client assertion was used before.", reason="assertion-used")
    work.record(
        "access.token_issued", facts={"client_id": client_id, "jti": jti, "scopes": sorted(set(scopes))}
    )


def sweep(work: Work) -> int:
    """Forget revoked tokens, used assertions and sessions that have expired anyway; how many. For the clock's
    door."""
    with work.bookkeeping():
        gone = store.sweep(work.connection, work.tenant_id, work.now)
        day_before = work.now - timedelta(days=1)
        gone += session_store.sweep(work.connection, work.tenant_id, day_before)
        return gone + user_store.sweep(work.connection, work.tenant_id, day_before)


def revoke_token(work: Work, *, client_id: str, jti: str, expires_at: datetime) -> None:
    """Put a token on the deny list until it expires; a repeat changes nothing."""
    if store.is_revoked(work.connection, work.tenant_id, jti):
        return
    event = work.record("access.token_revoked", facts={"client_id": client_id, "jti": jti})
    store.add_revoked(work.connection, work.tenant_id, jti, client_id, expires_at, event.id)
