"""Table of sessions: an account that signed in at a client, and the code that was given for it."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.callers.user_model import ACTIVE, Session
from governance.callers.user_store import user_account
from governance.database import Instant, Json, metadata

user_session = sa.Table(
    "user_session",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("session_id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("redirect_uri", sa.Text, nullable=False),
    sa.Column("code_sha256", sa.Text, nullable=False),
    sa.Column("code_challenge", sa.Text, nullable=False),
    sa.Column("code_until", Instant, nullable=False),
    sa.Column("code_used", sa.Boolean, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("ended", sa.Boolean, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("user_session_code", "tenant_id", "code_sha256", unique=True),
)


def add(connection: Connection, new: Session, generation: int, code_sha256: str, event_id: str) -> None:
    """Insert a session with its code."""
    connection.execute(
        sa.insert(user_session).values(
            tenant_id=new.tenant_id,
            session_id=new.session_id,
            user_id=new.user_id,
            client_id=new.client_id,
            generation=generation,
            scopes=list(new.scopes),
            redirect_uri=new.redirect_uri,
            code_sha256=code_sha256,
            code_challenge=new.code_challenge,
            code_until=new.code_until,
            code_used=False,
            expires_at=new.expires_at,
            ended=False,
            event_id=event_id,
        )
    )


def find(
    connection: Connection, tenant_id: str, *, session_id: str | None = None, code_sha256: str | None = None
) -> tuple[Session, tuple[str, ...] | None] | None:
    """A session by its id or by its code, with what its account opens; `good` says whether it still
    stands."""
    which = (
        user_session.c.session_id == session_id
        if session_id is not None
        else user_session.c.code_sha256 == code_sha256
    )
    query = (
        sa.select(
            user_session, user_account.c.staff_id, user_account.c.state, user_account.c.scopes.label("opens"),
            user_account.c.generation.label("newest"),
        )
        .join(
            user_account,
            sa.and_(
                user_account.c.tenant_id == user_session.c.tenant_id,
                user_account.c.user_id == user_session.c.user_id,
            ),
        )
        .where(user_session.c.tenant_id == tenant_id, which)
    )  # fmt: skip
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    found = Session(
        row.tenant_id,
        row.session_id,
        row.user_id,
        row.staff_id,
        row.client_id,
        tuple(row.scopes),
        row.redirect_uri,
        row.code_challenge,
        row.code_used,
        row.code_until,
        row.expires_at,
        not row.ended and row.state == ACTIVE and row.generation == row.newest,
    )
    return found, None if row.opens is None else tuple(row.opens)


def use_code(connection: Connection, tenant_id: str, session_id: str) -> bool:
    """Use a session's code up; False if it was used."""
    where = (user_session.c.tenant_id == tenant_id, user_session.c.session_id == session_id)
    changed = connection.execute(
        sa.update(user_session).where(*where, sa.not_(user_session.c.code_used)).values(code_used=True)
    )
    return changed.rowcount == 1


def end(connection: Connection, tenant_id: str, session_id: str, event_id: str) -> None:
    """End a session."""
    where = (user_session.c.tenant_id == tenant_id, user_session.c.session_id == session_id)
    connection.execute(sa.update(user_session).where(*where).values(ended=True, event_id=event_id))


def sweep(connection: Connection, tenant_id: str, before: datetime) -> int:
    """Forget sessions that are over; how many."""
    over = (user_session.c.tenant_id == tenant_id, user_session.c.expires_at < before)
    return connection.execute(sa.delete(user_session).where(*over)).rowcount
