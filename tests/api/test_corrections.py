"""Rectification through the HTTP door: what may be put right here, and what is answered."""

from typing import Any

import pytest

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.rights import service as rights
from governance.rights.intake import NewRequest
from governance.subjects import service as subjects
from governance.subjects import store
from governance.subjects.model import SubjectReference
from governance.work import Work
from retention_jobs import match_rights_requests
from tests.api.conftest import Caller
from tests.api.test_rights import PATH, act, ask, code, person, refused

STAFF = {"method": "staff", "evidence": {"seen": "passport"}}


def rectification(caller: Caller) -> dict[str, Any]:
    made = ask(caller, "rectification", identity={"id": "crm-1"})
    return act(caller, made, "verify", identity=made["identities"][0]["id"], **STAFF)


def correct(
    caller: Caller, made: dict[str, Any], *changes: dict[str, Any], status: int = 200
) -> dict[str, Any]:
    return act(caller, made, "correct", status, changes=list(changes))


def known(caller: Caller) -> dict[str, Any]:
    found: dict[str, Any] = caller.get("/v1/subjects/crm-1").get_json()
    return found


def addresses(caller: Caller) -> list[str]:
    return [each["value"] for each in known(caller)["identifiers"] if each["state"] == "open"]


def system(caller: Caller) -> None:
    body = {
        "kind": "manual",
        "config": {"owner": "staff-7"},
        "data_classes": ["identification"],
        "country": "DE",
    }
    assert caller.put("/v1/systems/paper", body).status_code in (200, 201)


def test_a_value_that_a_put_would_refuse_is_refused_and_named(any_caller: Caller) -> None:
    caller = any_caller
    person(caller)
    made, before = rectification(caller), known(caller)
    impossible: list[tuple[str, Any]] = [
        ("country", 7), ("country", True), ("country", "XX"), ("time_zone", 7), ("time_zone", "Mars/Base"),
        ("language", True), ("language", "klingon!!"), ("region", False), ("region", "DE-XX"),
        ("customer_type", 1), ("customer_type", "alien"), ("birth_date", 19800101),
        ("birth_date", "2026-02-30"), ("birth_date", "19800101"), ("birth_date", "2027-01-01"),
        ("email", 5), ("email", "nope"), ("phone", True), ("phone", "12x"),
    ]  # fmt: skip
    for name, value in impossible:
        fine = {"name": "family_name", "value": "Neu"}
        problem = correct(caller, made, fine, {"name": name, "value": value}, status=422)
        assert list(problem["errors"]) == ["changes.1.value"], (name, value, problem)
        body = {"attributes": {name: value}}
        if name in ("email", "phone"):
            body = {"identifiers": [{"type": name, "value": value}]}  # type: ignore[dict-item]
        assert caller.put("/v1/subjects/crm-1", body).status_code == 422, "the same rules"
    assert known(caller) == before
    assert ask(caller, "objection")["status"] == "fulfilled"


def test_a_region_of_another_country_and_a_country_of_its_own_name_the_change(caller: Caller) -> None:
    person(caller)
    two = ({"name": "country", "value": "DE"}, {"name": "region", "value": "US-CA"})
    assert list(correct(caller, rectification(caller), *two, status=422)["errors"]) == ["changes.1.value"]


def test_every_own_attribute_can_be_put_right_and_cleared(any_caller: Caller) -> None:
    caller = any_caller
    person(caller, birth_date="1980-05-17", time_zone="Europe/Berlin")
    made = rectification(caller)
    changes = {
        "birth_date": "1981-06-17", "country": "at", "language": "de-at", "time_zone": None,
        "customer_type": "business", "email": "New@Example.org",
    }  # fmt: skip
    done = correct(caller, made, *({"name": name, "value": value} for name, value in changes.items()))
    assert done["not_so_here"] == []
    said = known(caller)["attributes"]
    assert (said["birth_month"], said["country"], said["language"]) == ("1981-06", "AT", "de-AT")
    assert (said["time_zone"], said["customer_type"]) == (None, "business")
    assert set(addresses(caller)) == {"crm-1@example.org", "new@example.org"}


def test_with_was_only_what_is_still_so_is_changed_and_the_answer_names_the_rest(any_caller: Caller) -> None:
    caller = any_caller
    person(caller, birth_date="1980-05-17")
    system(caller)
    made = rectification(caller)
    done = correct(
        caller,
        made,
        {"name": "country", "value": "AT", "was": "FR"},
        {"name": "email", "value": "second@example.org", "was": "other@example.org"},
        {"name": "birth_date", "value": "1981-05-17", "was": "1980-05-16"},
    )
    assert done["not_so_here"] == ["birth_date", "country", "email"]
    assert known(caller)["attributes"]["country"] == "DE"
    assert known(caller)["attributes"]["birth_month"] == "1980-05"
    assert addresses(caller) == ["crm-1@example.org"]
    done = correct(
        caller,
        made,
        {"name": "country", "value": "AT", "was": "de"},
        {"name": "email", "value": "new@example.org", "was": "CRM-1@Example.org"},
        {"name": "birth_date", "value": "1981-05-17", "was": "1980-05-17"},
    )
    assert done["not_so_here"] == []
    said = known(caller)["attributes"]
    assert (said["country"], said["birth_month"]) == ("AT", "1981-05")
    assert addresses(caller) == ["new@example.org"]
    again = correct(caller, made, {"name": "country", "value": "AT", "was": "DE"})
    assert again["not_so_here"] == [], "it is so already"


def test_where_no_system_is_told_a_was_that_is_not_so_is_refused(caller: Caller) -> None:
    person(caller)
    made = rectification(caller)
    changes = ({"name": "country", "value": "AT", "was": "FR"}, {"name": "language", "value": "de"})
    assert code(correct(caller, made, *changes, status=409)) == "not-so"
    assert known(caller)["attributes"]["language"] is None, "nothing of it"
    assert caller.get(f"{PATH}/{made['id']}").get_json()["waits_for"] == "correction"


def test_the_same_key_answers_alike(caller: Caller) -> None:
    person(caller)
    system(caller)
    made = rectification(caller)
    body = {"changes": [{"name": "country", "value": "AT", "was": "FR"}]}
    key = {"headers": {"Idempotency-Key": "k1"}}
    first, again = (caller.post(f"{PATH}/{made['id']}/correct", body, **key).get_json() for _ in range(2))
    assert first["not_so_here"] == again["not_so_here"] == ["country"]


def spoil(runtime: Runtime, **columns: str) -> None:
    """Store what the service refuses today, as an older release did."""
    with runtime.work("acme", COMMAND_LINE) as work:
        ref = subjects.get(work, "crm-1").subject_ref
        store.update(work.connection, work.tenant_id, ref, columns)
        work.touch(ref)
        work.record("subject.updated", subject_ref=ref, facts={"changed": sorted(columns)})


def test_whoever_has_impossible_values_on_file_objects_all_the_same_and_is_put_right(
    any_caller: Caller, any_runtime: Runtime
) -> None:
    caller = any_caller
    person(caller)
    spoil(any_runtime, country="7", region="False", time_zone="7", language="True", customer_type="1")
    for type_ in ("objection", "withdraw_consent", "access", "erasure", "rectification"):
        made = ask(caller, type_, identity={"id": "crm-1"})
        assert made["status"] == ("fulfilled" if type_ in ("objection", "withdraw_consent") else "received")
    assert refused(caller), "and is not written to"
    right = {"country": "DE", "region": None, "time_zone": "Europe/Berlin", "language": "de"}
    wanted = [{"name": name, "value": value, "was": "7"} for name, value in right.items() if value == "DE"]
    wanted += [{"name": name, "value": value} for name, value in right.items() if value != "DE"]
    assert correct(caller, rectification(caller), *wanted, {"name": "customer_type", "value": None})
    said = known(caller)["attributes"]
    assert {name: said[name] for name in right} == right


def test_one_request_that_fails_does_not_keep_the_others_from_being_looked_at(
    any_caller: Caller,
    any_runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caller, runtime = any_caller, any_runtime
    for number in (1, 2, 3):
        person(caller, f"crm-{number}")
    monkeypatch.setattr(match_rights_requests, "_BATCH", 2)
    with runtime.work("acme", COMMAND_LINE) as work:
        made = [
            rights.take(work, NewRequest("objection", [SubjectReference(email=f"crm-{number}@example.org")]))
            for number in (1, 1, 2, 3)
        ]
    broken = {each.request_id for each in made[:2]}
    real = rights.match

    def match(work: Work, request_id: str) -> Any:
        found = real(work, request_id)
        if request_id in broken:
            raise KeyError("No time zone found with key 7 of anna@example.org")
        return found

    monkeypatch.setattr(rights, "match", match)
    assert match_rights_requests.run(runtime) == 2

    def states() -> list[str]:
        return [caller.get(f"{PATH}/{each.request_id}").get_json()["status"] for each in made]

    assert states() == ["received", "received", "fulfilled", "fulfilled"]
    told = capsys.readouterr().err
    assert told.count('"job-failed"') == 2
    assert '"failed": 2' in told
    assert "anna@" not in told
    broken.clear()
    assert match_rights_requests.run(runtime) == 2, "they are tried again"
    assert set(states()) == {"fulfilled"}
