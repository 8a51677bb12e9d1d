"""The person's own link to their package: looked at by anybody's scanner, used once, over when it is over."""

import io
import json
import re
import zipfile
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from governance.bootstrap import Runtime
from governance.ledger import service as ledger
from governance.rights import letters, package_store
from governance.rights import service as rights
from retention_jobs import build_packages, match_rights_requests
from tests.api.conftest import Caller, new_component
from tests.api.test_privacy import person, send
from tests.conftest import HandClock

PATH = "/v1/rights-requests"


def proved_by_post(runtime: Runtime, caller: Caller, browser: FlaskClient) -> tuple[dict[str, Any], str]:
    """A request from the form that its sender confirmed, and the token of the page that they confirmed on."""
    person(caller)
    send(browser)
    assert match_rights_requests.run(runtime) == 1
    (made,) = caller.get(PATH).get_json()["items"]
    token = tokens(caller, made, "verification", "requests")[0]
    assert browser.post(f"/privacy/requests/{token}", data={"action": "confirm"}).status_code == 200
    return made, token


def tokens(caller: Caller, made: dict[str, Any], kind: str, page: str) -> list[str]:
    """The tokens of a kind of page in the letters of a kind, oldest first."""
    sent = caller.get(f"{PATH}/{made['id']}/letters").get_json()["items"]
    found = [re.search(rf"/privacy/{page}/(\S+)", each["text"]) for each in sent if each["kind"] == kind]
    return [each.group(1) for each in found if each]


def seen(answer: TestResponse) -> tuple[int, bytes]:
    return answer.status_code, re.sub(rb"urn:request:\w+", b"", answer.get_data())


def size(runtime: Runtime) -> int:
    with runtime.engine.connect() as connection:
        return ledger.head(connection, "acme")[0]


def test_a_link_shows_a_page_gives_the_package_once_and_staff_may_write_a_new_one(
    any_runtime: Runtime, any_caller: Caller, clock: HandClock
) -> None:
    runtime, caller, browser = any_runtime, any_caller, any_caller.client
    made, status_token = proved_by_post(runtime, caller, browser)
    assert caller.post(f"{PATH}/{made['id']}/package/link").status_code == 409, "there is none yet"
    assert build_packages.run(runtime) == 1
    (token,) = tokens(caller, made, "fulfilment", "packages")
    link = f"/privacy/packages/{token}"
    letters_sent = caller.get(f"{PATH}/{made['id']}/letters").get_json()["items"]
    href = f'<a href="{runtime.settings.public_url}{link}">'
    assert [each["kind"] for each in letters_sent if href in each["html"]] == ["fulfilment"]

    # The page of the link that proved the person leads there; the other status link does not.
    assert link in browser.get(f"/privacy/requests/{status_token}").get_data(as_text=True)
    with runtime.snapshot("acme", build_packages.package.ACTOR) as snap:
        plain = letters.status_link(snap, made["id"]).split("/privacy/")[1]
    assert "/privacy/packages/" not in browser.get(f"/privacy/{plain}").get_data(as_text=True)

    # Mail scanners follow links: nothing changes, however often.
    before = size(runtime)
    for method in ("get", "head", "options"):
        for _ in range(2):
            assert getattr(browser, method)(link, headers={"Purpose": "prefetch"}).status_code == 200
    shown = browser.get(link).get_data(as_text=True)
    assert "anna" not in shown
    assert '<form method="post">' in shown
    assert size(runtime) == before

    got = browser.post(link)
    assert (got.status_code, got.content_type) == (200, "application/zip")
    assert got.headers["Cache-Control"] == "no-store"
    assert "attachment" in got.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(got.get_data())) as archive:
        document = json.loads(archive.read("your-data.json"))
    assert "anna@example.org" in json.dumps(document)
    for method in ("get", "post"):
        assert getattr(browser, method)(link).status_code == 410, "used up"
    assert "/privacy/packages/" not in browser.get(f"/privacy/requests/{status_token}").get_data(as_text=True)

    # Staff write a new one; it ends the one before, also where that was not used.
    clock.forward(timedelta(minutes=1))
    renewed = caller.post(f"{PATH}/{made['id']}/package/link")
    assert renewed.status_code == 201
    assert "url" not in renewed.get_json(), "the link stands in the letter, nowhere else"
    clock.forward(timedelta(minutes=1))
    assert caller.post(f"{PATH}/{made['id']}/package/link").status_code == 201
    second, third = tokens(caller, made, "package", "packages")
    assert browser.post(f"/privacy/packages/{second}").status_code == 410
    clock.forward(timedelta(days=29, hours=23))
    last = f"/privacy/packages/{third}"
    assert browser.get(last).status_code == 200
    clock.forward(timedelta(hours=1))
    for method in ("get", "post"):
        assert getattr(browser, method)(last).status_code == 410, "over with the package"
    build_packages.run(runtime)
    again = Caller(browser, new_component(runtime))  # tokens of the caller are as old as the package
    assert again.post(f"{PATH}/{made['id']}/package/link").status_code == 409
    kinds = [event["type"] for event in _events(again) if "package" in event["type"]]
    assert [kind.split(".")[-1] for kind in kinds] == [
        "package_made",
        "package_link_issued",
        "package_fetched",
        "package_link_issued",
        "package_link_issued",
        "package_expired",
    ]


def test_a_token_that_is_forged_or_of_another_kind_or_tenant_is_answered_like_nonsense(
    runtime: Runtime, caller: Caller
) -> None:
    browser = caller.client
    made, status_token = proved_by_post(runtime, caller, browser)
    build_packages.run(runtime)
    (token,) = tokens(caller, made, "fulfilment", "packages")
    wrong = [status_token, token[:-2], token[1:], token + "A", token.swapcase(), "x" * 80]
    wrong += [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(len(token))]
    before = size(runtime)
    for accept in ("text/html", "application/json"):
        for method in ("get", "post"):
            ask = getattr(browser, method)
            nonsense = seen(ask("/privacy/packages/nonsense", headers={"Accept": accept}))
            assert nonsense[0] == 404
            told = {seen(ask(f"/privacy/packages/{each}", headers={"Accept": accept})) for each in wrong}
            assert told == {nonsense}
    assert size(runtime) == before
    assert browser.post(f"/privacy/packages/{token}").status_code == 200, "the right one still works"


def test_a_link_that_two_use_at_once_gives_one_of_them_the_package(
    any_runtime: Runtime, any_caller: Caller
) -> None:
    """Both have looked; the second finds it used. Twin: without the condition both would have it."""
    made, _ = proved_by_post(any_runtime, any_caller, any_caller.client)
    build_packages.run(any_runtime)
    with any_runtime.work("acme", build_packages.package.ACTOR) as work, work.bookkeeping():
        link = package_store.newest_link(work.connection, "acme", made["id"])
        assert link is not None
        assert link.ended_at is None
        used = [
            package_store.use_link(work.connection, "acme", link.link_id, work.now),
            package_store.use_link(work.connection, "acme", link.link_id, work.now),
        ]
    assert used == [True, False]


def test_a_forgotten_request_has_no_package_left(runtime: Runtime, caller: Caller) -> None:
    made, _ = proved_by_post(runtime, caller, caller.client)
    build_packages.run(runtime)
    (token,) = tokens(caller, made, "fulfilment", "packages")
    with runtime.work("acme", build_packages.package.ACTOR) as work:
        rights.forget(work, made["id"])
    assert caller.client.post(f"/privacy/packages/{token}").status_code == 410
    with runtime.engine.connect() as connection:
        assert package_store.pieces(connection, "acme", made["id"]) == []


def _events(caller: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = caller.get(f"/v1/events?limit=500{after}").get_json()
        found += page["items"]
        if not page["next"]:
            return found
        after = f"&after={page['next']}"
