"""The table of outside issuers.

It stands outside row-level security, as that of the components: a token's issuer is looked up before its
tenant is known. The rows hold no personal data.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.callers.issuer_model import Issuer
from governance.database import Instant, Json, metadata

token_issuer = sa.Table(
    "token_issuer",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("issuer_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("audience", sa.Text, nullable=False),
    sa.Column("config", Json, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.UniqueConstraint("issuer", "audience", name="uq_token_issuer"),
)


def find(connection: Connection, tenant_id: str, issuer_id: str) -> Issuer | None:
    """A tenant's issuer by its id."""
    row = connection.execute(
        sa.select(token_issuer).where(
            token_issuer.c.tenant_id == tenant_id, token_issuer.c.issuer_id == issuer_id
        )
    ).one_or_none()
    return None if row is None else _issuer(row)


def every(connection: Connection, tenant_id: str) -> list[Issuer]:
    """All issuers of a tenant, by id."""
    rows = connection.execute(
        sa.select(token_issuer)
        .where(token_issuer.c.tenant_id == tenant_id)
        .order_by(token_issuer.c.issuer_id)
    )
    return [_issuer(row) for row in rows]


def by_url(connection: Connection, issuer: str) -> list[Issuer]:
    """The issuers of this URL, whatever their tenants."""
    rows = connection.execute(sa.select(token_issuer).where(token_issuer.c.issuer == issuer))
    return [_issuer(row) for row in rows]


def write(connection: Connection, new: Issuer, *, at: datetime, event_id: str) -> bool:
    """Insert the first version or replace the one before; False if somebody else was faster."""
    values: dict[str, Any] = {
        "version": new.version,
        "issuer": new.issuer,
        "audience": new.audience,
        "config": new.config(),
        "enabled": new.enabled,
        "updated_at": at,
        "event_id": event_id,
    }
    if new.version == 1:
        keys = {"tenant_id": new.tenant_id, "issuer_id": new.issuer_id}
        connection.execute(sa.insert(token_issuer).values(**keys, **values))
        return True
    changed = connection.execute(
        sa.update(token_issuer)
        .where(
            token_issuer.c.tenant_id == new.tenant_id,
            token_issuer.c.issuer_id == new.issuer_id,
            token_issuer.c.version == new.version - 1,
        )
        .values(**values)
    )
    return changed.rowcount == 1


def _issuer(row: sa.Row[Any]) -> Issuer:
    config = row.config
    return Issuer(
        row.tenant_id,
        row.issuer_id,
        row.version,
        row.issuer,
        row.audience,
        tuple(config["algorithms"]),
        config["token_type"],
        config["staff_claim"],
        config["role_claim"],
        {value: tuple(scopes) for value, scopes in config["grants"].items()},
        row.enabled,
    )
