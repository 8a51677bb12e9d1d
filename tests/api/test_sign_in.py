"""Signing in: the page, the code, the token; who is refused, alike for everybody; when a session ends."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from flask import Flask, current_app

from api import bearers, code_grant, create_app, tokens
from api import sign_in as door
from governance.bootstrap import COMMAND_LINE, Runtime
from governance.callers import passwords, session_store, sign_in, user_store, users
from governance.callers import service as callers
from governance.callers.user_model import MOST_BY_NAME, STEP, WINDOW
from governance.errors import TooManyError
from governance.ledger import service as ledger
from governance.vault import envelope
from tests.api.conftest import Caller, basic, new_component
from tests.api.test_bad_tokens import taken, trouble
from tests.conftest import HandClock
from tests.fixtures.bad_tokens import Forge
from tests.fixtures.signing_in import (
    BACK,
    LOGIN,
    PASSWORD,
    STATE,
    VERIFIER,
    Browser,
    account,
    challenge,
    code_of,
    console,
    led_back,
)


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hash with the least cost; `tests/governance/callers` hashes as the service does."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords.nobodys.cache_clear()
    yield
    passwords.nobodys.cache_clear()


@pytest.fixture
def browser(app: Flask, runtime: Runtime) -> Browser:
    return Browser(app, console(runtime))


def test_somebody_signs_in_and_the_token_speaks_for_them(
    browser: Browser, runtime: Runtime, clock: HandClock
) -> None:
    made = account(runtime)
    page = browser.open()
    text = page.get_data(as_text=True)
    assert page.status_code == 200
    assert "<script" not in text
    assert "Console" in text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' https://console.example.org;" in policy
    assert page.headers["X-Frame-Options"] == "DENY"
    cookie = page.headers["Set-Cookie"]
    assert cookie.startswith("__Host-sign-in=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))

    answer = browser.send(
        "  ANNA@example.org ", PASSWORD, f" {code_of(made, runtime)[:3]} {code_of(made, runtime)[3:]}"
    )
    assert answer.status_code == 303
    back = led_back(answer)
    assert (back["state"], back["iss"], back["to"]) == (STATE, "https://privacy.example.org", "start")
    issued = browser.exchange(back["code"])
    body = issued.get_json()
    assert issued.headers["Cache-Control"] == "no-store"
    assert (body["token_type"], body["scope"], body["expires_in"]) == ("Bearer", "audit:read", 28_800)
    assert "refresh_token" not in body
    token = body["access_token"]
    assert browser.status(token) == 200
    assert browser.status(token, "/v1/issuers") == 403
    looked = browser.client.post(
        "/oauth/introspect", data={"token": token}, headers=basic(new_component(runtime))
    ).get_json()
    assert (looked["active"], looked["sub"]) == (True, made.account.user_id)

    clock.forward(timedelta(seconds=28_799))
    assert browser.status(token) == 200
    clock.forward(timedelta(seconds=1))
    assert browser.status(token) == 401

    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        told = [(each.kind, str(each)) for each in ledger.entries(snapshot.connection, "acme", limit=1000)]
    assert {"access.user_created", "access.signed_in"} <= {kind for kind, _ in told}
    assert not any("anna" in text.lower() for _, text in told)


def test_what_identifies_staff_or_proves_them_stands_nowhere(browser: Browser, runtime: Runtime) -> None:
    made = account(runtime)
    token = browser.token(made, runtime)
    secrets = [LOGIN, LOGIN.casefold(), PASSWORD, made.totp, "$argon2", token, *made.recovery_codes]
    secrets += [code.replace("-", "") for code in made.recovery_codes]
    for file in runtime.settings.data_dir.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert [each for each in secrets if each.encode() in content] == [], file.name


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"state": ""}, "invalid_request"),
        ({"scope": "admin"}, "invalid_scope"),
    ],
)
def test_a_request_that_lacks_something_is_led_back_with_an_error(
    browser: Browser, change: dict[str, str], error: str
) -> None:
    browser.asked.update(change)
    answer = browser.open()
    assert answer.status_code == 303
    back = led_back(answer)
    assert (back["error"], back["iss"]) == (error, "https://privacy.example.org")
    assert back.get("state", "") == browser.asked["state"]


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "https://attacker.example/"},
        {"redirect_uri": BACK + "&more=1"},
        {"redirect_uri": BACK.upper()},
        {"redirect_uri": BACK.partition("?")[0]},
        {"redirect_uri": "https://console.example.org@attacker.example/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": ""},
        {"client_id": "client_" + "0" * 32},
        {"client_id": "x' OR 1=1 --"},
        {"client_id": ""},
        {"response_type": "é"},
        {"response_type": "token", "redirect_uri": "https://attacker.example/"},
    ],
)
def test_nobody_is_led_where_the_component_does_not_live(browser: Browser, change: dict[str, str]) -> None:
    browser.asked.update(change)
    for answer in (browser.open(), browser.client.post(browser.url, base_url="https://privacy.example.org")):
        assert answer.status_code == 400
        assert "Location" not in answer.headers
        assert "attacker" not in answer.get_data(as_text=True)


def test_a_component_with_a_secret_signs_nobody_in_and_a_console_has_no_tokens_of_its_own(
    browser: Browser, runtime: Runtime
) -> None:
    secretive = new_component(runtime)
    browser.asked["client_id"] = secretive.component.client_id
    assert browser.open().status_code == 400
    own = {"grant_type": "client_credentials", "client_id": browser.client_id}
    assert browser.client.post("/oauth/token", data=own).status_code in (400, 401)
    guessed = {**own, "client_secret": ""}
    assert browser.client.post("/oauth/token", data=guessed).status_code in (400, 401)
    assert (
        browser.client.post(
            "/oauth/introspect", data={"client_id": browser.client_id, "token": "x"}
        ).status_code
        == 401
    )


@pytest.mark.parametrize(
    "query", ["é", "%zz", "<>&x", "scope=%ff%fe", "client_id=a&client_id=b", "&&", "a b", "\\"]
)
def test_an_address_that_cannot_be_read_is_no_request(browser: Browser, query: str) -> None:
    for address in (f"/oauth/authorize?{query}", f"{browser.url}&{query}"):
        for answer in (browser.client.get(address), browser.client.post(address, data={"form": query})):
            assert answer.status_code in (200, 303, 400, 422), address


def same_page(answer: Any) -> tuple[int, str]:
    """Status and page, without what the form carries and where it leads."""
    text = answer.get_data(as_text=True)
    return answer.status_code, text.partition('name="form"')[0] + text.partition('name="login"')[2]


def test_nobody_learns_whether_a_name_exists(
    browser: Browser, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = account(runtime)
    account(runtime, "s-2", "gone@example.org")
    with runtime.work("acme", COMMAND_LINE) as work:
        users.disable(work, "s-2")
    passwords.nobodys()
    hashes: list[str] = []
    real = passwords.is_password
    monkeypatch.setattr(passwords, "is_password", lambda phc, typed: hashes.append(phc) or real(phc, typed))
    opened: list[int] = []
    unsealed = envelope._open
    monkeypatch.setattr(
        envelope,
        "_open",
        lambda key, sealed, context: opened.append(len(sealed)) or unsealed(key, sealed, context),
    )
    statements: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    for engine in (runtime.engine, runtime.vault._engine):
        sa.event.listen(engine, "before_cursor_execute", count)
    code = code_of(made, runtime)
    wrong = "000000" if code != "000000" else "111111"
    tries = {
        "nobody": ("nobody@example.org", PASSWORD, code),
        "a wrong password": (LOGIN, "another few words here", code),
        "a wrong code": (LOGIN, PASSWORD, wrong),
        "no code at all": (LOGIN, PASSWORD, "x"),
        "who was taken away": ("gone@example.org", PASSWORD, code),
    }
    seen: dict[str, Any] = {}
    for name, typed in tries.items():
        action, hidden = browser.form()
        statements.clear()
        hashes.clear()
        opened.clear()
        data = {**hidden, **dict(zip(("login", "password", "code"), typed, strict=True))}
        answer = browser.client.post(action, data=data, base_url="https://privacy.example.org")
        seen[name] = (*same_page(answer), len(hashes), list(statements), list(opened))
    assert seen["nobody"][0] == 422
    assert seen["nobody"][2] == 1
    assert {name for name, each in seen.items() if each != seen["nobody"]} == set()
    assert browser.send(LOGIN, PASSWORD, code).status_code == 303, "and the right one comes in"


def test_the_same_code_of_the_telephone_counts_once_in_every_process(
    browser: Browser, runtime: Runtime, clock: HandClock
) -> None:
    made = account(runtime)
    code = code_of(made, runtime)
    elsewhere = Browser(create_app(runtime), browser.client_id)
    assert browser.send(LOGIN, PASSWORD, code).status_code == 303
    assert elsewhere.send(LOGIN, PASSWORD, code).status_code == 422
    clock.forward(timedelta(seconds=STEP))
    assert elsewhere.send(LOGIN, PASSWORD, code).status_code == 422, "nor in the next half minute"
    later = code_of(made, runtime)
    assert elsewhere.send(LOGIN, PASSWORD, later).status_code == 303
    clock.forward(timedelta(seconds=3 * STEP))
    assert browser.send(LOGIN, PASSWORD, later).status_code == 422


def test_a_recovery_code_counts_once(browser: Browser, runtime: Runtime) -> None:
    made = account(runtime)
    one, two = made.recovery_codes[:2]
    assert browser.send(LOGIN, PASSWORD, one.upper()).status_code == 303
    assert browser.send(LOGIN, PASSWORD, one).status_code == 422
    assert browser.send(LOGIN, PASSWORD, two.replace("-", "")).status_code == 303
    assert browser.send(LOGIN, PASSWORD, "a" * 16).status_code == 422


def test_tries_are_counted_over_all_processes(
    app: Flask, browser: Browser, runtime: Runtime, clock: HandClock
) -> None:
    made = account(runtime)
    doors = [browser, Browser(create_app(runtime), browser.client_id)]
    for login in (LOGIN, "nobody@example.org"):
        statuses = [
            doors[n % 2].send(login, "wrong words", "000000").status_code for n in range(MOST_BY_NAME)
        ]
        assert statuses == [422] * MOST_BY_NAME
        for each in doors:
            refused = each.send(login, PASSWORD, code_of(made, runtime))
            assert refused.status_code == 429
            assert 0 < int(refused.headers["Retry-After"]) <= WINDOW.total_seconds()
    clock.forward(WINDOW)
    assert browser.send(LOGIN, PASSWORD, code_of(made, runtime)).status_code == 303


def test_a_form_of_another_browser_request_or_hour_is_not_taken(
    app: Flask, browser: Browser, runtime: Runtime, clock: HandClock
) -> None:
    made = account(runtime)
    action, hidden = browser.form()
    typed = {"login": LOGIN, "password": PASSWORD, "code": code_of(made, runtime)}
    base = "https://privacy.example.org"
    stranger = Browser(app, browser.client_id)
    assert stranger.client.post(action, data={**hidden, **typed}, base_url=base).status_code == 422
    stranger.open()
    assert stranger.client.post(action, data={**hidden, **typed}, base_url=base).status_code == 422
    for form in ("", "x", "2026-11-21T10:00:00.000000Z.00", hidden["form"][:-1] + "x", "é"):
        answer = browser.client.post(action, data={**typed, "form": form}, base_url=base)
        assert answer.status_code == 422
    other = action.replace("state=a", "state=b")
    assert browser.client.post(other, data={**hidden, **typed}, base_url=base).status_code == 422
    from_afar = {"Sec-Fetch-Site": "cross-site"}
    answer = browser.client.post(action, data={**hidden, **typed}, base_url=base, headers=from_afar)
    assert answer.status_code == 403
    clock.forward(timedelta(minutes=31))
    assert browser.client.post(action, data={**hidden, **typed}, base_url=base).status_code == 422


def test_a_code_is_good_once_for_a_minute_for_whoever_asked(
    browser: Browser, runtime: Runtime, clock: HandClock
) -> None:
    made = account(runtime)
    code = browser.sign_in(made, runtime)
    others = Browser(browser.app, console(runtime))
    for wrong in (
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"code_verifier": challenge()},
        {"redirect_uri": BACK + "&more=1"},
        {"redirect_uri": ""},
        {"client_id": others.client_id},
        {"client_id": "client_" + "0" * 32},
        {"code": "x" * 43},
    ):
        answer = browser.exchange(**{"code": code, **wrong})
        assert answer.status_code in (400, 401), wrong
        assert answer.get_json()["error"] in ("invalid_grant", "invalid_request", "invalid_client"), wrong
    token = browser.exchange(code).get_json()["access_token"]
    assert browser.status(token) == 200
    replayed = browser.exchange(code)
    assert (replayed.status_code, replayed.get_json()["error"]) == (400, "invalid_grant")
    assert browser.status(token) == 401, "a code that comes again ends what came of it"

    clock.forward(timedelta(seconds=STEP))
    late = browser.sign_in(made, runtime)
    clock.forward(timedelta(seconds=60))
    assert browser.exchange(late).status_code == 400


def test_of_many_who_bring_the_same_code_one_is_served(browser: Browser, runtime: Runtime) -> None:
    code = browser.sign_in(account(runtime), runtime)
    clients = [browser.app.test_client() for _ in range(4)]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    form |= {"client_id": browser.client_id, "code_verifier": VERIFIER}
    statuses: list[int] = []

    def bring(client: Any) -> None:
        statuses.append(client.post("/oauth/token", data=form).status_code)

    threads = [threading.Thread(target=bring, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 400, 400, 400]


def test_sessions_end_at_the_next_check_in_every_process(
    browser: Browser, runtime: Runtime, caller: Caller, clock: HandClock
) -> None:
    other = Browser(create_app(runtime), browser.client_id)
    made = account(runtime)

    def fresh() -> str:
        clock.forward(timedelta(seconds=2 * STEP))
        token = browser.token(made, runtime)
        assert [each.status(token) for each in (browser, other)] == [200, 200]
        return token

    def ended(token: str) -> bool:
        return [trouble(each.client, token) for each in (browser, other)] == [None, None]

    token = fresh()
    signed_out = browser.client.post("/oauth/revoke", data={"token": token, "client_id": browser.client_id})
    assert signed_out.status_code == 200
    assert ended(token)

    token = fresh()
    with runtime.work("acme", COMMAND_LINE) as work:
        users.grant(work, "s-1", ["audit:read", "access:read"])
    assert ended(token)

    token = fresh()
    waiting = Browser(browser.app, browser.client_id)
    clock.forward(timedelta(seconds=2 * STEP))
    code = waiting.sign_in(made, runtime)
    with runtime.work("acme", COMMAND_LINE) as work:
        made = users.reset(work, "s-1", login=LOGIN, password=PASSWORD)
    assert ended(token)
    assert waiting.exchange(code).status_code == 400, "a code from before the change is worth nothing"

    token = fresh()
    assert caller.put("/v1/staff/s-1", {"roles": []}).status_code == 201
    assert [each.status(token) for each in (browser, other)] == [403, 403], "no role opens anything"
    assert caller.put("/v1/staff/s-1", {"roles": ["auditor_role"]}).status_code == 422
    assert caller.put("/v1/staff/s-1", {"status": "left"}).status_code == 200
    assert ended(token)


def test_who_was_taken_away_or_whose_console_left_is_out(
    browser: Browser, runtime: Runtime, clock: HandClock
) -> None:
    made = account(runtime)
    token = browser.token(made, runtime)
    with runtime.work("acme", COMMAND_LINE) as work:
        users.disable(work, "s-1")
    assert trouble(browser.client, token) is None
    clock.forward(timedelta(seconds=STEP))
    assert browser.send(LOGIN, PASSWORD, code_of(made, runtime)).status_code == 422
    other = account(runtime, "s-2", "ben@example.org")
    token = browser.token(other, runtime, "ben@example.org")
    assert browser.status(token) == 200
    with runtime.work("acme", COMMAND_LINE) as work:
        callers.let_go(work, browser.client_id)
    assert trouble(browser.client, token) is None
    assert browser.open().status_code == 400


def test_roles_open_what_the_account_leaves_to_them(
    browser: Browser, runtime: Runtime, caller: Caller
) -> None:
    made = account(runtime, scopes=())
    answer = browser.send(LOGIN, PASSWORD, code_of(made, runtime))
    assert led_back(answer)["error"] == "access_denied", "nothing was given yet"
    role = {
        "title": "Auditor",
        "owner": "privacy",
        "kinds": ["staff"],
        "scopes": ["audit:read"],
        "grants": [],
    }
    assert caller.put("/v1/roles/auditor", role).status_code == 201
    assert caller.put("/v1/staff/s-1", {"roles": ["auditor"]}).status_code == 201
    token = browser.exchange(led_back(browser.send(LOGIN, PASSWORD, made.recovery_codes[0]))["code"])
    assert browser.status(token.get_json()["access_token"]) == 200


def test_bad_tokens_of_people_are_refused_too(browser: Browser, runtime: Runtime) -> None:
    made = account(runtime)
    token = browser.token(made, runtime)
    read = tokens.compact.read(token)
    forge = Forge(runtime.vault.token_key(), read.header, read.claims)
    assert browser.status(forge.good()) == 200
    other = account(runtime, "s-2", "ben@example.org").account
    bad = {
        "another user": forge.with_claims(sub=other.user_id),
        "another session": forge.with_claims(sid="ses_" + "0" * 32),
        "no session": forge.with_claims(sid=""),
        "a session that is no text": forge.with_claims(sid=["x"]),
        "no member of staff": forge.without("staff"),
        "another component": forge.with_claims(client_id=new_component(runtime).component.client_id),
        "the console's own": forge.without("sid"),
    }
    assert taken(browser.client, bad) == {}


def test_more_scopes_than_the_token_holds_are_never_open(browser: Browser, runtime: Runtime) -> None:
    made = account(runtime, scopes=["audit:read", "access:read", "admin"])
    token = browser.token(made, runtime)
    assert browser.status(token) == 200
    assert browser.status(token, "/v1/issuers") == 403


def test_a_maker_gives_no_account_what_they_lack(runtime: Runtime) -> None:
    with pytest.raises(Exception, match="maker lacks"):
        account(runtime, scopes=["admin"], maker_scopes=["audit:read"])


def forgets_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_store, "take_step", lambda connection, user, step: True)


def hashes_for_known_names_only(monkeypatch: pytest.MonkeyPatch) -> None:
    real = sign_in.prove

    def hasty(candidate: sign_in.Candidate, *typed: Any) -> sign_in.Proof | None:
        return None if candidate.user is None else real(candidate, *typed)

    monkeypatch.setattr(sign_in, "prove", hasty)


def counts_in_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: Counter[tuple[int, str]] = Counter()

    def count(work: Any, login: str) -> None:
        mine = (id(current_app._get_current_object()), login)
        tries[mine] += 1
        if tries[mine] > MOST_BY_NAME:
            raise TooManyError("Too many.", retry_after=1)

    monkeypatch.setattr(sign_in, "count", count)


def leaves_the_code_good(monkeypatch: pytest.MonkeyPatch) -> None:
    real = session_store.use_code

    def use(connection: Any, tenant_id: str, session_id: str) -> bool:
        real(connection, tenant_id, session_id)
        row = sa.update(session_store.user_session).values(code_used=False)
        connection.execute(row.where(session_store.user_session.c.session_id == session_id))
        return True

    monkeypatch.setattr(session_store, "use_code", use)


def forgets_the_verifier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_grant._S256, "validate_code_verifier", lambda *_: None)


def remembers_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[tuple[int, str], Any] = {}

    def opens(snapshot: Any, caller: tokens.Caller) -> Any:
        mine = (id(current_app._get_current_object()), caller.jti)
        return known.setdefault(mine, bearers.opens(snapshot, caller))

    monkeypatch.setattr("api.runtime.opens", opens)


def ties_no_form_to_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    real = door._form_token
    monkeypatch.setattr(door, "_form_token", lambda wanted, nonce, at: real(wanted, "any", at))


@pytest.mark.parametrize(
    ("bug", "test", "needs"),
    [
        (forgets_the_step, test_the_same_code_of_the_telephone_counts_once_in_every_process, "clock"),
        (hashes_for_known_names_only, test_nobody_learns_whether_a_name_exists, "monkeypatch"),
        (counts_in_each_process, test_tries_are_counted_over_all_processes, "app clock"),
        (leaves_the_code_good, test_a_code_is_good_once_for_a_minute_for_whoever_asked, "clock"),
        (forgets_the_verifier, test_a_code_is_good_once_for_a_minute_for_whoever_asked, "clock"),
        (remembers_a_yes, test_sessions_end_at_the_next_check_in_every_process, "caller clock"),
        (ties_no_form_to_a_browser, test_a_form_of_another_browser_request_or_hour_is_not_taken, "app clock"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)  # fmt: skip
def test_what_goes_wrong_is_caught(
    bug: Callable[[pytest.MonkeyPatch], None],
    test: Callable[..., None],
    needs: str,
    browser: Browser,
    runtime: Runtime,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bug(monkeypatch)
    more = {name: request.getfixturevalue(name) for name in needs.split()}
    with pytest.raises(AssertionError):
        test(browser=browser, runtime=runtime, **more)
