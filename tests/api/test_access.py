"""Who may see what, over HTTP: roles, components, staff; what is refused, and what a leaver loses."""

from typing import Any

from flask.testing import FlaskClient

from governance.access import service as access
from governance.bootstrap import Runtime
from governance.callers.model import SCOPES
from tests.api.conftest import Caller, new_component
from tests.conftest import ACTOR

TEAM = {
    "title": "Second line",
    "kinds": ["staff"],
    "scopes": ["subjects:read"],
    "grants": [{"purposes": ["customer_care"], "data_classes": ["support_cases"], "stages": ["client"]}],
}


def refusal(answer: Any, member: str, status: int = 422) -> str:
    assert answer.status_code == status, answer.data
    return str(answer.get_json()["errors"][member][0])


def test_roles_change_by_version_and_what_contradicts_itself_is_refused(caller: Caller) -> None:
    shipped = {each["id"] for each in caller.get("/v1/roles").get_json()["items"]}
    assert shipped == {
        "support_agent",
        "call_centre",
        "marketer",
        "sales",
        "analyst",
        "ai_agent",
        "compliance_officer",
    }
    made = caller.put("/v1/roles/second_line", TEAM)
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    assert caller.put("/v1/roles/second_line", TEAM).status_code == 428
    assert caller.put("/v1/roles/second_line", TEAM, headers={"If-Match": '"7"'}).status_code == 412
    again = caller.put("/v1/roles/second_line", TEAM, headers={"If-Match": '"1"'})
    assert (again.status_code, again.get_json()["version"]) == (200, 2)
    assert caller.get("/v1/roles/second_line").get_json()["grants"] == TEAM["grants"]
    assert caller.get("/v1/roles/nobody").status_code == 404
    # In a circle
    assert caller.put("/v1/roles/third_line", {"includes": ["second_line"]}).status_code == 201
    circle = caller.put("/v1/roles/second_line", {"includes": ["third_line"]}, headers={"If-Match": '"2"'})
    assert "second_line includes third_line includes second_line" in refusal(circle, "includes")
    # Overlapping with what it includes, whichever of the two is written last
    masked = {"purposes": ["customer_care"], "masked": ["support_cases"]}
    overlap = caller.put("/v1/roles/fourth_line", {"includes": ["third_line"], **masked})
    assert "fourth_line overlaps with second_line" in refusal(overlap, "grants")
    assert caller.put("/v1/roles/fifth_line", masked).status_code == 201
    both = caller.put("/v1/roles/sixth_line", {"includes": ["second_line", "fifth_line"]})
    assert both.status_code == 201, "two roles that somebody holds add up"
    # Unknown words
    unknown = caller.put("/v1/roles/typo", {"purposes": ["customer_car"], "fields": ["emial"]})
    assert "customer_care" in refusal(unknown, "purposes.0")


def test_duties_are_separated_and_nobody_gives_what_they_lack(
    caller: Caller, client: FlaskClient, runtime: Runtime
) -> None:
    both = caller.put("/v1/staff/st-1", {"roles": ["marketer", "compliance_officer"]})
    assert "may not be held together" in refusal(both, "roles")
    assert caller.put("/v1/staff/st-1", {"roles": ["marketer", "support_agent"]}).status_code == 201
    parted = caller.put(
        "/v1/roles/support_agent",
        {"purposes": ["customer_care"], "excludes": ["marketer"]},
        headers={"If-Match": '"1"'},
    )
    assert "as staff st-1 does" in refusal(parted, "excludes")
    assert "for ai only" in refusal(caller.put("/v1/staff/st-2", {"roles": ["ai_agent"]}), "roles.0")
    # A clerk who may write access records gives no scope that the clerk has not
    clerk = Caller(client, new_component(runtime, "access:read", "access:write", "evaluate"))
    assert "admin" in refusal(clerk.put("/v1/roles/mighty", {"scopes": ["admin"]}), "scopes")
    assert "audit:read" in refusal(clerk.put("/v1/staff/st-3", {"roles": ["compliance_officer"]}), "roles")
    assert clerk.put("/v1/staff/st-3", {"roles": ["analyst"]}).status_code == 201
    assert "policies:approve" in refusal(
        clerk.put("/v1/staff/st-3", {"roles": ["compliance_officer"]}), "roles"
    )
    # Nobody changes what they hold themselves
    mine = new_component(runtime, *SCOPES)
    assert caller.put("/v1/staff/st-4", {"clients": [mine.component.client_id]}).status_code == 201
    own = Caller(client, mine).put("/v1/staff/st-4", {"roles": ["analyst"]})
    assert own.status_code == 409
    assert own.get_json()["type"].endswith("/own-authority")
    taken = caller.put("/v1/staff/st-5", {"clients": [mine.component.client_id]})
    assert taken.get_json()["type"].endswith("/credential-taken")
    assert caller.put("/v1/staff/st-5", {"clients": ["client_" + "0" * 32]}).status_code == 422


def test_whoever_left_loses_roles_scopes_and_tokens_with_the_next_request(
    caller: Caller, client: FlaskClient, runtime: Runtime
) -> None:
    credential = new_component(runtime, *SCOPES)
    body = {"roles": ["support_agent"], "clients": [credential.component.client_id]}
    assert caller.put("/v1/staff/st-1", body).status_code == 201
    theirs = Caller(client, credential)
    assert theirs.get("/v1/roles").status_code == 200
    with runtime.snapshot("acme", ACTOR) as snap:
        assert access.owner(snap, credential.component.client_id) == ("staff", "st-1")
        known = access.authority(snap, "st-1")
        assert known is not None
        assert known.active
        assert "consents:write" in known.scopes
        assert access.authority(snap, "st-9") is None
    left = caller.put("/v1/staff/st-1", {"status": "left"})
    assert left.status_code == 200
    assert left.get_json()["roles"] == ["support_agent"], "what was held stays on record"
    assert theirs.get("/v1/roles").status_code == 401
    with runtime.snapshot("acme", ACTOR) as snap:
        gone = access.authority(snap, "st-1")
        assert gone is not None
        assert not gone.active
        assert gone.scopes == frozenset()


def test_a_tenant_has_fields_and_assessments_of_its_own(caller: Caller) -> None:
    assert caller.put("/v1/data-fields/shoe_size", {"data_class": "preferences"}).status_code == 201
    fields = {each["id"]: each for each in caller.get("/v1/data-fields").get_json()["items"]}
    assert fields["shoe_size"] == {"id": "shoe_size", "data_class": "preferences", "mask": "hidden"}
    assert fields["email"]["mask"] == "domain"
    assert "catalogue" in refusal(caller.put("/v1/data-fields/email", {"data_class": "preferences"}), "id")
    assert (
        caller.put("/v1/roles/fitters", {"purposes": ["sales"], "fields": ["shoe_size"]}).status_code == 201
    )
    assessment = {
        "from": "customer_care",
        "to": "marketing",
        "outcome": "compatible",
        "owner": "privacy",
        "reference": "CA-2026-7",
        "expires_at": "2027-06-30T00:00:00Z",
    }
    assert caller.put("/v1/compatibility-assessments/calls", assessment).status_code == 201
    yesterday = {**assessment, "expires_at": "2026-11-20T00:00:00Z"}
    assert "past" in refusal(caller.put("/v1/compatibility-assessments/old", yesterday), "expires_at")
