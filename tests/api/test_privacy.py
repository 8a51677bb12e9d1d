"""The public form and the page behind the link in our letters: no cookie, no script, alike for everybody."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask, request_started
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from governance.bootstrap import Runtime
from governance.rights import public
from governance.rights.letter_files import LANGUAGES
from governance.rights.model import ACT_ON_RECEIPT
from retention_jobs import match_rights_requests, run_rights_clocks
from tests.api.conftest import Caller
from tests.conftest import HandClock

FORM = "/privacy/requests"


@pytest.fixture(autouse=True)
def time_passes(app: Flask, clock: HandClock) -> Iterator[None]:
    """A millisecond passes with every request, so that what came later has a later id."""
    with request_started.connected_to(lambda _sender: _tick(clock), app):
        yield


def _tick(clock: HandClock) -> None:
    clock.forward(timedelta(milliseconds=1))


def token(client: FlaskClient, path: str = FORM) -> str:
    found = re.search(r'name="form" value="([^"]+)"', client.get(path).get_data(as_text=True))
    assert found
    return found.group(1)


def send(client: FlaskClient, status: int = 200, headers: Any = None, **fields: str) -> TestResponse:
    said = {"type": "access", "email": "anna@example.org", "form": token(client), **fields}
    answer = client.post(FORM, data=said, headers=headers)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer


def person(caller: Caller, external_id: str = "crm-1", email: str = "anna@example.org") -> None:
    body = {
        "identifiers": [{"type": "email", "value": email}],
        "attributes": {"country": "US"},
        "relationship": "lead",
    }
    assert caller.put(f"/v1/subjects/{external_id}", body).status_code == 201
    said = {"purpose": "marketing", "channel": "email", "status": "granted", "method": "web_form"}
    assert caller.post("/v1/consents", {"subject": {"id": external_id}, **said}).status_code == 201


def newest(caller: Caller) -> dict[str, Any]:
    found: dict[str, Any] = caller.get("/v1/rights-requests").get_json()["items"][-1]
    return found


def letters(caller: Caller, request: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = caller.get(f"/v1/rights-requests/{request['id']}/letters").get_json()[
        "items"
    ]
    return found


def link(caller: Caller, request: dict[str, Any]) -> str:
    found = re.search(r"https://privacy\.example\.org(\S+)", letters(caller, request)[-1]["text"])
    assert found
    return found.group(1)


def suppressed(caller: Caller) -> bool:
    body = {
        "subject": {"type": "component", "id": "test"},
        "action": {
            "name": "communication.send",
            "properties": {"channel": "email", "message_class": "promotional", "purpose": "marketing"},
        },
        "resource": {"type": "data_subject", "id": "crm-1"},
    }
    return not caller.post("/access/v1/evaluation", body).get_json()["decision"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_form_is_shown_in_the_readers_language_and_needs_nothing_from_elsewhere(
    client: FlaskClient, language: str
) -> None:
    page = client.get(FORM, headers={"Accept-Language": language})
    text = page.get_data(as_text=True)
    assert (page.status_code, page.headers["Content-Language"]) == (200, language)
    assert f'<html lang="{language}">' in text
    assert "<script" not in text
    assert "Set-Cookie" not in page.headers
    assert all(f'value="{each}"' in text for each in public.OFFERED)
    assert len(re.findall("<option", text)) > 300
    for each in re.findall(r'(?:src|href|action)="([^"]+)"', text):
        assert each.startswith("/")


def test_what_is_sent_waits_for_proof_and_the_answer_says_nothing(
    client: FlaskClient, caller: Caller, runtime: Runtime
) -> None:
    person(caller)
    known = send(client, name="Anna")
    stranger = send(client, email="stranger@example.org", name="Eve")
    assert known.data == stranger.data
    for answer in (known, stranger):
        answer.headers.pop("X-Request-ID")
    assert dict(known.headers) == dict(stranger.headers)
    assert "Set-Cookie" not in known.headers
    assert newest(caller)["status"] == "received"
    assert match_rights_requests.run(runtime) == 2
    shown = caller.get("/v1/rights-requests").get_json()["items"]
    assert [each["status"] for each in shown] == ["verifying", "verifying"]
    texts = [letters(caller, each)[-1] for each in shown]
    assert [each["kind"] for each in texts] == ["verification"] * 2
    assert texts[0]["to"]["value"] == "anna@example.org"
    assert "Anna" not in texts[0]["text"], "whoever wrote the name may not be the one who reads the letter"
    bare = [re.sub(r"https://\S+|[0-9]{8}|rrq_\w+", "", each["text"]) for each in texts]
    assert bare[0] == bare[1]


def test_a_no_acts_before_anybody_was_looked_up(
    client: FlaskClient, caller: Caller, runtime: Runtime
) -> None:
    for type_ in sorted(ACT_ON_RECEIPT - {"opt_out_of_sale", "limit_sensitive"}):
        person(caller, "crm-1") if type_ == "objection" else None
        send(client, type=type_)
        assert suppressed(caller)
    match_rights_requests.run(runtime)
    shown = caller.get("/v1/rights-requests").get_json()["items"]
    assert {(each["status"], each["outcome"]) for each in shown} == {("fulfilled", "acted")}
    state = caller.get("/v1/subjects/crm-1/consents").get_json()
    assert "marketing" in {each["status"] for each in state["objections"]}, "and now for all channels"


def test_a_signal_of_the_browser_is_an_opt_out_of_sale(
    client: FlaskClient, caller: Caller, runtime: Runtime
) -> None:
    person(caller)
    send(client, headers={"Sec-GPC": "1"})
    match_rights_requests.run(runtime)
    objections = caller.get("/v1/subjects/crm-1/consents").get_json()["objections"]
    assert [(each["status"], each["purpose"]) for each in objections] == [("purpose", "sale_sharing")]


def test_the_link_confirms_by_a_press_and_a_get_changes_nothing(
    client: FlaskClient, caller: Caller, runtime: Runtime
) -> None:
    person(caller)
    send(client, type="erasure", country="DE")
    match_rights_requests.run(runtime)
    made = newest(caller)
    path = link(caller, made)
    page = client.get(path).get_data(as_text=True)
    assert "Was that you?" in page
    assert "anna" not in page
    assert "Answer due" not in page, "it would tell where somebody known lives"
    assert newest(caller)["status"] == "verifying"
    done = client.post(path, data={"action": "confirm"})
    assert done.status_code == 200
    assert "We are working on it." in done.get_data(as_text=True)
    assert "Answer due by" in done.get_data(as_text=True)
    last = date.fromisoformat(newest(caller)["clock"]["due_on"])
    assert f"{last.day} {last:%B %Y}" in done.get_data(as_text=True), "the last day, not the one after"
    assert newest(caller)["status"] == "in_progress"
    assert client.post(path, data={"action": "confirm"}).status_code == 200, "again changes nothing"
    assert client.post(path, data={"action": "withdraw"}).status_code == 200
    assert (newest(caller)["status"], newest(caller)["outcome"]) == ("withdrawn", "withdrawn-by-page")


def test_whoever_did_not_ask_closes_the_request_and_nothing_happens(
    client: FlaskClient, caller: Caller, runtime: Runtime
) -> None:
    person(caller)
    send(client, type="restriction")
    match_rights_requests.run(runtime)
    path = link(caller, newest(caller))
    page = client.post(path, data={"action": "decline"}, headers={"Accept-Language": "fr"})
    assert "Elle a été retirée." in page.get_data(as_text=True)
    assert newest(caller)["outcome"] == "not-me"
    assert client.post(path, data={"action": "confirm"}, headers={"Accept": "text/html"}).status_code == 409


def test_a_link_that_was_changed_opens_nothing(client: FlaskClient, caller: Caller, runtime: Runtime) -> None:
    send(client)
    match_rights_requests.run(runtime)
    path = link(caller, newest(caller))
    for bad in (path[:-1] + ("A" if path[-1] != "A" else "B"), f"{FORM}/nonsense", path + "x"):
        for method in ("get", "post"):
            answer = client.open(
                bad, method=method, data={"action": "confirm"}, headers={"Accept": "text/html"}
            )
            assert answer.status_code == 404, (bad, method)
    assert newest(caller)["status"] == "verifying"
    assert client.post(path, data={"action": "dance"}).status_code == 422


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"type": "appeal"}, "Choose what you want."),
        ({"email": "no address"}, "Give an e-mail address"),
        ({"email": ""}, "Give an e-mail address"),
        ({"email": "", "phone": "030 1234"}, "Give an e-mail address"),
        ({"details": "x" * 4001}, "write less"),
        ({"form": "made-up"}, "open for too long"),
        ({"form": ""}, "open for too long"),
    ],
)
def test_a_form_that_cannot_be_used_is_shown_again_with_what_was_written(
    client: FlaskClient, caller: Caller, fields: dict[str, str], sentence: str
) -> None:
    text = send(client, 422, **{"name": '"><b>Eve</b>', **fields}).get_data(as_text=True)
    assert sentence in text
    assert "&#34;&gt;&lt;b&gt;Eve&lt;/b&gt;" in text
    assert caller.get("/v1/rights-requests").get_json()["items"] == []


def test_a_form_lasts_a_day_and_only_its_own_page_sends_it(client: FlaskClient, clock: HandClock) -> None:
    form = token(client)
    cross = client.post(FORM, data={"type": "access", "form": form}, headers={"Sec-Fetch-Site": "cross-site"})
    assert cross.status_code == 403
    clock.forward(timedelta(hours=23))
    assert send(client, form=form).status_code == 200
    clock.forward(timedelta(hours=1, minutes=1))
    send(client, 422, form=form)


def test_where_several_controllers_share_the_service_the_link_names_one(
    client: FlaskClient, runtime: Runtime
) -> None:
    runtime.create_tenant("other", name="Other <i>Ltd</i>", country="GB", address=None)
    assert client.get(FORM, headers={"Accept": "text/html"}).status_code == 404
    with runtime.snapshot("other", match_rights_requests.ACTOR) as snapshot:
        ref = snapshot.tenant_ref
    page = client.get(f"{FORM}?to={ref}").get_data(as_text=True)
    assert "Other &lt;i&gt;Ltd&lt;/i&gt;" in page
    send_to = {
        "type": "access",
        "email": "a@example.org",
        "form": token(client, f"{FORM}?to={ref}"),
        "to": ref,
    }
    assert client.post(FORM, data=send_to).status_code == 200
    with runtime.snapshot("acme", match_rights_requests.ACTOR) as snapshot:
        stolen = public.form_token(snapshot)
    assert client.post(FORM, data={**send_to, "form": stolen}).status_code == 422


def test_one_address_gets_three_letters_a_day_however_often_somebody_asks(
    client: FlaskClient, caller: Caller, runtime: Runtime
) -> None:
    for _ in range(5):
        send(client)
    match_rights_requests.run(runtime)
    shown = caller.get("/v1/rights-requests").get_json()["items"]
    assert sum(len(letters(caller, each)) for each in shown) <= 3
    assert len({each["repeats"] for each in shown}) == 2


def test_too_many_requests_are_asked_to_come_back(
    client: FlaskClient, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public, "MOST_AN_HOUR", 2)
    for status in (200, 200, 429):
        answer = send(client, status, email=f"{status}-{token(client)[-5:]}@example.org".lower())
    assert answer.headers["Retry-After"] == "3600"


def test_what_nobody_confirms_ends_after_a_month_without_another_letter(
    client: FlaskClient, caller: Caller, runtime: Runtime, clock: HandClock
) -> None:
    send(client)
    match_rights_requests.run(runtime)
    clock.forward(timedelta(days=29))
    assert run_rights_clocks.run(runtime) == 0, "nobody is reminded of what nobody confirmed"
    clock.forward(timedelta(days=1))
    assert run_rights_clocks.run(runtime) == 1
    assert run_rights_clocks.run(runtime) == 0
    caller = Caller(client, caller.made)
    assert (newest(caller)["status"], newest(caller)["outcome"]) == ("expired", "expired")
    assert len(letters(caller, newest(caller))) == 1
