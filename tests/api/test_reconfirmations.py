"""The list of consents that a policy wants confirmed again, over HTTP."""

from tests.api.conftest import Caller

PATH = "/v1/consents/reconfirmation-due"


def grant(caller: Caller, external_id: str, occurred_at: str) -> None:
    mail = {"type": "email", "value": f"{external_id}@example.org"}
    caller.put(f"/v1/subjects/{external_id}", {"identifiers": [mail], "attributes": {"country": "KR"}})
    answer = caller.post(
        "/v1/consents",
        {
            "subject": {"id": external_id},
            "purpose": "marketing",
            "channel": "email",
            "status": "granted",
            "method": "web_form",
            "occurred_at": occurred_at,
            "evidence": {"form_url": "https://shop.example/join"},
        },
    )
    assert answer.status_code == 201


def test_consents_that_grew_old_are_listed_page_by_page(caller: Caller) -> None:
    for number in range(3):
        grant(caller, f"crm-{number}", f"2020-01-0{number + 1}T00:00:00Z")
    seen, path = [], f"{PATH}?limit=2"
    for _ in range(2):
        listed = caller.get(path).get_json()
        seen += listed["items"]
        path = f"{PATH}?limit=2&after={listed['next']}"
    assert listed["next"] is None
    assert [each["subject"] for each in seen] == ["crm-0", "crm-1", "crm-2"]
    assert all(each["overdue"] and each["reason"]["code"] == "consent-expired" for each in seen)


def test_a_cursor_of_another_list_is_refused(caller: Caller) -> None:
    for number in range(3):
        grant(caller, f"crm-{number}", "2020-01-01T00:00:00Z")
    cursor = caller.get(f"{PATH}?limit=1").get_json()["next"]
    assert caller.get(f"{PATH}?limit=1&within_days=30&after={cursor}").status_code == 422
    assert caller.get(f"{PATH}?within_days=0").status_code == 422
