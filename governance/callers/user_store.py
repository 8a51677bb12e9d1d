"""Tables of accounts and of tries to sign in."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from governance.callers.user_model import ACTIVE, UserAccount
from governance.database import Instant, Json, is_sqlite, metadata

user_account = sa.Table(
    "user_account",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("staff_id", sa.Text, nullable=False),
    sa.Column("login_index", sa.Text, nullable=False),
    sa.Column("scopes", Json),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("totp_step", sa.Integer, nullable=False),
    sa.Column("secrets_sealed", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.UniqueConstraint("tenant_id", "staff_id", name="uq_user_account_staff"),
    sa.UniqueConstraint("tenant_id", "login_index", name="uq_user_account_login"),
)
"""Accounts. `totp_step` is the last step of time whose code was taken."""

recovery_code = sa.Table(
    "recovery_code",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("code_mac", sa.Text, primary_key=True),
)


sign_in_count = sa.Table(
    "sign_in_count",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("who", sa.Text, primary_key=True),
    sa.Column("window_at", Instant, primary_key=True),
    sa.Column("tries", sa.Integer, nullable=False),
)
"""Tries to sign in within a window: `who` is a name's index, or `*` for all names."""

_ACCOUNT = [each for each in user_account.c if each.name not in ("totp_step", "secrets_sealed", "event_id")]


def add(connection: Connection, new: UserAccount, secrets_sealed: bytes, event_id: str) -> None:
    """Insert an account."""
    connection.execute(
        sa.insert(user_account).values(
            tenant_id=new.tenant_id,
            user_id=new.user_id,
            staff_id=new.staff_id,
            login_index=new.login_index,
            scopes=None if new.scopes is None else list(new.scopes),
            state=new.state,
            generation=new.generation,
            totp_step=0,
            secrets_sealed=secrets_sealed,
            created_at=new.created_at,
            event_id=event_id,
        )
    )


def find(connection: Connection, tenant_id: str, staff_id: str) -> UserAccount | None:
    """The account of a member of staff."""
    where = (user_account.c.tenant_id == tenant_id, user_account.c.staff_id == staff_id)
    row = connection.execute(sa.select(*_ACCOUNT).where(*where)).one_or_none()
    return None if row is None else _account(row)


def find_by_login(
    connection: Connection, tenant_id: str, login_index: str
) -> tuple[UserAccount, bytes] | None:
    """The account of this name, and its sealed secrets."""
    where = (user_account.c.tenant_id == tenant_id, user_account.c.login_index == login_index)
    row = connection.execute(sa.select(*_ACCOUNT, user_account.c.secrets_sealed).where(*where)).one_or_none()
    return None if row is None else (_account(row), row.secrets_sealed)


def every(connection: Connection, tenant_id: str) -> list[UserAccount]:
    """All accounts of a tenant, by the id of the member of staff."""
    query = sa.select(*_ACCOUNT).where(user_account.c.tenant_id == tenant_id)
    return [_account(row) for row in connection.execute(query.order_by(user_account.c.staff_id))]


def has_any(connection: Connection, tenant_id: str) -> bool:
    """Whether the tenant has any account."""
    there = user_account.c.tenant_id == tenant_id
    return connection.execute(sa.select(sa.literal(1)).where(there).limit(1)).first() is not None


def change(connection: Connection, user: UserAccount, values: dict[str, Any], event_id: str) -> bool:
    """Change an account and count its generation up; False if somebody else was faster."""
    changed = connection.execute(
        sa.update(user_account)
        .where(
            user_account.c.tenant_id == user.tenant_id,
            user_account.c.user_id == user.user_id,
            user_account.c.generation == user.generation,
        )
        .values(**values, generation=user.generation + 1, event_id=event_id)
    )
    return changed.rowcount == 1


def take_step(connection: Connection, user: UserAccount, step: int) -> bool:
    """Use a step of time up; False if it, or a later one, was used, or the account is no longer as it was."""
    changed = connection.execute(
        sa.update(user_account)
        .where(*_as_it_was(user), user_account.c.totp_step < step)
        .values(totp_step=step)
    )
    return changed.rowcount == 1


def take_recovery_code(connection: Connection, user: UserAccount, code_mac: str) -> bool:
    """Use a recovery code up; False if it is none, or was used, or the account is no longer as it was."""
    same = connection.execute(
        sa.update(user_account).where(*_as_it_was(user)).values(generation=user.generation)
    )
    if same.rowcount != 1:
        return False
    gone = connection.execute(
        sa.delete(recovery_code).where(
            recovery_code.c.tenant_id == user.tenant_id,
            recovery_code.c.user_id == user.user_id,
            recovery_code.c.code_mac == code_mac,
        )
    )
    return gone.rowcount == 1


def set_recovery_codes(connection: Connection, user: UserAccount, macs: Iterable[str]) -> None:
    """Put recovery codes in place of those before."""
    connection.execute(
        sa.delete(recovery_code).where(
            recovery_code.c.tenant_id == user.tenant_id, recovery_code.c.user_id == user.user_id
        )
    )
    rows = [{"tenant_id": user.tenant_id, "user_id": user.user_id, "code_mac": mac} for mac in macs]
    connection.execute(sa.insert(recovery_code), rows)


def count_try(connection: Connection, tenant_id: str, who: str, window_at: datetime) -> int:
    """Count a try, and give how many there were in this window with it; one statement, so none is lost."""
    insert: Any = sqlite.insert if is_sqlite(connection) else postgresql.insert
    row = {"tenant_id": tenant_id, "who": who, "window_at": window_at, "tries": 1}
    counted = (
        insert(sign_in_count)
        .values(**row)
        .on_conflict_do_update(
            index_elements=["tenant_id", "who", "window_at"], set_={"tries": sign_in_count.c.tries + 1}
        )
        .returning(sign_in_count.c.tries)
    )
    tries: int = connection.execute(counted).scalar_one()
    return tries


def forget_tries(connection: Connection, tenant_id: str, who: str) -> None:
    """Forget the tries with a name: it was the right person."""
    connection.execute(
        sa.delete(sign_in_count).where(sign_in_count.c.tenant_id == tenant_id, sign_in_count.c.who == who)
    )


def sweep(connection: Connection, tenant_id: str, before: datetime) -> int:
    """Forget windows that are over; how many."""
    over = (sign_in_count.c.tenant_id == tenant_id, sign_in_count.c.window_at < before)
    return connection.execute(sa.delete(sign_in_count).where(*over)).rowcount


def _as_it_was(user: UserAccount) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        user_account.c.tenant_id == user.tenant_id,
        user_account.c.user_id == user.user_id,
        user_account.c.generation == user.generation,
        user_account.c.state == ACTIVE,
    )


def _account(row: Any) -> UserAccount:
    return UserAccount(
        row.tenant_id,
        row.user_id,
        row.staff_id,
        row.login_index,
        None if row.scopes is None else tuple(row.scopes),
        row.state,
        row.generation,
        row.created_at,
    )
