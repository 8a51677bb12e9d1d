"""Signing in: counted, then looked up, then proved, then done. In this order, in units of work of their own.

Counting comes first and is committed, so that a thousand tries at once are a thousand tries. What is looked
up and proved is the same work whether there is such a name or not. What proves a person is used up in the
transaction that the session is born in.
"""

import hashlib
import hmac
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from governance.callers import passwords, session_store
from governance.callers import user_store as store
from governance.callers.model import SCOPES
from governance.callers.user_model import (
    ACTIVE,
    CODE_LASTS,
    MOST_BY_NAME,
    MOST_BY_TENANT,
    WINDOW,
    Secrets,
    Session,
    UserAccount,
    is_recovery_code,
    normal_code,
    normal_login,
    normal_password,
    totp_step,
    window_of,
)
from governance.callers.users import login_index, recovery_mac, secrets_place
from governance.clock import Clock
from governance.errors import InvalidError, TooManyError, UnreadableError
from governance.vault.decoys import decoy
from governance.vault.model import OPERATIONAL
from governance.vault.service import Vault
from governance.work import Snapshot, Work

_NOBODY = "user_" + "0" * 32
_NOBODYS_KEY = "A" * 32


@dataclass(frozen=True, slots=True)
class Candidate:
    """Whom a name belongs to, if to anybody, and what would prove it. `code_mac`: of the code as a recovery
    code."""

    user: UserAccount | None
    secrets: Secrets
    code_mac: str


@dataclass(frozen=True, slots=True)
class Proof:
    """Somebody is who they say. Exactly one of a code's step and a recovery code is still to be used up."""

    user: UserAccount
    step: int | None
    code_mac: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What a component asks a sign-in for: `scopes` at the most, back to this URI, under this challenge
    (S256)."""

    client_id: str
    scopes: tuple[str, ...]
    redirect_uri: str
    code_challenge: str


def can_be(login: str, password: str, code: str) -> bool:
    """Whether what was typed can be anything at all; lengths are bounded, nothing is looked up."""
    try:
        normal_login(login)
    except InvalidError:
        return False
    return 0 < len(password) <= 1024 and 0 < len(code) <= 64


def count(work: Work, login: str) -> None:
    """Count a try to sign in; TooManyError when there were too many, with this name or with all."""
    at = window_of(work.now)
    with work.bookkeeping():
        mine = store.count_try(work.connection, work.tenant_id, login_index(work, login), at)
        every = store.count_try(work.connection, work.tenant_id, "*", at)
    if mine > MOST_BY_NAME or every > MOST_BY_TENANT:
        rest = max(1, math.ceil((at + WINDOW - work.now).total_seconds()))
        raise TooManyError("Too many tries to sign in; try again later.", retry_after=rest)


def look_up(snapshot: Snapshot, login: str, code: str) -> Candidate:
    """Find whom a name belongs to; a name that nobody has gets secrets that nobody knows."""
    found = store.find_by_login(snapshot.connection, snapshot.tenant_id, login_index(snapshot, login))
    user, sealed = (None, b"") if found is None else found
    user_id = _NOBODY if user is None else user.user_id
    held = snapshot.resource(Vault).hold(snapshot.tenant_id, [user_id])
    mac = recovery_mac(snapshot, user_id, normal_code(code))
    nobodys = {"password": passwords.nobodys(), "totp": _NOBODYS_KEY}
    if user is None:
        # Opened like somebody's: nor does the time that keys take tell whether there is such a name.
        return Candidate(None, Secrets(**json.loads(decoy(json.dumps(nobodys).encode()).reveal())), mac)
    try:
        plain = held.reveal(user_id, OPERATIONAL, secrets_place(user_id), sealed)
        return Candidate(user, Secrets(**json.loads(plain)), mac)
    except UnreadableError:
        return Candidate(None, Secrets(**nobodys), mac)


def prove(candidate: Candidate, password: str, code: str, clock: Clock) -> Proof | None:
    """Compare what was typed with what proves; None if it does not. Takes a while: not inside a
    transaction."""
    right = passwords.is_password(candidate.secrets.password, normal_password(password))
    plain = normal_code(code)
    step = totp_step(candidate.secrets.totp, plain, clock())
    user = candidate.user
    if user is None or user.state != ACTIVE or not right or (step is None and not is_recovery_code(plain)):
        return None
    return Proof(user, step, candidate.code_mac)


def refuse(work: Work, client_id: str, candidate: Candidate) -> None:
    """Record that somebody did not prove who they are; of a name that nobody has, that it was nobody's."""
    user_id = None if candidate.user is None else candidate.user.user_id
    work.record("access.sign_in_refused", facts={"client_id": client_id, "user": user_id})


def use_up(work: Work, proof: Proof) -> bool:
    """Use up what proved somebody; False if it was used before, or if the account has changed since."""
    if proof.step is not None:
        done = store.take_step(work.connection, proof.user, proof.step)
    else:
        done = store.take_recovery_code(work.connection, proof.user, proof.code_mac)
    if done:
        with work.bookkeeping():
            store.forget_tries(work.connection, work.tenant_id, proof.user.login_index)
    return done


def begin(work: Work, proof: Proof, wish: Wish, opens: Iterable[str], lasts: timedelta) -> str:
    """Let somebody in: a session with an authorization code, which is returned and kept as a digest only.

    `opens`: what the person may do; the session opens no more than that and than what was wished for.
    """
    code = work.new_secret()
    granted = set(opens) & set(wish.scopes)
    new = Session(
        work.tenant_id,
        work.new_id("ses"),
        proof.user.user_id,
        proof.user.staff_id,
        wish.client_id,
        tuple(scope for scope in SCOPES if scope in granted),
        wish.redirect_uri,
        wish.code_challenge,
        False,
        work.now + CODE_LASTS,
        work.now + lasts,
        True,
    )
    event = work.record(
        "access.signed_in",
        facts={
            "session": new.session_id,
            "user": new.user_id,
            "staff": new.staff_id,
            "client_id": new.client_id,
            "scopes": list(new.scopes),
            "by": "totp" if proof.step is not None else "recovery-code",
        },
    )
    session_store.add(work.connection, new, proof.user.generation, _digest(code), event.id)
    return code


def find_code(snapshot: Snapshot, client_id: str, code: str) -> Session | None:
    """The session that a code of this component's was made for, used or not; None if there is none."""
    found = session_store.find(snapshot.connection, snapshot.tenant_id, code_sha256=_digest(code))
    return None if found is None or not hmac.compare_digest(found[0].client_id, client_id) else found[0]


def redeem(work: Work, session: Session, jti: str) -> bool:
    """Use a code up for a token. A code that comes again ends the session: False (RFC 6749 §4.1.2)."""
    with work.bookkeeping():
        first = not session.code_used and session_store.use_code(
            work.connection, work.tenant_id, session.session_id
        )
    if first:
        work.record(
            "access.token_issued",
            facts={
                "client_id": session.client_id,
                "jti": jti,
                "scopes": list(session.scopes),
                "session": session.session_id,
            },
        )
        return True
    end(work, session.session_id, because="code-replayed")
    return False


def end(work: Work, session_id: str, *, because: str) -> None:
    """End a session: all its tokens are refused from the next check on; again changes nothing."""
    found = session_store.find(work.connection, work.tenant_id, session_id=session_id)
    if found is None or not found[0].good:
        return
    facts = {"session": session_id, "user": found[0].user_id, "because": because}
    event = work.record("access.signed_out", facts=facts)
    session_store.end(work.connection, work.tenant_id, session_id, event.id)


def standing(snapshot: Snapshot, session_id: str) -> tuple[Session, tuple[str, ...] | None] | None:
    """A session that stands as of this snapshot, and what its account opens; None if it was ended by
    anything."""
    found = session_store.find(snapshot.connection, snapshot.tenant_id, session_id=session_id)
    if found is None or not found[0].good or not found[0].code_used or found[0].expires_at <= snapshot.now:
        return None
    return found


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
