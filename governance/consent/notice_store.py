"""Statements about notices and about sign-ups that wait for their confirmation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.consent.tables import consent_confirmation, consent_event, notice


@dataclass(frozen=True, slots=True)
class Notice:
    """The text of one notice in one version and language. `sha256` is of its UTF-8 bytes, hexadecimal."""

    notice_id: str
    version: str
    language: str
    text: str
    sha256: str
    recorded_at: datetime
    event_id: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sign-up that waits, or waited, for its confirmation."""

    token_sha256: str
    subject_ref: str
    consent_id: str
    expires_at: datetime
    grant_expires_at: datetime | None
    used_at: datetime | None


_NOTICE = [notice.c[name] for name in Notice.__slots__]
_WAITING = [consent_confirmation.c[name] for name in Waiting.__slots__]


def notices(
    connection: Connection, tenant_id: str, notice_id: str, version: str | None = None
) -> list[Notice]:
    """The texts of a notice, of one version or all, by version and language."""
    statement = sa.select(*_NOTICE).where(notice.c.tenant_id == tenant_id, notice.c.notice_id == notice_id)
    if version is not None:
        statement = statement.where(notice.c.version == version)
    statement = statement.order_by(notice.c.version, notice.c.language)
    return [Notice(*row) for row in connection.execute(statement)]


def add_notices(connection: Connection, tenant_id: str, texts: Sequence[Notice]) -> None:
    """Insert the texts of a version."""
    rows = [
        {"tenant_id": tenant_id, **{name: getattr(text, name) for name in Notice.__slots__}} for text in texts
    ]
    connection.execute(sa.insert(notice), rows)


def remove_notice(connection: Connection, tenant_id: str, notice_id: str, version: str) -> None:
    """Delete a version that nobody was shown."""
    connection.execute(
        sa.delete(notice).where(
            notice.c.tenant_id == tenant_id, notice.c.notice_id == notice_id, notice.c.version == version
        )
    )


def is_notice_used(connection: Connection, tenant_id: str, notice_id: str, version: str) -> bool:
    """Whether any consent refers to this version. Reads the events once; only asked when a text changes."""
    statement = (
        sa.select(consent_event.c.seq)
        .where(
            consent_event.c.tenant_id == tenant_id,
            consent_event.c.notice_id == notice_id,
            consent_event.c.notice_version == version,
        )
        .limit(1)
    )
    return connection.execute(statement).first() is not None


def add_waiting(connection: Connection, tenant_id: str, waiting: Waiting) -> None:
    """Insert a sign-up that waits."""
    values = {name: getattr(waiting, name) for name in Waiting.__slots__}
    connection.execute(sa.insert(consent_confirmation).values(tenant_id=tenant_id, **values))


def find_waiting(connection: Connection, tenant_id: str, token_sha256: str) -> Waiting | None:
    """The sign-up of this token's hash."""
    row = connection.execute(
        sa.select(*_WAITING).where(
            consent_confirmation.c.tenant_id == tenant_id,
            consent_confirmation.c.token_sha256 == token_sha256,
        )
    ).one_or_none()
    return None if row is None else Waiting(*row)


def mark_used(connection: Connection, tenant_id: str, token_sha256: str, at: datetime) -> None:
    """Remember that a sign-up was confirmed."""
    connection.execute(
        sa.update(consent_confirmation)
        .where(
            consent_confirmation.c.tenant_id == tenant_id,
            consent_confirmation.c.token_sha256 == token_sha256,
        )
        .values(used_at=at)
    )


def hand_over_waiting(connection: Connection, tenant_id: str, from_ref: str, into_ref: str) -> None:
    """Let a merged person's waiting sign-ups be those of the person it is merged into."""
    connection.execute(
        sa.update(consent_confirmation)
        .where(consent_confirmation.c.tenant_id == tenant_id, consent_confirmation.c.subject_ref == from_ref)
        .values(subject_ref=into_ref)
    )
