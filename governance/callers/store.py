"""Tables of the components and their tokens.

They stand outside row-level security: a component is found by its id before its tenant is known, and the rows
hold ids and digests only.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.callers.model import Component, Standing
from governance.database import Instant, Json, Prepared, metadata

component = sa.Table(
    "component",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("secret_sha256", sa.Text),
    sa.Column("jwks", Json),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("redirect_uris", Json),
    sa.UniqueConstraint("client_id", name="uq_component_client_id"),
)

revoked_token = sa.Table(
    "revoked_token",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("jti", sa.Text, primary_key=True),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
)

used_assertion = sa.Table(
    "used_assertion",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("jti_sha256", sa.Text, primary_key=True),
    sa.Column("expires_at", Instant, nullable=False),
)

_STANDING = Prepared(
    sa.select(
        component.c.state,
        sa.exists()
        .where(revoked_token.c.tenant_id == component.c.tenant_id, revoked_token.c.jti == sa.bindparam("jti"))
        .label("revoked"),
        component.c.redirect_uris.is_not(None).label("of_people"),
    ).where(
        component.c.tenant_id == sa.bindparam("tenant_id"),
        component.c.client_id == sa.bindparam("client_id"),
    )
)


def add(connection: Connection, new: Component, event_id: str) -> None:
    """Insert a component."""
    connection.execute(
        sa.insert(component).values(
            tenant_id=new.tenant_id,
            client_id=new.client_id,
            name=new.name,
            scopes=list(new.scopes),
            secret_sha256=new.secret_sha256,
            jwks=None if new.jwks is None else dict(new.jwks),
            state=new.state,
            created_at=new.created_at,
            event_id=event_id,
            redirect_uris=list(new.redirect_uris) or None,
        )
    )


def find_by_client_id(connection: Connection, client_id: str) -> Component | None:
    """The component of this id, whatever its tenant: who asks is known before for whom."""
    row = connection.execute(sa.select(component).where(component.c.client_id == client_id)).one_or_none()
    return None if row is None else _component(row)


def every(connection: Connection, tenant_id: str) -> list[Component]:
    """All components of a tenant, oldest first."""
    rows = connection.execute(
        sa.select(component).where(component.c.tenant_id == tenant_id).order_by(component.c.client_id)
    )
    return [_component(row) for row in rows]


def set_state(connection: Connection, tenant_id: str, client_id: str, state: str, event_id: str) -> bool:
    """Change a component's state; whether there was such a component."""
    changed = connection.execute(
        sa.update(component)
        .where(component.c.tenant_id == tenant_id, component.c.client_id == client_id)
        .values(state=state, event_id=event_id)
    )
    return changed.rowcount == 1


def standing(connection: Connection, tenant_id: str, client_id: str, jti: str) -> Standing:
    """What is recorded about a component and one of its tokens, in one statement."""
    rows = _STANDING.rows(connection, tenant_id=tenant_id, client_id=client_id, jti=jti)
    if not rows:
        return Standing(component_active=False, token_revoked=False)
    ((state, revoked, of_people),) = rows
    return Standing(state == "active", token_revoked=bool(revoked), of_people=bool(of_people))


def is_revoked(connection: Connection, tenant_id: str, jti: str) -> bool:
    """Whether a token was taken back."""
    found = connection.execute(
        sa.select(revoked_token.c.jti).where(
            revoked_token.c.tenant_id == tenant_id, revoked_token.c.jti == jti
        )
    )
    return found.first() is not None


def add_revoked(
    connection: Connection, tenant_id: str, jti: str, client_id: str, expires_at: datetime, event_id: str
) -> None:
    """Insert a token into the deny list."""
    connection.execute(
        sa.insert(revoked_token).values(
            tenant_id=tenant_id, jti=jti, client_id=client_id, expires_at=expires_at, event_id=event_id
        )
    )


def is_used(connection: Connection, tenant_id: str, client_id: str, jti_sha256: str) -> bool:
    """Whether this client assertion was seen before."""
    found = connection.execute(
        sa.select(used_assertion.c.client_id).where(
            used_assertion.c.tenant_id == tenant_id,
            used_assertion.c.client_id == client_id,
            used_assertion.c.jti_sha256 == jti_sha256,
        )
    )
    return found.first() is not None


def add_used(
    connection: Connection, tenant_id: str, client_id: str, jti_sha256: str, expires_at: datetime
) -> None:
    """Remember a client assertion until it expires; a second insert breaks the key."""
    connection.execute(
        sa.insert(used_assertion).values(
            tenant_id=tenant_id, client_id=client_id, jti_sha256=jti_sha256, expires_at=expires_at
        )
    )


def sweep(connection: Connection, tenant_id: str, before: datetime) -> int:
    """Forget revoked tokens and used assertions that have expired anyway; how many."""
    gone = 0
    for table in (revoked_token, used_assertion):
        done = connection.execute(
            sa.delete(table).where(table.c.tenant_id == tenant_id, table.c.expires_at < before)
        )
        gone += done.rowcount
    return gone


def _component(row: sa.Row) -> Component:  # type: ignore[type-arg]  # rows of a Core table are untyped
    return Component(
        row.tenant_id,
        row.client_id,
        row.name,
        tuple(row.scopes),
        row.secret_sha256,
        row.jwks,
        row.state,
        row.created_at,
        tuple(row.redirect_uris or ()),
    )
