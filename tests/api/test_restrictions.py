"""Restrictions over HTTP: nobody lifts one before the person was told that it ends (Art. 18(3) GDPR)."""

from typing import Any

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.rights.lifting_store import restriction_notice
from retention_jobs import tell_recipients
from tests.api.conftest import Caller, new_component

PATH = "/v1/subjects/crm-1/restriction"
LIFTED = {"restricted": False, "informed": {"at": "2026-11-21T10:00:00Z", "how": "By telephone."}}


def person(caller: Caller, language: str | None = None, country: str = "DE") -> None:
    body = {
        "identifiers": [{"type": "email", "value": "anna@example.org"}],
        "attributes": {"country": country, **({} if language is None else {"language": language})},
    }
    assert caller.put("/v1/subjects/crm-1", body).status_code in (200, 201)


def restrict(caller: Caller) -> None:
    assert caller.put(PATH, {"restricted": True, "because": "Disputed."}).status_code == 200


def is_restricted(caller: Caller) -> bool:
    return bool(caller.get("/v1/subjects/crm-1").get_json()["standing"]["restricted"])


def notices(caller: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = caller.get(PATH).get_json()["notices"]
    return found


def kinds(caller: Caller) -> list[str]:
    events = caller.get("/v1/events?limit=500").get_json()["items"]
    return [each["type"].rsplit("governance.", 1)[-1] for each in events]


def lift(caller: Caller, status: int = 200, **more: Any) -> dict[str, Any]:
    answer = caller.put(PATH, {"restricted": False, **more})
    assert answer.status_code == status, answer.data
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_restriction_is_lifted_only_after_its_letter_went_out(any_caller: Caller) -> None:
    caller = any_caller
    person(caller, "de")
    restrict(caller)
    refused = lift(caller, 409)
    assert refused["type"].endswith("/person-not-informed")
    assert "Art. 18(3)" in refused["detail"]
    assert is_restricted(caller)
    assert lift(caller, 409)["notice"] == refused["notice"], "one letter, however often somebody tries"
    (letter,) = notices(caller)
    assert (letter["id"], letter["language"], letter["sent_at"]) == (refused["notice"], "de", None)
    assert letter["to"] == {"type": "email", "value": "anna@example.org"}
    assert letter["message_class"] == "rights_correspondence"

    sent = f"{PATH}/notices/{letter['id']}/sent"
    assert caller.post(f"{PATH}/notices/rno_none/sent").status_code == 404
    assert caller.post(sent).status_code == caller.post(sent).status_code == 200
    assert is_restricted(caller), "a letter that was sent lifts nothing by itself"
    assert lift(caller)["standing"]["restricted"] is False
    assert lift(caller)["standing"]["restricted"] is False, "again changes nothing"
    told = [each for each in kinds(caller) if "restrict" in each]
    assert told == [
        "subject.restricted",
        "rights.restriction_end_written",
        "rights.restriction_end_sent",
        "subject.restriction_lifted",
    ]
    restrict(caller)
    assert lift(caller, 409)["notice"] != letter["id"], "a new restriction has a letter of its own"


def test_a_letter_may_go_to_a_restricted_and_frozen_person(caller: Caller) -> None:
    person(caller)
    restrict(caller)
    lift(caller, 409)
    (letter,) = notices(caller)
    body = {
        "subject": {"id": "crm-1"},
        "message_id": letter["id"],
        "channel": "email",
        "message_class": letter["message_class"],
        "purpose": letter["purpose"],
    }
    assert caller.post("/v1/communications", body).status_code == 201


def test_who_told_the_person_in_another_way_says_when_and_how(
    any_caller: Caller, any_runtime: Runtime
) -> None:
    caller = any_caller
    person(caller)
    restrict(caller)
    late = {"at": "2026-11-22T10:00:00Z", "how": "By telephone."}
    assert "informed.at" in lift(caller, 422, informed=late)["errors"]
    early = {"at": "2026-11-21T09:59:00Z", "how": "By telephone."}
    assert "before the restriction began" in lift(caller, 422, informed=early)["errors"]["informed.at"][0]
    assert lift(caller, 422, informed={"how": "By telephone."})["errors"]["informed.at"]
    assert is_restricted(caller)
    assert caller.put(PATH, LIFTED).get_json()["standing"]["restricted"] is False
    assert notices(caller) == []
    assert "rights.restriction_end_told" in kinds(caller)
    assert "telephone" not in caller.get("/v1/events?limit=500").text


@pytest.mark.parametrize(
    ("language", "shown", "subject"),
    [
        ("de-AT", "de", "Wir heben die Einschränkung Ihrer Daten demnächst auf"),
        ("fr", "fr", "Nous allons lever la limitation du traitement de vos données"),
        ("es", "es", "Vamos a levantar la limitación del tratamiento de sus datos"),
        ("en", "en", "We are about to lift the restriction of your data"),
        ("ja", "en", "We are about to lift the restriction of your data"),
        (None, "en", "We are about to lift the restriction of your data"),
    ],
)
def test_the_letter_is_in_the_person_s_language_as_text_and_html(
    caller: Caller, runtime: Runtime, language: str | None, shown: str, subject: str
) -> None:
    person(caller, language)
    restrict(caller)
    lift(caller, 409)
    (letter,) = notices(caller)
    assert (letter["language"], letter["subject"]) == (shown, subject)
    assert letter["id"] in letter["text"], "the reference to name in an answer"
    assert f'<html lang="{shown}">' in letter["html"]
    assert len(letter["text"].split("\n\n")) == letter["html"].count("<p>") >= 5
    with runtime.engine.connect() as connection:
        assert (
            b"anna@example.org" not in repr(connection.execute(sa.select(restriction_notice)).all()).encode()
        )


def test_systems_are_told_to_release_the_data_once_it_is_lifted_and_not_before(
    any_caller: Caller, any_runtime: Runtime
) -> None:
    caller = any_caller
    person(caller)
    assert (
        caller.put("/v1/systems/paper", {"kind": "manual", "config": {"owner": "staff-7"}}).status_code == 201
    )
    made = caller.post(
        "/v1/rights-requests", {"type": "restriction", "identities": [{"id": "crm-1"}]}
    ).get_json()
    proof = {"identity": made["identities"][0]["id"], "method": "staff", "evidence": {"seen": "passport"}}
    assert caller.post(f"/v1/rights-requests/{made['id']}/verify", proof).status_code == 200
    tell_recipients.run(any_runtime)
    (task,) = caller.get("/v1/tasks").get_json()["items"]
    done = {"steps": [], "evidence": {"text": "Marked."}}
    assert caller.post(f"/v1/tasks/{task['id']}/done", done).status_code == 200
    tell_recipients.run(any_runtime)
    lift(caller, 409)
    tell_recipients.run(any_runtime)
    assert caller.get("/v1/tasks").get_json()["items"] == []
    caller.post(f"{PATH}/notices/{notices(caller)[0]['id']}/sent")
    lift(caller)
    tell_recipients.run(any_runtime)
    assert [each["verb"] for each in caller.get("/v1/tasks").get_json()["items"]] == ["release"]


def test_letters_are_for_those_who_answer_requests(caller: Caller, runtime: Runtime) -> None:
    person(caller)
    restrict(caller)
    lift(caller, 409)
    writer = Caller(caller.client, new_component(runtime, "subjects:read", "subjects:write"))
    assert writer.get(PATH).status_code == 403
    assert writer.post(f"{PATH}/notices/{notices(caller)[0]['id']}/sent").status_code == 403
    assert caller.get("/v1/subjects/crm-9/restriction").status_code == 404
