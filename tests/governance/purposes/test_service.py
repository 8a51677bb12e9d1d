import pytest

from governance.errors import InvalidError, NotFoundError, StaleError
from governance.purposes import service

BODY = {
    "title": "Offers",
    "owner": "marketing team",
    "lawful_basis": "consent",
    "message_classes": ["promotional"],
}


def test_the_catalogue_is_installed_once_and_recorded(work):
    service.install_catalogue(work)
    assert [(each.purpose_id, each.state) for each in service.every(work)] == [
        ("analytics", "inactive"),
        ("marketing", "active"),
    ]
    assert service.get_capture_point(work, "web-form").double_opt_in
    assert [event.kind for event in work.events] == ["purpose.put", "purpose.put", "capture_point.put"]
    service.install_catalogue(work)
    assert len(work.events) == 3


def test_installing_again_leaves_what_the_tenant_changed(work):
    service.install_catalogue(work)
    service.put(work, "marketing", {**BODY, "title": "Ours"}, 1)
    service.install_catalogue(work)
    assert (service.get(work, "marketing").title, service.get(work, "marketing").version) == ("Ours", 2)


def test_a_purpose_is_created_read_and_changed(work, clock):
    made = service.put(work, "marketing", BODY, None)
    assert (made.version, made.state) == (1, "active")
    assert service.get(work, "marketing") == made
    changed = service.put(work, "marketing", {**BODY, "owner": ""}, 1)
    assert (changed.version, changed.state) == (2, "inactive")
    assert service.find(work, "marketing") == changed
    facts = [dict(event.facts) for event in work.events]
    assert [(each["purpose"], each["version"], each["state"]) for each in facts] == [
        ("marketing", 1, "active"),
        ("marketing", 2, "inactive"),
    ]
    assert len({each["digest"] for each in facts}) == 2
    assert all("title" not in each and "owner" not in each for each in facts)


@pytest.mark.parametrize("if_match", [None, 1, 3])
def test_a_change_of_anything_but_the_newest_version_is_stale(work, if_match):
    service.put(work, "marketing", BODY, None)
    service.put(work, "marketing", BODY, 1)
    with pytest.raises(StaleError, match="newest version is 2"):
        service.put(work, "marketing", BODY, if_match)
    assert service.get(work, "marketing").version == 2


def test_a_version_of_what_is_not_there_is_stale(work):
    with pytest.raises(StaleError, match="does not exist"):
        service.put(work, "marketing", BODY, 1)


def test_a_bad_record_changes_nothing(work):
    with pytest.raises(InvalidError):
        service.put(work, "marketing", {**BODY, "message_classes": ["spam"]}, None)
    assert service.find(work, "marketing") is None
    assert work.events == []


@pytest.mark.parametrize("record_id", ["", "unknown", "a\x00b", "\ud800", "x" * 5000])
def test_what_does_not_exist_is_not_found(work, record_id):
    assert service.find(work, record_id) is None
    assert service.find_capture_point(work, record_id) is None
    with pytest.raises(NotFoundError):
        service.get(work, record_id)
    with pytest.raises(NotFoundError):
        service.get_capture_point(work, record_id)


def test_tenants_have_purposes_of_their_own(works):
    acme, other = works("acme"), works("other")
    service.put(acme, "marketing", BODY, None)
    assert service.find(other, "marketing") is None
    service.put(other, "marketing", {**BODY, "title": "Theirs"}, None)
    service.put(acme, "marketing", {**BODY, "title": "Ours"}, 1)
    assert [each.title for each in service.every(other)] == ["Theirs"]
    assert service.get(other, "marketing").version == 1


def test_a_capture_point_is_created_read_and_changed(work):
    with pytest.raises(InvalidError):
        service.put_capture_point(work, "kiosk", {"purposes": ["marketing"]}, None)
    service.put(work, "marketing", BODY, None)
    made = service.put_capture_point(work, "kiosk", {"purposes": ["marketing"], "notice": "privacy"}, None)
    assert service.get_capture_point(work, "kiosk") == made
    changed = service.put_capture_point(work, "kiosk", {"purposes": []}, 1)
    assert service.every_capture_point(work) == [changed]
    assert changed.version == 2
    with pytest.raises(StaleError):
        service.put_capture_point(work, "kiosk", {}, 1)
    assert [event.kind for event in work.events][1:] == ["capture_point.put"] * 2


def test_events_fit_into_the_ledger(work):
    from governance.ledger.model import check_event

    service.install_catalogue(work)
    for event in work.events:
        check_event(event)
