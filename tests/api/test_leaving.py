"""Leaving is easy: the preference page, text messages, complaint reports. Through the HTTP door."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.links import signals_opt_out
from governance.bootstrap import Runtime
from governance.vault.model import OPERATIONAL
from tests.api.conftest import Caller, new_component
from tests.conftest import HandClock

FIXTURES = Path(__file__).parents[1] / "fixtures"
PHONE = "+12025550123"
SMS = {"channel": "sms", "message_class": "promotional", "purpose": "marketing"}
EMAIL = {**SMS, "channel": "email"}


def person(caller: Caller, external_id: str = "crm-1", country: str = "US", **more: Any) -> None:
    body = {
        "identifiers": [
            {"type": "email", "value": f"{external_id}@example.org"},
            {"type": "phone", "value": more.pop("phone", PHONE)},
        ],
        "attributes": {"country": country, **more},
        "relationship": "lead",
    }
    assert caller.put(f"/v1/subjects/{external_id}", body).status_code in (200, 201)


def consent(caller: Caller, channel: str, external_id: str = "crm-1") -> None:
    body = {
        "subject": {"id": external_id},
        "purpose": "marketing",
        "channel": channel,
        "status": "granted",
        "method": "web_form",
    }
    assert caller.post("/v1/consents", body).status_code == 201


def codes(caller: Caller, asked: dict[str, str], external_id: str = "crm-1") -> set[str]:
    body = {
        "subject": {"type": "component", "id": "test"},
        "action": {"name": "communication.send", "properties": asked},
        "resource": {"type": "data_subject", "id": external_id},
    }
    answer = caller.post("/access/v1/evaluation", body).get_json()
    return set() if answer["decision"] else {reason["code"] for reason in answer["context"]["reasons"]}


def link(caller: Caller, **more: Any) -> str:
    answer = caller.post("/v1/preferences/links", {"subject": {"id": "crm-1"}, **more})
    assert answer.status_code == 201, answer.data
    return str(answer.get_json()["url"]).removeprefix("https://privacy.example.org")


def size(runtime: Runtime) -> int:
    from governance.ledger import service as ledger

    with runtime.engine.connect() as connection:
        return ledger.head(connection, "acme")[0]


def stands(page: str, purpose: str = "marketing", channel: str = "email") -> str | None:
    found = re.search(rf'name="choice\.{purpose}\.{channel}" value="(\w+)" checked', page)
    return found.group(1) if found else None


def test_the_page_shows_what_stands_and_a_get_changes_nothing(
    client: FlaskClient, caller: Caller, runtime: Runtime
) -> None:
    person(caller)
    consent(caller, "email")
    path = link(caller)
    before = size(runtime)
    page = client.get(path, headers={"Sec-GPC": "1"})
    assert page.status_code == 200
    text = page.get_data(as_text=True)
    assert stands(text) == "on"
    assert stands(text, channel="sms") is None
    assert "crm-1" not in text
    assert "example.org" not in text
    assert "<script" not in text
    assert "Set-Cookie" not in page.headers
    assert size(runtime) == before
    assert text.index("everything") < text.index("choice.")


def test_everything_off_is_one_press_and_harmless_on_repeat(
    client: FlaskClient, caller: Caller, runtime: Runtime
) -> None:
    person(caller)
    consent(caller, "email")
    path = link(caller)
    assert codes(caller, EMAIL) == set()
    page = client.post(path, data={"everything": "off"})
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "objection" in codes(caller, EMAIL)
    assert "objection" in codes(caller, SMS)
    before = size(runtime)
    again = client.post(path, data={"everything": "off"}).get_data(as_text=True)
    assert size(runtime) == before
    assert stands(again) == "off"


def test_single_choices_are_saved_and_what_is_left_open_stays(
    client: FlaskClient, caller: Caller, clock: HandClock
) -> None:
    person(caller, country="DE")
    path = link(caller)
    assert "consent-missing" in codes(caller, EMAIL)
    page = client.post(path, data={"choice.marketing.email": "on", "save": "choices"}).get_data(as_text=True)
    assert stands(page) == "on"
    assert codes(caller, EMAIL) == set()
    assert stands(page, channel="sms") is None
    client.post(path, data={"choice.marketing.email": "off"})
    assert "consent-withdrawn" in codes(caller, EMAIL)
    clock.forward(timedelta(seconds=1))
    client.post(path, data={"choice.marketing.email": "on", "choice.nothing.fax": "on", "odd": "on"})
    assert codes(caller, EMAIL) == set()


def test_a_yes_on_the_page_never_lifts_a_suppression(client: FlaskClient, caller: Caller) -> None:
    person(caller)
    point = {"type": "email", "value": "crm-1@example.org"}
    caller.post("/v1/suppressions", {"contact_point": point, "scope": "marketing", "reason": "complaint"})
    path = link(caller)
    page = client.post(path, data={"choice.marketing.email": "on"}).get_data(as_text=True)
    assert "does not take it off that list" in page
    assert "suppressed" in codes(caller, EMAIL)


def test_a_signal_is_recorded_with_the_choice(client: FlaskClient, caller: Caller) -> None:
    person(caller)
    client.post(link(caller), data={"save": "choices"}, headers={"Sec-GPC": "1"})
    state = caller.get("/v1/subjects/crm-1/consents").get_json()
    assert [each["purpose"] for each in state["objections"]] == ["sale_sharing"]


def test_the_page_speaks_the_browsers_language(client: FlaskClient, caller: Caller) -> None:
    person(caller)
    path = link(caller)
    german = client.get(path, headers={"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"})
    assert '<html lang="de">' in german.get_data(as_text=True)
    assert "Alles ausschalten" in german.get_data(as_text=True)
    assert german.headers["Content-Language"] == "de"
    assert "Turn everything off" in client.get(path, headers={"Accept-Language": "fr"}).get_data(as_text=True)


def test_forged_truncated_foreign_and_expired_links_tell_nothing(
    client: FlaskClient, caller: Caller, runtime: Runtime, clock: HandClock
) -> None:
    person(caller)
    path = link(caller, expires_in="P1D")
    runtime.create_tenant("other", name="Other", country="DE", address=None)
    token = path.rsplit("/", 1)[1]
    unsubscribe = f"/unsubscribe/{token}"
    for bad in (path[:-1], path[:-1] + ("A" if path[-1] != "A" else "B"), "/preferences/x", unsubscribe):
        assert client.get(bad).status_code == 404
        assert client.post(bad, data={"everything": "off"}).status_code == 404
    assert codes(caller, SMS) != {"objection"}
    clock.forward(timedelta(days=1))
    for answer in (client.get(path), client.post(path, data={"everything": "off"})):
        assert answer.status_code == 410
        assert "crm-1" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("lasts", ["P2Y", "P999D", "30 days", "P0D"])
def test_a_link_lasts_for_a_year_at_most(caller: Caller, lasts: str) -> None:
    person(caller)
    answer = caller.post("/v1/preferences/links", {"subject": {"id": "crm-1"}, "expires_in": lasts})
    assert answer.status_code == 422


def test_the_same_key_gives_the_same_link_and_stores_no_token(caller: Caller) -> None:
    person(caller)
    body = {"subject": {"id": "crm-1"}}
    answers = [
        caller.post("/v1/preferences/links", body, headers={"Idempotency-Key": '"once"'}).get_json()
        for _ in range(2)
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("case", json.loads((FIXTURES / "gpc/gpc-cases.json").read_text())["header_cases"])
def test_a_signal_is_one_only_if_it_is_exactly_1(app: Flask, case: dict[str, Any]) -> None:
    # A server folds repeated headers, so `1,1` cannot be told from two: read in the person's favour.
    wanted = case["signal"] or case["headers"] == [["Sec-GPC", "1,1"]]
    folded = ",".join(value for _, value in case["headers"])
    with app.test_request_context(headers={"Sec-GPC": folded} if case["headers"] else {}):
        assert signals_opt_out() is wanted


# Text messages


def text_in(caller: Caller, text: str, phone: str = PHONE, **more: Any) -> dict[str, Any]:
    body = {"channel": "sms", "from": {"phone": phone}, "text": text, **more}
    answer = caller.post("/v1/communications/inbound", body)
    assert answer.status_code == 200, answer.data
    return dict(answer.get_json())


def test_stop_acts_at_once_for_everyone_reached_there(any_caller: Caller) -> None:
    caller = any_caller
    for external_id in ("crm-1", "crm-2"):
        person(caller, external_id)
        consent(caller, "sms", external_id)
        assert "consent-missing" not in codes(caller, SMS, external_id)
    told = text_in(caller, " Stop. ")
    assert told["action"] == "opted_out"
    assert told["reply"]
    for external_id in ("crm-1", "crm-2"):
        assert {"consent-withdrawn", "suppressed"} <= codes(caller, SMS, external_id)


def test_stop_from_a_stranger_bars_the_number_for_whoever_comes(caller: Caller) -> None:
    assert text_in(caller, "STOP", "+12025550199")["action"] == "opted_out"
    person(caller, "crm-9", phone="+12025550199")
    consent(caller, "sms", "crm-9")
    assert "suppressed" in codes(caller, SMS, "crm-9")


def test_start_lifts_nothing_and_says_what_would(caller: Caller) -> None:
    person(caller)
    consent(caller, "sms")
    text_in(caller, "STOP")
    before = codes(caller, SMS)
    told = text_in(caller, "START")
    assert told["action"] == "not_lifted"
    assert len(told["needs"]) == 2
    assert codes(caller, SMS) == before


def test_help_answers_in_the_persons_language_and_changes_nothing(caller: Caller) -> None:
    person(caller, language="de")
    before = codes(caller, SMS)
    assert text_in(caller, "help")["reply"] == "Antworten Sie STOP, um keine Nachrichten mehr zu erhalten."
    assert codes(caller, SMS) == before


def test_free_text_waits_for_people_sealed_and_with_a_clock(caller: Caller, runtime: Runtime) -> None:
    person(caller)
    consent(caller, "sms")
    told = text_in(caller, "Stop please, whoever you are", received_at="2026-11-20T09:00:00Z")
    assert told["action"] == "queued"
    runtime.clock.forward(timedelta(seconds=1))  # type: ignore[attr-defined]  # a clock moved by hand
    text_in(caller, "Thanks, see you on Monday")
    (first, second) = caller.get("/v1/communications/reviews").get_json()["items"]
    assert first["content"] == {"from": PHONE, "text": "Stop please, whoever you are"}
    assert (first["sounds_like_leaving"], second["sounds_like_leaving"]) == (True, False)
    assert first["due_at"] == "2026-12-04T09:00:00.000000Z", "ten business days, no sooner and no later"
    stored = runtime.settings.database_url.removeprefix("sqlite:///")
    assert b"whoever you are" not in Path(stored).read_bytes()
    path = f"/v1/communications/reviews/{first['id']}/resolve"
    done = caller.post(path, {"resolution": "opt_out"}).get_json()
    assert (done["state"], done["content"]) == ("resolved", None)
    assert {"consent-withdrawn", "suppressed"} <= codes(caller, SMS)
    assert caller.post(path, {"resolution": "opt_out"}).status_code == 200
    assert caller.post(path, {"resolution": "not_an_opt_out"}).status_code == 409
    assert len(caller.get("/v1/communications/reviews").get_json()["items"]) == 1
    assert len(caller.get("/v1/communications/reviews?state=resolved").get_json()["items"]) == 1
    missing = caller.post("/v1/communications/reviews/rev_x/resolve", {"resolution": "opt_out"})
    assert missing.status_code == 404


def test_a_consent_given_after_a_late_told_stop_stands_against_it_but_the_suppression_holds(
    caller: Caller,
) -> None:
    person(caller)
    text_in(caller, "STOP", received_at="2026-11-20T09:00:00Z")
    consent(caller, "sms")
    assert "consent-withdrawn" not in codes(caller, SMS)
    assert "suppressed" in codes(caller, SMS)


def test_a_person_who_is_erased_takes_the_text_along(caller: Caller, runtime: Runtime) -> None:
    person(caller)
    text_in(caller, "Please write to my new number")
    ref = None
    with runtime.engine.connect() as connection:
        ref = connection.exec_driver_sql("SELECT key_ref FROM inbound_review").scalar()
    runtime.vault.shred("acme", str(ref), OPERATIONAL, runtime.clock())
    (item,) = caller.get("/v1/communications/reviews").get_json()["items"]
    assert item["content"] is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"channel": "email", "from": {"phone": PHONE}, "text": "x"}, 422),
        ({"channel": "sms", "from": {"phone": "nonsense"}, "text": "STOP"}, 422),
        ({"channel": "sms", "from": {"phone": PHONE}, "text": "x" * 5001}, 422),
        ({"channel": "sms", "text": "STOP"}, 422),
    ],
)
def test_what_is_no_text_message_is_refused(caller: Caller, body: dict[str, Any], status: int) -> None:
    assert caller.post("/v1/communications/inbound", body).status_code == status


# Complaint reports


def report(caller: Caller, raw: bytes, content_type: str = "message/rfc822") -> dict[str, Any]:
    headers = {"Content-Type": content_type}
    answer = caller.post("/v1/communications/feedback", headers=headers, data=raw)
    assert answer.status_code == 200, answer.data
    return dict(answer.get_json())


def complaint(address: str, kind: str = "abuse") -> bytes:
    sample = (FIXTURES / "arf/002.eml").read_bytes()
    return sample.replace(b"user@example.com", address.encode()).replace(b": abuse", b": " + kind.encode())


def test_a_complaint_ends_marketing_to_the_person_at_once(any_caller: Caller) -> None:
    caller = any_caller
    person(caller)
    consent(caller, "email")
    for _ in range(2):
        assert report(caller, complaint("crm-1@example.org"))["action"] == "suppressed"
    assert {"objection", "suppressed"} <= codes(caller, EMAIL)
    found = caller.post("/v1/suppressions/lookup", {"subject": {"id": "crm-1"}}).get_json()["items"]
    told = sorted(
        (each["kind"], each["on"], each["reason"]) for each in found if each["scope"] == "marketing"
    )
    assert told == [("objection", "subject", "unspecified"), ("suppression", "contact_point", "complaint")]
    by_address = {"contact_point": {"type": "email", "value": "crm-1@example.org"}}
    assert caller.post("/v1/suppressions/lookup", by_address).get_json()["items"] == found


def test_a_complaint_about_a_stranger_holds_when_the_person_comes(caller: Caller) -> None:
    report(caller, complaint("late@example.org", "opt-out"))
    body = {"identifiers": [{"type": "email", "value": "late@example.org"}], "relationship": "lead"}
    caller.put("/v1/subjects/late", {**body, "attributes": {"country": "US"}})
    assert "suppressed" in codes(caller, EMAIL, "late")


@pytest.mark.parametrize("kind", ["auth-failure", "not-spam", "dmarc", "unheard-of"])
def test_no_other_report_suppresses_anybody(caller: Caller, kind: str) -> None:
    person(caller)
    consent(caller, "email")
    assert report(caller, complaint("crm-1@example.org", kind))["action"] == "none"
    assert codes(caller, EMAIL) == set()


@pytest.mark.parametrize("kind", ["fraud", "virus", "other"])
def test_fraud_and_virus_are_for_people(caller: Caller, kind: str) -> None:
    person(caller)
    consent(caller, "email")
    assert report(caller, complaint("crm-1@example.org", kind))["action"] == "queued"
    assert codes(caller, EMAIL) == set()


def test_a_redacted_complaint_is_told_by_its_unsubscribe_link(caller: Caller) -> None:
    person(caller)
    consent(caller, "email")
    body = {"subject": {"id": "crm-1"}, "message_id": "m1", **EMAIL}
    sent = caller.post("/v1/communications", body).get_json()
    sample = (FIXTURES / "arf/001.eml").read_bytes()
    header = f"List-Unsubscribe: {sent['headers']['List-Unsubscribe']}\nSubject: Earn money\nMIME".encode()
    raw = re.sub(rb"Subject: Earn money\r?\nMIME", header, sample)
    assert report(caller, raw)["action"] == "suppressed"
    assert {"objection", "suppressed"} <= codes(caller, EMAIL)
    (message,) = caller.get("/v1/subjects/crm-1/communications").get_json()["items"]
    assert message["status"] == "complained"


def test_a_complaint_that_tells_nobody_is_not_lost(caller: Caller) -> None:
    assert report(caller, (FIXTURES / "arf/001.eml").read_bytes())["action"] == "queued"


def test_parts_alone_are_read_with_the_requests_own_type(caller: Caller) -> None:
    raw = complaint("crm-1@example.org")
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    kind = 'multipart/report; report-type=feedback-report; boundary="part1_13d.2e68ed54_boundary"'
    assert b"boundary" in head
    assert report(caller, body, kind)["action"] == "suppressed"
    fields = b"Feedback-Type: abuse\nVersion: 1\nOriginal-Rcpt-To: <a@example.org>\n"
    assert report(caller, fields, "message/feedback-report")["action"] == "suppressed"


@pytest.mark.parametrize(
    ("raw", "content_type", "status"),
    [
        (b"Subject: hello\n\nno report", "message/rfc822", 422),
        (b"", "message/rfc822", 422),
        (b"x" * (1024 * 1024 + 1), "message/rfc822", 413),
        (b"{}", "application/json", 415),
        (
            b"Content-Type: multipart/mixed; boundary=a\n\n"
            + b"--a\nContent-Type: message/rfc822\n\n" * 5000,
            "message/rfc822",
            422,
        ),
    ],
    ids=["no report", "empty", "too large", "json", "bomb"],
)
def test_what_is_no_report_is_refused(caller: Caller, raw: bytes, content_type: str, status: int) -> None:
    headers = {"Content-Type": content_type}
    assert caller.post("/v1/communications/feedback", headers=headers, data=raw).status_code == status


def test_the_routes_want_their_scope(client: FlaskClient, runtime: Runtime) -> None:
    reader = Caller(client, new_component(runtime, "communications:read"))
    body = {"channel": "sms", "from": {"phone": PHONE}, "text": "STOP"}
    assert reader.post("/v1/communications/inbound", body).status_code == 403
    assert reader.get("/v1/communications/reviews").status_code == 200
    assert reader.put("/v1/caps/daily", {"limit": 1, "window": "P1D"}).status_code == 403


def test_a_cap_is_set_read_and_changed_by_version(caller: Caller) -> None:
    body = {"channel": "email", "limit": 1, "window": "calendar_day"}
    made = caller.put("/v1/caps/daily", body)
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    assert caller.put("/v1/caps/daily", body).status_code == 428
    changed = caller.put("/v1/caps/daily", {**body, "limit": 2}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.get_json()["limit"]) == (200, 2)
    assert caller.put("/v1/caps/daily", body, headers={"If-Match": '"1"'}).status_code == 412
    assert caller.get("/v1/caps/daily").get_json()["version"] == 2
    assert caller.get("/v1/caps/none").status_code == 404
    assert [each["id"] for each in caller.get("/v1/caps").get_json()["items"]] == ["daily"]
    bad = caller.put("/v1/caps/bad", {"limit": 0, "window": "soon", "purposes": ["nope"]})
    assert bad.status_code == 422
    assert all(name in str(bad.get_json()["errors"]) for name in ("limit", "window"))


def test_a_look_up_in_a_register_is_recorded(caller: Caller) -> None:
    body = {"register": "us-dnc", "contact_point": {"type": "phone", "value": PHONE}, "listed": True}
    answer = caller.post("/v1/register-checks", body)
    assert answer.status_code == 201
    assert answer.get_json() == {
        "register": "us-dnc",
        "listed": True,
        "checked_at": "2026-11-21T10:00:00.000000Z",
    }
    bad = {**body, "contact_point": {"type": "email", "value": "a@example.org"}}
    assert caller.post("/v1/register-checks", bad).status_code == 422
