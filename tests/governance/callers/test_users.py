"""Accounts and sessions on each database: what proves a person is used up once, whoever else tries."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.callers import passwords, sign_in, users
from governance.callers import service as callers
from governance.callers.sign_in import Wish
from governance.callers.user_model import (
    MOST_BY_NAME,
    RECOVERY_CODES,
    check_password,
    check_redirect_uris,
    is_recovery_code,
    new_recovery_codes,
    new_totp,
    normal_code,
    normal_login,
    totp_step,
    window_of,
)
from governance.errors import ConflictError, InvalidError, NotFoundError, TooManyError
from tests.conftest import START

LOGIN, PASSWORD = "anna", "four plain words here"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords.nobodys.cache_clear()
    yield
    passwords.nobodys.cache_clear()


def create(runtime: Runtime, staff_id: str = "s-1", login: str = LOGIN, **more: Any) -> Any:
    with runtime.work("acme", COMMAND_LINE) as work:
        return users.create(work, staff_id=staff_id, login=login, password=PASSWORD, **more)


def proof_of(runtime: Runtime, code: str) -> sign_in.Proof | None:
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        candidate = sign_in.look_up(snapshot, LOGIN, code)
    return sign_in.prove(candidate, PASSWORD, code, runtime.clock)


def test_passwords_are_hashed_with_argon2id_as_rfc_9106_recommends() -> None:
    phc = passwords.hashed(PASSWORD)
    assert phc.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.is_password(phc, PASSWORD)
    assert not passwords.is_password(phc, PASSWORD + "x")
    assert not passwords.is_password("no hash", PASSWORD)
    # What a name that nobody has is compared with costs as much as what somebody's is compared with.
    assert (
        passwords.nobodys().rpartition("$")[0].rpartition("$")[0] == phc.rpartition("$")[0].rpartition("$")[0]
    )


@pytest.mark.parametrize("text", ["", "too short", "aaaaaaaaaaaaaaaa", "x" * 257, "my anna is my word"])
def test_a_password_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        check_password(text, "Anna@example.org")


def test_a_code_belongs_to_its_half_minute_and_its_neighbours() -> None:
    # RFC 6238, appendix B (SHA-1, the last six digits), at 59 seconds after 1970.
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    at = START.replace(year=1970, month=1, day=1, hour=0, minute=0, second=59)
    assert totp_step(secret, "287082", at) == 1
    assert totp_step(secret, "287082", at + timedelta(seconds=30)) == 1
    assert totp_step(secret, "287082", at + timedelta(seconds=60)) is None
    assert totp_step(secret, "287083", at) is None
    assert totp_step(secret, "", at) is None
    assert totp_step(secret, "２８７０８２", at) is None
    assert len({new_totp() for _ in range(5)}) == 5


def test_recovery_codes_and_names_have_one_way_to_be_written() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == RECOVERY_CODES
    assert all(is_recovery_code(normal_code(code.upper())) for code in codes)
    assert normal_login("  Ａnna@Example.org ") == "anna@example.org"
    for wrong in ("", " ", "a\x00b", "x" * 255):
        with pytest.raises(InvalidError):
            normal_login(wrong)
    assert window_of(START + timedelta(minutes=14, seconds=59)) == START


@pytest.mark.parametrize(
    "uri",
    [
        "http://console.example.org/",
        "https://console.example.org",
        "https://console.example.org/#x",
        "https://user@console.example.org/",
        "https://*.example.org/",
        "https://console.example.org/*",
        "javascript:alert(1)",
        "http://127.0.0.1.attacker.example/",
        "HTTPS://console.example.org/",
        "https://console.example.org/\n",
        "",
    ],
)
def test_a_place_that_nobody_should_be_led_back_to_is_refused(uri: str) -> None:
    with pytest.raises(InvalidError):
        check_redirect_uris([uri])


def test_places_to_be_led_back_to() -> None:
    fit = (
        "https://console.example.org/a?b=c",
        "http://127.0.0.1:5173/cb",
        "http://[::1]:1/",
        "http://localhost/x",
    )
    assert check_redirect_uris(fit) == fit


def test_an_account_is_made_once_for_an_opaque_id(any_runtime: Runtime, quick: None) -> None:
    made = create(any_runtime, scopes=["audit:read"])
    for more in ({"login": "other"}, {"staff_id": "s-2"}):
        with pytest.raises(ConflictError):
            create(any_runtime, **more)
    for staff_id in ("anna@example.org", "", "a b", "-x"):
        with pytest.raises(InvalidError):
            create(any_runtime, staff_id, "third")
    with pytest.raises(InvalidError, match="maker lacks"):
        create(any_runtime, "s-3", "third", scopes=["admin"], maker_scopes=["audit:read"])
    with any_runtime.work("acme", COMMAND_LINE) as work:
        with pytest.raises(NotFoundError):
            users.disable(work, "s-9")
        assert users.grant(work, "s-1", []).scopes is None
    with any_runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        (found,) = users.every(snapshot)
    assert (found.user_id, found.generation) == (made.account.user_id, 2)


def test_what_proves_somebody_is_used_up_once(any_runtime: Runtime, quick: None) -> None:
    runtime = any_runtime
    made = create(runtime, scopes=["audit:read"])
    first, again = (proof_of(runtime, made.recovery_codes[0]) for _ in range(2))
    stale = proof_of(runtime, made.recovery_codes[1])
    assert first
    assert again
    assert stale
    with runtime.work("acme", COMMAND_LINE) as work:
        client = callers.create_client(
            work, name="Console", scopes=["audit:read"], redirect_uris=["https://console.example.org/"]
        )
        assert sign_in.use_up(work, first)
        wish = Wish(
            client.component.client_id, ("audit:read", "admin"), "https://console.example.org/", "c" * 43
        )
        code = sign_in.begin(work, first, wish, ["audit:read", "access:read"], timedelta(hours=8))
    with runtime.work("acme", COMMAND_LINE) as work:
        assert not sign_in.use_up(work, again), "proved before the other used it up, and yet too late"
        work.record("test.seen")
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        session = sign_in.find_code(snapshot, client.component.client_id, code)
        assert sign_in.find_code(snapshot, "client_" + "0" * 32, code) is None
    assert session
    assert session.scopes == ("audit:read",)

    def redeem() -> bool:
        with runtime.work("acme", COMMAND_LINE) as work:
            return sign_in.redeem(work, session, "tok_1")

    def stands() -> bool:
        with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
            return sign_in.standing(snapshot, session.session_id) is not None

    assert not stands(), "not before its code was exchanged"
    assert redeem()
    assert stands()
    assert [redeem(), redeem()] == [False, False]
    assert not stands(), "a code that comes again ends the session"
    with runtime.work("acme", COMMAND_LINE) as work:
        users.grant(work, "s-1", ["admin"])
    with runtime.work("acme", COMMAND_LINE) as work:
        assert not sign_in.use_up(work, stale), "the account has changed since"
        work.record("test.seen")


def test_tries_are_counted_and_swept(any_runtime: Runtime, quick: None, clock: Any) -> None:
    def tries() -> None:
        with any_runtime.work("acme", COMMAND_LINE) as work:
            sign_in.count(work, LOGIN)

    for _ in range(MOST_BY_NAME):
        tries()
    for _ in range(2):
        with pytest.raises(TooManyError):
            tries()
    clock.forward(timedelta(days=2))
    with any_runtime.work("acme", COMMAND_LINE) as work:
        assert callers.sweep(work) == 2
    tries()
