"""What a role may say, and what its grants come to."""

from datetime import UTC, datetime
from typing import Any

import pytest

from governance.access import overlaps
from governance.access.definitions import Words, check_assessment, check_component, check_role
from governance.access.model import FULL, MASKED, NONE, Coverage, Field, Grant, Role, closure, cover, held
from governance.access.service import SCOPES
from governance.errors import InvalidError

EMAIL = Field("email", "contact_details", "domain")
PHONE = Field("phone", "contact_details", "last-four")
IBAN = Field("iban", "financial", "last-four")
WORDS = Words(
    purposes=frozenset({"marketing", "customer_care"}),
    data_classes=frozenset({"contact_details", "financial"}),
    fields={each.id: each for each in (EMAIL, PHONE, IBAN)},
    masks=frozenset({"domain", "last-four"}),
    stages=frozenset({"lead", "client"}),
    scopes=SCOPES,
    roles={"first": Role("first"), "machine": Role("machine", kinds=("ai",))},
)


def complaints(body: dict[str, Any]) -> dict[str, list[str]]:
    with pytest.raises(InvalidError) as refused:
        check_role("second", body, WORDS)
    return refused.value.fields


def test_a_role_spells_its_grant_itself_or_lists_several() -> None:
    flat = check_role("a", {"purposes": ["marketing"], "fields": ["email"], "stages": ["lead"]}, WORDS)
    listed = check_role(
        "a", {"grants": [{"purposes": ["marketing"], "fields": ["email"], "stages": ["lead"]}]}, WORDS
    )
    assert flat == listed
    assert flat.grants == (
        Grant(frozenset({"marketing"}), frozenset({"email"}), frozenset(), frozenset({"lead"})),
    )


def test_every_complaint_is_said_at_once_with_the_nearest_name() -> None:
    fields = complaints(
        {
            "tittle": "x",
            "kinds": ["robot"],
            "scopes": ["admim"],
            "includes": ["frist"],
            "grants": [{"purposes": ["marketting"], "fields": ["emial"], "stages": []}, 7],
        }
    )
    assert set(fields) == {
        "tittle",
        "kinds.0",
        "scopes.0",
        "includes.0",
        "grants.0.purposes.0",
        "grants.0.fields.0",
        "grants.0.stages",
        "grants.1",
    }
    assert "title" in fields["tittle"][0]
    assert "admin" in fields["scopes.0"][0]
    assert "email" in fields["grants.0.fields.0"][0]


def test_grants_that_overlap_are_refused_with_field_purpose_and_stage() -> None:
    one = {"purposes": ["marketing"], "fields": ["email"]}
    other = {"purposes": ["marketing", "customer_care"], "masked": ["contact_details"], "stages": ["lead"]}
    (sentence,) = complaints({"grants": [one, other]})["grants"]
    assert sentence == (
        "Grants 1 and 2 overlap: both speak of email for marketing in the stage lead; say it once."
    )
    check_role("a", {"grants": [one, {**other, "purposes": ["customer_care"]}]}, WORDS)
    check_role("a", {"grants": [{**one, "stages": ["client"]}, other]}, WORDS)
    assert (
        "email"
        in complaints({"purposes": ["marketing"], "fields": ["email"], "masked": ["email"]})["masked"][0]
    )


def test_a_role_that_goes_in_a_circle_is_found() -> None:
    roles = {
        "a": Role("a", includes=("b",)),
        "b": Role("b", includes=("c",)),
        "c": Role("c", includes=("a",)),
    }
    assert overlaps.circle("a", roles) == ("a", "b", "c", "a")
    assert overlaps.circle("a", {**roles, "c": Role("c")}) == ()
    assert overlaps.circle("a", {"a": Role("a", includes=("a",))}) == ("a", "a")
    assert closure("a", roles) == ("a", "b", "c"), "even so nothing runs for ever"


def test_a_role_and_what_it_includes_may_not_say_two_things() -> None:
    care = frozenset({"customer_care"})
    outer = Role("outer", grants=(Grant(care, frozenset({"email"}), frozenset()),))
    inner = Role(
        "inner", grants=(Grant(care, frozenset(), frozenset({"contact_details"}), frozenset({"lead"})),)
    )
    sentence = overlaps.clash(outer, inner, WORDS.fields) or ""
    assert "outer overlaps with inner" in sentence
    assert "email" in sentence
    same = Role("inner", grants=(Grant(care, frozenset({"email"}), frozenset()),))
    assert overlaps.clash(outer, same, WORDS.fields) is None


@pytest.mark.parametrize(
    ("purpose", "field", "stage", "expected"),
    [
        ("customer_care", EMAIL, "client", Coverage(True, FULL, True)),
        ("customer_care", PHONE, "client", Coverage(True, MASKED, True)),
        ("customer_care", PHONE, "lead", Coverage(True, FULL, True)),
        ("customer_care", EMAIL, "lead", Coverage(True, FULL, False)),
        ("customer_care", IBAN, "client", Coverage(True, NONE, True)),
        ("customer_care", EMAIL, None, Coverage(True, FULL, False)),
        ("marketing", EMAIL, "client", Coverage(False, NONE, False)),
        ("customer_care", None, "lead", Coverage(True, NONE, True)),
    ],
)
def test_grants_add_up_per_purpose_field_and_stage(
    purpose: str, field: Field | None, stage: str | None, expected: Coverage
) -> None:
    care = frozenset({"customer_care"})
    grants = (
        Grant(care, frozenset({"contact_details"}), frozenset({"phone"}), frozenset({"client"})),
        Grant(care, frozenset({"phone"}), frozenset(), frozenset({"lead"})),
    )
    assert cover(grants, purpose, field, stage) == expected


def test_what_a_role_includes_is_held_once() -> None:
    roles = {"a": Role("a", includes=("c",)), "b": Role("b", includes=("c", "gone")), "c": Role("c")}
    assert held(["a", "b"], roles) == ("a", "c", "b")


def test_a_component_names_a_kind_and_roles_for_that_kind() -> None:
    check_component("crm", {"kind": "ai", "roles": ["machine"]}, WORDS)
    for component_id, body, member in (
        ("crm", {}, "kind"),
        ("crm", {"kind": "service", "roles": ["machine"]}, "roles.0"),
        ("4915123456789", {"kind": "ai"}, "id"),
        ("a@example.org", {"kind": "ai"}, "id"),
        ("crm", {"kind": "ai", "clients": ["client_1"]}, "clients"),
    ):
        with pytest.raises(InvalidError) as refused:
            check_component(component_id, body, WORDS)
        assert member in refused.value.fields


def test_an_assessment_has_an_owner_a_reference_and_an_end_to_come() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    whole = {
        "from": "customer_care",
        "to": "marketing",
        "outcome": "compatible",
        "owner": "dpo",
        "reference": "LIA-7",
        "expires_at": "2027-01-01T00:00:00Z",
    }
    check_assessment("calls", whole, WORDS, now)
    for name, value in (
        ("owner", None),
        ("reference", None),
        ("expires_at", "2026-11-20T00:00:00Z"),
        ("expires_at", "soon"),
        ("to", "customer_care"),
        ("outcome", "fine"),
        ("from", "anything"),
    ):
        with pytest.raises(InvalidError) as refused:
            check_assessment("calls", {**whole, name: value}, WORDS, now)
        assert name in refused.value.fields
