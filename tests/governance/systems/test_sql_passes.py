"""An erasure in two passes, because something was held or kept: the tables end as one pass leaves them."""

from datetime import date

import pytest

from governance.systems.model import DELETE, Disposition, ErasurePlan, SubjectKeys
from tests.fixtures import crm
from tests.fixtures.crm import ANNA, gone
from tests.governance.systems.conftest import Crm

ZOE = SubjectKeys("sub_zoe", (), ("zoe@example.org",))
NEWSLETTER = {
    "data_class": "identification",
    "person": True,
    "keys": [{"column": "email", "matches": "email"}],
    "fields": {
        "email": {"data_class": "contact_details", "attribute": "email"},
        "full_name": "identification",
    },
}
CLASSES = ("identification", "contact_details", "demographics", "interactions", "transactions", "financial")


def first_pass(held: str, how: str) -> ErasurePlan:
    """Everything but what a hold covers (it is not named), or is kept until a day."""
    plan = {each: Disposition(DELETE) for each in crm.DATA_CLASSES if each != held}
    if how == "kept":
        plan[held] = Disposition("keep_until", date(2030, 1, 1), "A dispute is open.")
    return ErasurePlan(plan)


def second_pass(held: str) -> ErasurePlan:
    return ErasurePlan({held: Disposition(DELETE)}, frozenset(crm.DATA_CLASSES) - {held})


@pytest.mark.parametrize("how", ["held", "kept"])
def test_two_passes_leave_what_one_leaves(any_crm: Crm, how: str) -> None:
    any_crm.put(tables=crm.tables(keep_invoices=False))
    assert any_crm.erase(ANNA).status == "done"
    once = any_crm.dump()
    for held in CLASSES:
        crm.clear(any_crm.url)
        crm.make(any_crm.url)
        first = any_crm.erase(ANNA, plan=first_pass(held, how))
        assert (first.status, first.because) == ("done", ""), held
        assert any_crm.dump() != once, held
        second = any_crm.erase(ANNA, plan=second_pass(held))
        assert (second.status, second.because) == ("done", ""), held
        assert held not in {each.data_class for each in second.steps if each.outcome == "not_found"}
        assert any_crm.dump() == once, held


def test_a_row_of_others_is_kept_as_long_as_what_links_the_person_to_it(any_crm: Crm) -> None:
    """The shared opportunity stays; its link to Anna is kept, so nobody says that it was removed."""
    tables = crm.tables(keep_invoices=False)
    tables["opportunity"]["data_class"] = "interactions"
    tables["opportunity"]["fields"] = {"title": "interactions", "amount": "interactions"}
    any_crm.put(tables=tables)
    links = any_crm.dump()["opportunity_contact"]
    first = any_crm.erase(ANNA, plan=first_pass("transactions", "kept"))
    assert any_crm.dump()["opportunity_contact"] == links
    told = [(each.outcome, each.until) for each in first.steps if "opportunity" in each.rows]
    assert ("kept_until", date(2030, 1, 1)) in told
    assert not [each for each in first.steps if "was removed" in each.because and "opportunity" in each.rows]
    held = any_crm.erase(ANNA, plan=first_pass("transactions", "held"))
    (shared,) = [each for each in held.steps if "other people" in each.because and "opportunity" in each.rows]
    assert "goes later" in shared.because
    last = any_crm.erase(ANNA, plan=ErasurePlan.delete(crm.DATA_CLASSES))
    told = [
        each.outcome for each in last.steps if "opportunity" in each.rows and "was removed" in each.because
    ]
    assert told == ["anonymised"]
    assert len(any_crm.dump()["opportunity_contact"]) == len(links) - 2


def test_a_row_that_comes_while_it_is_read_again_is_told_too(any_crm: Crm) -> None:
    any_crm.run("CREATE TABLE newsletter (id INTEGER PRIMARY KEY, email VARCHAR(99), full_name TEXT);\n")
    any_crm.run("INSERT INTO newsletter VALUES (1, 'zoe@example.org', 'Zoe');\n")
    any_crm.put(tables={"newsletter": NEWSLETTER})
    any_crm.erase(ZOE, plan=first_pass("identification", "held"))
    second = any_crm.erase(ZOE, plan=second_pass("identification"))
    assert "failed" not in {each.outcome for each in second.steps}
    any_crm.run("INSERT INTO newsletter VALUES (7, 'zoe@example.org', NULL);\n")
    late = any_crm.erase(ZOE, plan=second_pass("identification"))
    assert [each.data_class for each in late.steps if each.outcome == "failed"] == ["contact_details"]
    assert len(any_crm.dump()["newsletter"]) == 1, "the row is left for somebody to look at"


@pytest.mark.parametrize("held", ["identification", "contact_details"])
@pytest.mark.parametrize("how", ["held", "kept"])
def test_a_row_of_which_something_stays_is_found_again(any_crm: Crm, how: str, held: str) -> None:
    any_crm.run("CREATE TABLE newsletter (id INTEGER PRIMARY KEY, email VARCHAR(99), full_name TEXT);\n")
    any_crm.run("INSERT INTO newsletter VALUES (1, 'zoe@example.org', 'Zoe'), (2, 'yan@example.org', 'Y');\n")
    any_crm.put(tables={"newsletter": NEWSLETTER})
    assert any_crm.erase(ZOE, plan=first_pass(held, how)).status == "done"
    mine, others = any_crm.dump()["newsletter"]
    assert (("Zoe" in mine), ("zoe@" in mine)) == (held == "identification", held == "contact_details")
    second = any_crm.erase(ZOE, plan=second_pass(held))
    assert (held, "erased") in {(each.data_class, each.outcome) for each in second.steps}
    assert any_crm.dump()["newsletter"] == [others]


def test_a_key_that_cannot_be_kept_in_other_words_is_not_emptied(any_crm: Crm) -> None:
    any_crm.run("CREATE TABLE newsletter (id INTEGER PRIMARY KEY, email VARCHAR(15), full_name TEXT);\n")
    any_crm.run("INSERT INTO newsletter VALUES (1, 'zoe@example.org', 'Zoe');\n")
    any_crm.put(tables={"newsletter": NEWSLETTER})
    before = any_crm.dump()
    outcome = any_crm.erase(ZOE, plan=first_pass("identification", "held"))
    assert outcome.status == "failed"
    assert "nobody would find it again" in outcome.because
    assert any_crm.dump() == before


def test_what_came_since_the_first_pass_is_not_taken_for_what_is_left_of_it(any_crm: Crm) -> None:
    any_crm.put(tables=crm.tables(keep_invoices=False))
    any_crm.erase(ANNA, plan=first_pass("demographics", "held"))
    any_crm.run(
        "INSERT INTO contact (id, crm_id, family_name, email) VALUES (9, '', 'N', 'anna@example.org');\n"
    )
    before = any_crm.dump()
    second = any_crm.erase(ANNA, plan=second_pass("demographics"))
    assert second.status == "done"
    told = {each.data_class: each for each in second.steps if each.outcome == "failed"}
    assert set(told) == {"identification", "contact_details"}, "it is told, not passed over"
    assert "table contact" in told["identification"].because
    assert "anna" not in told["identification"].because
    assert gone(before, any_crm.dump()) == {"contact": 1}
    assert "'N'" in repr(any_crm.dump()["contact"])
