"""Nobody changes what they hold themselves, whatever way leads to it: record, role, field, credential."""

from typing import Any

from flask import Flask

from governance.bootstrap import Runtime
from tests.api.conftest import Caller, new_component
from tests.api.test_break_glass import PERSON, read
from tests.api.test_two_persons import client_id, ok

SCOPES = ("access:read", "access:write", "evaluate", "consents:read", "consents:write", "subjects:read")
MORE: dict[str, Any] = {"purposes": ["customer_care"], "fields": ["tickets"]}


def refused(answer: Any) -> bool:
    kind = (answer.get_json() or {}).get("type", "")
    return answer.status_code == 409 and str(kind).endswith("/own-authority")


def test_nobody_changes_what_they_hold_themselves(
    any_app: Flask, any_caller: Caller, any_runtime: Runtime
) -> None:
    boss = any_caller
    clerk, program, free = (Caller(boss.client, new_component(any_runtime, *SCOPES)) for _ in range(3))
    ok(boss.put("/v1/subjects/crm-1", PERSON))
    ok(boss.put("/v1/data-fields/pay_day", {"data_class": "support_cases"}))
    ok(boss.put("/v1/roles/inner", {"purposes": ["customer_care"], "data_classes": ["contact_details"]}))
    ok(boss.put("/v1/roles/outer", {"includes": ["inner"]}))
    ok(boss.put("/v1/roles/other", {"purposes": ["customer_care"], "fields": ["email"]}))
    ok(boss.put("/v1/staff/st-clerk", {"roles": ["outer"], "clients": [client_id(clerk)]}))
    desk = {"kind": "service", "roles": ["analyst"], "clients": [client_id(program)]}
    ok(boss.put("/v1/components/desk", desk))

    first, second = {"If-Match": '"1"'}, {"If-Match": '"2"'}
    # A role that is held, also by inclusion; less of it is a change as well.
    for role in ("outer", "inner"):
        assert refused(clerk.put(f"/v1/roles/{role}", {**MORE, "includes": []}, headers=first)), role
    # The own record, whoever it is, and a record that would be one's own.
    assert refused(clerk.put("/v1/staff/st-clerk", {"roles": ["other"]}))
    assert refused(clerk.put("/v1/staff/st-clerk", {"status": "left"}))
    assert refused(program.put("/v1/components/desk", {**desk, "roles": ["analyst", "marketer"]}))
    for caller in (clerk, program, free):
        mine = {"kind": "service", "grants": [MORE]}
        assert refused(caller.put(f"/v1/components/{client_id(caller)}", mine)), "named as the credential"
    assert refused(free.put("/v1/staff/st-me", {"roles": ["support_agent"], "clients": [client_id(free)]}))
    assert refused(free.put("/v1/components/me", {"kind": "service", "clients": [client_id(free)], **MORE}))
    # What a field is that is seen.
    moved = {"data_class": "contact_details"}
    assert refused(clerk.put("/v1/data-fields/pay_day", moved, headers=first))
    # Nothing of it counts.
    asks = (("staff", "st-clerk"), ("component", client_id(clerk)), ("component", client_id(free)))
    for asker in (*asks, ("component", "desk"), ("component", client_id(program)), ("staff", "st-me")):
        assert read(boss, asker, "tickets")["decision"] is False, asker
        assert read(boss, asker, "pay_day")["decision"] is False, asker

    # Others do it, and what is not one's own one may change.
    ok(clerk.put("/v1/roles/other", MORE, headers=first))
    ok(clerk.put("/v1/components/desk", {**desk, "title": "Desk"}))
    ok(clerk.put("/v1/data-fields/shoe_size", {"data_class": "preferences"}))
    ok(boss.put("/v1/roles/inner", MORE, headers=first))
    assert read(boss, ("staff", "st-clerk"), "tickets")["decision"] is True
    # What says the same as before is no change.
    ok(clerk.put("/v1/roles/inner", MORE, headers=second))
    ok(clerk.put("/v1/staff/st-clerk", {"roles": ["outer"]}))
