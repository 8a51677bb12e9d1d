import pytest

from governance.purposes.model import missing_members, read_capture_point, read_purpose

WHOLE = {
    "title": "Offers",
    "owner": "marketing team",
    "lawful_basis": "consent",
    "message_classes": ["promotional"],
}


def test_a_complete_purpose_is_active():
    purpose = read_purpose("marketing", 3, {**WHOLE, "data_classes": ["contact"], "controller": "Brand GmbH"})
    assert purpose.state == "active"
    assert (purpose.version, purpose.controller, purpose.lawful_basis) == (3, "Brand GmbH", "consent")
    assert (purpose.message_classes, purpose.data_classes) == (("promotional",), ("contact",))


@pytest.mark.parametrize("name", sorted(WHOLE))
@pytest.mark.parametrize("value", [None, "absent", ""])
def test_a_purpose_that_lacks_something_is_inactive(name, value):
    body = {**WHOLE, name: [] if value == "" and name == "message_classes" else value}
    if value == "absent":
        del body[name]
    assert missing_members(body) == (name,)
    assert read_purpose("marketing", 1, body).state == "inactive"


def test_a_complete_purpose_can_be_put_out_of_use():
    assert read_purpose("marketing", 1, {**WHOLE, "state": "inactive"}).state == "inactive"


def test_saying_active_does_not_make_an_incomplete_purpose_active():
    assert read_purpose("marketing", 1, {"title": "Offers", "state": "active"}).state == "inactive"


def test_the_basis_of_the_stage_goes_before_the_country_and_the_default():
    basis = {
        "default": "consent",
        "by_country": {"US": "legitimate_interests"},
        "by_stage": {"client": "contract"},
    }
    purpose = read_purpose("marketing", 1, {**WHOLE, "lawful_basis": basis})
    assert purpose.state == "active"
    assert purpose.basis_for(country="US", stage="client") == "contract"
    assert purpose.basis_for(country="US", stage="lead") == "legitimate_interests"
    assert purpose.basis_for(country=None, stage=None) == "consent"
    assert read_purpose("marketing", 1, WHOLE).basis_for(country="US", stage="client") == "consent"


def test_bases_without_a_default_leave_a_purpose_incomplete():
    body = {**WHOLE, "lawful_basis": {"by_country": {"US": "consent"}}}
    assert missing_members(body) == ("lawful_basis",)


def test_a_capture_point_reads_what_it_serves():
    point = read_capture_point(
        "web-form", 1, {"purposes": ["marketing"], "double_opt_in": True, "notice": "privacy"}
    )
    assert (point.purposes, point.double_opt_in, point.notice, point.channel) == (
        ("marketing",),
        True,
        "privacy",
        None,
    )
