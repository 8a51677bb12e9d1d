"""A person's rows in a CRM's database: found exactly, erased exactly, once, and proven by reading again."""

from datetime import date

from governance.systems.model import Disposition, ErasurePlan
from tests.fixtures import crm
from tests.fixtures.crm import ANNA, BEN, CARLA, LAW, NOBODY, gone
from tests.governance.systems.conftest import Crm

ANNAS_ROWS = {
    "contact": 1,
    "household_member": 2,
    "household": 2,
    "household_note": 2,
    "opportunity_contact": 2,
    "opportunity": 2,
    "activity": 2,
    "support_case": 2,
    "case_comment": 2,
    "invoice": 2,
    "invoice_line": 2,
}


def test_what_is_collected_is_exactly_the_persons_rows(any_crm: Crm) -> None:
    before = any_crm.dump()
    outcome = any_crm.ask("collect", ANNA)
    assert (outcome.status, outcome.because) == ("done", "")
    assert dict(outcome.counts) == ANNAS_ROWS
    values = [value for item in outcome.items for value in item.values.values()]
    assert {"Anna", "Änderlich", "030 / 1234 56-78", "1979-12-31", "Lindenstr. 1"} <= set(values)
    assert not [value for value in values if "Dora" in str(value) or "Beispiel" in str(value)]
    shared = {(each.table, each.row) for each in outcome.items if each.shared}
    assert shared == {("household", "1"), ("household_note", "1"), ("opportunity", "1")}
    free = {each.table for each in outcome.items if each.free_text}
    assert free == {"household_note", "activity", "support_case", "case_comment"}
    assert [each for each in outcome.warnings if "activity" in each and "mention" in each]
    assert any_crm.dump() == before


def test_an_erasure_removes_exactly_the_persons_rows(any_crm: Crm) -> None:
    any_crm.put(tables=crm.tables(keep_invoices=False))
    before = any_crm.dump()
    outcome = any_crm.erase(ANNA)
    assert (outcome.status, outcome.because) == ("done", "")
    after = any_crm.dump()
    assert gone(before, after) == ANNAS_ROWS | {"household": 1, "household_note": 1, "opportunity": 1}
    assert not [row for row in (*after["contact"], *after["support_case"]) if "'anna@" in row.lower()]
    by_class = {(each.data_class, each.outcome) for each in outcome.steps}
    assert ("identification", "erased") in by_class
    assert ("contact_details", "anonymised") in by_class  # the household that she shared
    assert ("organisation", "not_found") not in by_class  # not mapped here, so nothing is said of it
    again = any_crm.erase(ANNA)
    assert again.status == "done"
    assert {each.outcome for each in again.steps} == {"not_found"}
    assert any_crm.dump() == after
    assert set(any_crm.ask("count", ANNA).counts.values()) == {0}


def test_the_same_operation_answers_the_same_and_does_nothing_more(any_crm: Crm) -> None:
    first = any_crm.erase(ANNA, id="once")
    after = any_crm.dump()
    assert any_crm.erase(ANNA, id="once").steps == first.steps
    assert any_crm.dump() == after


def test_invoices_stay_until_the_law_lets_them_go_and_the_rest_names_nobody(any_crm: Crm) -> None:
    before = any_crm.dump()
    outcome = any_crm.erase(ANNA)
    assert (outcome.status, outcome.because) == ("done", "")
    kept = [each for each in outcome.steps if each.outcome == "kept_until"]
    assert [(each.data_class, each.until, each.because) for each in kept] == [
        ("financial", date(2035, 1, 1), LAW)
    ]
    assert dict(kept[0].rows) == {"invoice": 1, "invoice_line": 1}
    erased = [each for each in outcome.steps if (each.data_class, each.outcome) == ("financial", "erased")]
    assert dict(erased[0].rows) == {"invoice": 1, "invoice_line": 1}
    after = any_crm.dump()
    assert len(after["contact"]) == len(before["contact"])  # an empty shell: the kept invoice refers to it
    (shell,) = set(after["contact"]) - set(before["contact"])
    assert "erased-" in shell
    for word in ("Anna", "Änderlich", "anna@", "1234", "1979", "crm-1"):
        assert word not in shell
    assert any("R-2" in row for row in after["invoice"])
    assert set(any_crm.ask("count", ANNA).counts.values()) == {0}
    assert [name for name, rows in before.items() if set(after[name]) - set(rows)] == ["contact"]


def test_what_was_kept_goes_when_its_day_has_come(any_crm: Crm) -> None:
    any_crm.erase(ANNA)
    any_crm.runtime.clock.at = any_crm.runtime.clock.at.replace(year=2035)  # type: ignore[attr-defined]
    before = any_crm.dump()
    outcome = any_crm.erase(ANNA)
    assert (outcome.status, outcome.because) == ("done", "")
    lost = gone(before, any_crm.dump())
    assert (lost["contact"], lost["invoice"], lost["invoice_line"]) == (1, 1, 1)
    assert not [each for each in any_crm.dump()["contact"] if "erased" in each]


def test_a_plan_keeps_empties_and_pseudonymises_class_by_class(any_crm: Crm) -> None:
    plan = ErasurePlan(
        {
            "contact_details": Disposition("null"),
            "interactions": Disposition("keep_until", date(2030, 1, 1), "A dispute is open."),
            "demographics": Disposition("pseudonymise"),
        }
    )
    before = any_crm.dump()
    outcome = any_crm.erase(ANNA, plan=plan)
    assert (outcome.status, outcome.because) == ("done", "")
    outcomes = {(each.data_class, each.outcome) for each in outcome.steps}
    assert ("interactions", "kept_until") in outcomes
    assert ("demographics", "anonymised") in outcomes
    after = any_crm.dump()
    assert after["activity"] == before["activity"]
    (row,) = set(after["contact"]) - set(before["contact"])
    assert "Änderlich" in row  # identification is not in the plan
    assert "anna@" not in row.lower()
    assert "1979" not in row


def test_a_person_who_is_not_there_is_not_found_and_nothing_changes(any_crm: Crm) -> None:
    before = any_crm.dump()
    outcome = any_crm.erase(NOBODY)
    assert outcome.status == "done"
    assert {each.outcome for each in outcome.steps} == {"not_found"}
    assert any_crm.dump() == before


def test_an_address_of_two_people_takes_only_the_one_who_is_meant(any_crm: Crm) -> None:
    before = any_crm.dump()
    assert any_crm.ask("count", BEN).counts["contact"] == 1
    outcome = any_crm.erase(BEN)
    assert (outcome.status, outcome.because) == ("done", "")
    assert [each for each in outcome.warnings if "another person's id" in each]
    assert gone(before, any_crm.dump())["contact"] == 1
    assert any("crm-3" in row for row in any_crm.dump()["contact"])
    again = any_crm.erase(BEN)  # only Carla bears the address now
    assert (again.status, {each.outcome for each in again.steps}) == ("done", {"not_found"})


def test_rows_of_others_that_refer_to_the_person_stop_the_erasure_unless_they_may_be_unlinked(
    any_crm: Crm,
) -> None:
    before = any_crm.dump()
    outcome = any_crm.erase(CARLA)  # Anna's manager
    assert outcome.status == "failed"
    assert "contact.manager_id" in outcome.because
    assert any_crm.dump() == before
    tables = crm.tables()
    tables["contact"]["unlink"] = ["contact.manager_id"]
    any_crm.put(tables=tables)
    assert any_crm.erase(CARLA).status == "done"
    after = any_crm.dump()
    assert len(before["contact"]) - len(after["contact"]) == 1
    (anna,) = set(after["contact"]) - set(before["contact"])
    assert "'crm-1', 1, None, 'Anna'" in anna
