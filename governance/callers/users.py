"""Use cases of accounts: make one, take it away, give it new secrets, change what it opens.

The command line's. Every change but the making counts the account's generation up, so that each of its
sessions ends at its next check, in every process.
"""

import json
from collections.abc import Iterable

from governance.callers import user_store as store
from governance.callers.model import check_maker, check_scopes, staff_id_of
from governance.callers.passwords import hashed
from governance.callers.user_model import (
    ACTIVE,
    DISABLED,
    NewUser,
    Secrets,
    UserAccount,
    check_password,
    new_recovery_codes,
    new_totp,
    normal_code,
    normal_login,
)
from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.vault.model import OPERATIONAL, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work


def create(
    work: Work,
    *,
    staff_id: str,
    login: str,
    password: str,
    scopes: Iterable[str] = (),
    maker_scopes: Iterable[str] | None = None,
) -> NewUser:
    """Make an account for a member of staff. Without scopes, it opens what their roles do.

    Raises InvalidError for an id that is not opaque, for a name or a password that cannot be one and for
    scopes that the maker lacks (None: the command line); ConflictError if the member of staff, or the name,
    has one.
    """
    try:
        staff_id_of(staff_id)
    except ValueError:
        raise InvalidError(
            "A member of staff is named by an opaque id: letters, digits and . _ : - without an address."
        ) from None
    chosen = check_scopes(scopes) if (scopes := tuple(scopes)) else None
    check_maker(chosen or (), maker_scopes)
    secrets = Secrets(hashed(check_password(password, login)), new_totp())
    index = login_index(work, login)
    if store.find(work.connection, work.tenant_id, staff_id) is not None:
        raise ConflictError("This member of staff has an account already.", reason="account-exists")
    if store.find_by_login(work.connection, work.tenant_id, index) is not None:
        raise ConflictError("Somebody signs in with this name already.", reason="account-exists")
    new = UserAccount(work.tenant_id, work.new_id("user"), staff_id, index, chosen, ACTIVE, 1, work.now)
    event = work.record(
        "access.user_created",
        facts={"user": new.user_id, "staff": staff_id, "scopes": None if chosen is None else list(chosen)},
    )
    store.add(work.connection, new, _sealed(work, new.user_id, secrets), event.id)
    return NewUser(new, secrets.totp, _recovery(work, new))


def disable(work: Work, staff_id: str) -> UserAccount:
    """Take an account away; its sessions, and outside tokens of the same member of staff, end at the next
    check.

    Raises NotFoundError.
    """
    user = get(work, staff_id)
    event = work.record("access.user_disabled", facts={"user": user.user_id, "staff": staff_id})
    _change(work, user, {"state": DISABLED}, event.id)
    return user


def reset(work: Work, staff_id: str, *, login: str, password: str) -> NewUser:
    """Give an account a new name, password, key of codes and recovery codes, and open it again if it was
    closed.

    Raises NotFoundError, InvalidError, and ConflictError if the name is another's.
    """
    user = get(work, staff_id)
    secrets = Secrets(hashed(check_password(password, login)), new_totp())
    index = login_index(work, login)
    other = store.find_by_login(work.connection, work.tenant_id, index)
    if other is not None and other[0].user_id != user.user_id:
        raise ConflictError("Somebody signs in with this name already.", reason="account-exists")
    event = work.record("access.user_reset", facts={"user": user.user_id, "staff": staff_id})
    sealed = _sealed(work, user.user_id, secrets)
    values = {"login_index": index, "secrets_sealed": sealed, "totp_step": 0, "state": ACTIVE}
    _change(work, user, values, event.id)
    with work.bookkeeping():
        store.forget_tries(work.connection, work.tenant_id, index)
    return NewUser(get(work, staff_id), secrets.totp, _recovery(work, user))


def grant(
    work: Work, staff_id: str, scopes: Iterable[str], *, maker_scopes: Iterable[str] | None = None
) -> UserAccount:
    """Change what an account opens (nothing named: what the roles do). Raises NotFoundError, InvalidError."""
    user = get(work, staff_id)
    chosen = check_scopes(scopes) if (scopes := tuple(scopes)) else None
    check_maker(chosen or (), maker_scopes)
    told = None if chosen is None else list(chosen)
    facts = {"user": user.user_id, "staff": staff_id, "scopes": told}
    event = work.record("access.user_granted", facts=facts)
    _change(work, user, {"scopes": told}, event.id)
    return get(work, staff_id)


def find(snapshot: Snapshot, staff_id: str) -> UserAccount | None:
    """The account of a member of staff, if there is one."""
    return store.find(snapshot.connection, snapshot.tenant_id, staff_id)


def get(snapshot: Snapshot, staff_id: str) -> UserAccount:
    """The account of a member of staff; NotFoundError if there is none."""
    found = find(snapshot, staff_id)
    if found is None:
        raise NotFoundError("This member of staff has no account.")
    return found


def every(snapshot: Snapshot) -> list[UserAccount]:
    """All accounts of the tenant."""
    return store.every(snapshot.connection, snapshot.tenant_id)


def has_any(snapshot: Snapshot) -> bool:
    """Whether the tenant has any account, open or not."""
    return store.has_any(snapshot.connection, snapshot.tenant_id)


def is_disabled(snapshot: Snapshot, staff_id: str) -> bool:
    """Whether a member of staff had an account that was taken away."""
    found = find(snapshot, staff_id)
    return found is not None and found.state == DISABLED


def login_index(snapshot: Snapshot, login: str) -> str:
    """The keyed hash under which a name to sign in with is found."""
    return snapshot.resource(Vault).blind_index(snapshot.tenant_id, "sign-in", normal_login(login))


def recovery_mac(snapshot: Snapshot, user_id: str, code: str) -> str:
    """The keyed hash under which a recovery code (in its normal form) is kept."""
    vault = snapshot.resource(Vault)
    return vault.mac(snapshot.tenant_id, "recovery-code", f"{user_id}\n{code}".encode()).hex()


def secrets_place(user_id: str) -> Place:
    """Where an account's secrets lie, sealed under a key of its own."""
    return Place("user_account", "secrets_sealed", user_id)


def _sealed(work: Work, user_id: str, secrets: Secrets) -> bytes:
    plain = json.dumps({"password": secrets.password, "totp": secrets.totp}).encode()
    vault = work.resource(Vault)
    return vault.seal(work.tenant_id, user_id, OPERATIONAL, secrets_place(user_id), plain)


def _recovery(work: Work, user: UserAccount) -> tuple[str, ...]:
    codes = new_recovery_codes()
    macs = [recovery_mac(work, user.user_id, normal_code(code)) for code in codes]
    store.set_recovery_codes(work.connection, user, macs)
    return codes


def _change(work: Work, user: UserAccount, values: dict[str, object], event_id: str) -> None:
    if not store.change(work.connection, user, values, event_id):
        raise ConflictError("Somebody else has just changed this account.", reason="concurrent-change")
