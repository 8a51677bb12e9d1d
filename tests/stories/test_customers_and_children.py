"""Stories of people whose yes needs something more, or who hear of us without one, told over HTTP."""

from tests.stories.crm import Crm

GUARDIAN = {"name": "Otto Berg", "verified_by": "id document"}


def test_a_child_says_yes_then_its_father_does_then_it_is_old_enough(crm: Crm) -> None:
    # Lena is fourteen, and ticks the box herself. In Germany that does not count before she is sixteen.
    crm.knows("lena", email="lena@example.org", attributes={"birth_date": "2012-02-10"})
    crm.consents("lena")
    assert crm.may("lena").codes == {"child-without-guardian"}
    refused, _ = crm.sends("lena")
    assert refused.codes == {"child-without-guardian"}
    # What she must be told about her account reaches her all the same, as long as nothing is sold in it.
    assert crm.may("lena", message_class="security", purpose="service")
    assert not crm.may("lena", message_class="security", purpose="service", contains_promotion=True)
    # A guardian of whom nobody says how they were verified is none.
    crm.consents("lena", guardian={"name": "Otto Berg"})
    assert not crm.may("lena")
    # Her father consents and is verified; her own yes remains beside his.
    crm.consents("lena", guardian=GUARDIAN)
    assert crm.may("lena")
    assert crm.screens() == {"lena": ()}
    states = crm.call("get", "/v1/subjects/lena/consents")["consents"]
    assert {(each["status"], each["guardian"]) for each in states} == {("granted", True)}
    # She says no herself: nobody overrules that but a new yes.
    crm.consents("lena", "withdrawn")
    assert {"consent-withdrawn", "child-without-guardian"} <= crm.may("lena").codes
    assert set(crm.screens()["lena"]) == {"consent-withdrawn", "child-without-guardian"}
    # Her own yes, said anew, is enough from sixteen on: in February 2028, when the month is over.
    crm.consents("lena")
    assert crm.may("lena", context={"time": "2028-02-29T23:59:00Z"}).codes == {"child-without-guardian"}
    assert crm.may("lena", context={"time": "2028-03-01T00:00:00Z"})


def test_who_bought_shoes_and_left_the_box_empty_hears_of_shoes_until_saying_no(crm: Crm) -> None:
    crm.call(
        "put",
        "/v1/capture-points/checkout",
        {"title": "Checkout", "owner": "shop", "channel": "email", "purposes": ["marketing"]},
    )
    mail = {"type": "email", "value": "jean@example.org"}
    sale = {"event": "purchase", "product_family": "shoes", "contact_point": mail, "opt_out_offered": True}
    crm.takes_in(
        "checkout",
        "jean",
        subject={"identifiers": [mail], "attributes": {"country": "FR"}, "relationship": "client"},
        events=[sale],
    )
    shoes = {"message_class": "customer_offer", "product_family": "shoes"}
    permitted = crm.may("jean", **shoes)
    assert permitted
    assert "include-unsubscribe" in permitted.obligations
    # Not of wine, not at large, and not by text.
    assert crm.may("jean", **{**shoes, "product_family": "wine"}).codes == {"consent-missing"}
    assert crm.may("jean", message_class="customer_offer").codes == {"consent-missing"}
    assert not crm.may("jean", "sms", **shoes)
    assert crm.screens(**shoes) == {"jean": ()}
    assert crm.screens(message_class="customer_offer") == {"jean": ("consent-missing",)}
    # Every message carries the way out, and one click on it is enough.
    sent, headers = crm.sends("jean", **shoes)
    assert sent
    crm.clicks(headers["List-Unsubscribe"])
    assert "consent-withdrawn" in crm.may("jean", **shoes).codes


def test_a_second_address_of_a_customer_is_not_the_one_that_was_given_in_the_sale(crm: Crm) -> None:
    crm.knows("jean", email="jean@example.org", attributes={"country": "FR"}, relationship="client")
    old = {"type": "email", "value": "jean@example.org"}
    crm.happened(
        "jean", "purchase", product_family="shoes", contact_point=old, opt_out_offered=True, reference="O-1"
    )
    shoes = {"message_class": "customer_offer", "product_family": "shoes"}
    assert crm.may("jean", **shoes)
    crm.call(
        "put", "/v1/subjects/jean", {"identifiers": [old, {"type": "email", "value": "new@example.org"}]}
    )
    assert crm.may("jean", contact_point=old, **shoes)
    assert not crm.may("jean", contact_point={"type": "email", "value": "new@example.org"}, **shoes)


def test_a_korean_who_agreed_to_the_night_gets_texts_at_night_and_may_take_that_back(crm: Crm) -> None:
    crm.knows("mina", phone="+821012345678", attributes={"country": "KR"})
    crm.consents("mina", channel="sms", method="app")
    at_night = {"context": {"time": "2026-12-02T13:00:00Z"}}
    assert crm.may("mina", "sms", context={"time": "2026-12-02T03:00:00Z"})
    assert crm.may("mina", "sms", **at_night).codes == {"quiet-hours"}
    said = crm.consents("mina", channel="sms", method="app", night=True)
    assert (said["state"]["night"], said["state"]["status"]) == (True, "granted")
    assert crm.may("mina", "sms", **at_night)
    crm.consents("mina", "withdrawn", channel="sms", method="app", night=True)
    assert crm.may("mina", "sms", **at_night).codes == {"quiet-hours"}
    assert crm.may("mina", "sms", context={"time": "2026-12-02T03:00:00Z"})
    history = crm.call("get", "/v1/subjects/mina/consents/history")["items"]
    # Each yes stands on the channel and on the number.
    said_in_order = list(dict.fromkeys((act["status"], act["night"]) for act in history))
    assert said_in_order == [("granted", False), ("granted", True), ("withdrawn", True)]
