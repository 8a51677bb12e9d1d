"""Records end by their own ids; corrections and restrictions change the person's own rows and no others."""

import pytest

from governance.errors import InvalidError
from governance.systems.model import Change, Disposal, Disposition, Outcome, SubjectKeys
from tests.fixtures import crm
from tests.fixtures.crm import ANNA, BEN, gone
from tests.governance.systems.conftest import Crm

DELETE = Disposition("delete")


def dispose(crm_here: Crm, *ids: str, disposition: Disposition = DELETE, id: str = "") -> Outcome:
    disposal = Disposal("financial", ids, disposition)
    return crm_here.ask("dispose", SubjectKeys(""), id=id, disposal=disposal)


def test_records_end_with_what_hangs_on_them_unless_the_law_still_keeps_them(any_crm: Crm) -> None:
    before = any_crm.dump()
    outcome = dispose(any_crm, "R-1", "R-2", "R-404")
    assert (outcome.status, outcome.because) == ("done", "")
    assert dict(outcome.records) == {"R-1": "erased", "R-2": "kept_until", "R-404": "not_found"}
    after = any_crm.dump()
    assert gone(before, after) == {"invoice": 1, "invoice_line": 1}
    assert dispose(any_crm, "R-1", "R-2", "R-404").records == {
        "R-1": "not_found", "R-2": "kept_until", "R-404": "not_found",
    }  # fmt: skip
    assert any_crm.dump() == after


def test_a_batch_of_records_of_many_people_goes_at_once(sqlite_crm: Crm) -> None:
    sqlite_crm.put(tables=crm.tables(keep_invoices=False))
    rows = ", ".join(f"({n}, {1 + n % 4}, 'B-{n}', 'x', '2020-01-01', 1)" for n in range(1000, 1500))
    sqlite_crm.run(f"INSERT INTO invoice VALUES {rows};\n")
    before = sqlite_crm.dump()
    outcome = dispose(sqlite_crm, *(f"B-{n}" for n in range(1000, 1500)), id="batch")
    assert set(outcome.records.values()) == {"erased"}
    assert gone(before, sqlite_crm.dump()) == {"invoice": 500}
    again = dispose(sqlite_crm, *(f"B-{n}" for n in range(1000, 1500)), id="batch")
    assert again.records == outcome.records


def test_records_can_be_emptied_instead(any_crm: Crm) -> None:
    any_crm.put(tables=crm.tables(keep_invoices=False))
    outcome = dispose(any_crm, "R-1", "R-3", disposition=Disposition("null"))
    assert (outcome.status, outcome.because) == ("done", "")
    assert set(outcome.records.values()) == {"anonymised"}
    assert not [row for row in any_crm.dump()["invoice"] if "Dora" in row]


def test_classes_without_records_and_impossible_disposals_are_refused(sqlite_crm: Crm) -> None:
    disposal = Disposal("interactions", ("1",), DELETE)
    outcome = sqlite_crm.ask("dispose", SubjectKeys(""), disposal=disposal)
    assert outcome.status == "failed"
    assert "record_key" in outcome.because
    with pytest.raises(InvalidError):
        Disposal("financial", (), DELETE)
    with pytest.raises(InvalidError):
        Disposal("financial", tuple(map(str, range(1001))), DELETE)


def test_a_correction_reaches_every_own_field_of_that_meaning(any_crm: Crm) -> None:
    before = any_crm.dump()
    change = Change("family_name", "Neumann", "Änderlich")
    outcome = any_crm.ask("correct", ANNA, changes=(change,))
    assert (outcome.status, outcome.because) == ("done", "")
    assert [(each.data_class, each.outcome, dict(each.rows)) for each in outcome.steps] == [
        ("identification", "corrected", {"contact": 1})
    ]
    after = any_crm.dump()
    assert [name for name in before if before[name] != after[name]] == ["contact"]
    assert sum("Neumann" in row for row in after["contact"]) == 1
    assert any_crm.ask("correct", ANNA, changes=(change,)).status == "done"  # it is so already
    assert any_crm.dump() == after
    other = Change("contact.given_name", "Xenia", "Not her name")
    assert [each.outcome for each in any_crm.ask("correct", ANNA, changes=(other,)).steps] == ["not_found"]
    assert any_crm.ask("correct", ANNA, changes=(Change("shoe_size", 39),)).status == "unsupported"
    assert any_crm.dump() == after


def test_a_value_that_the_database_cannot_take_is_a_failure(any_crm: Crm) -> None:
    before = any_crm.dump()
    outcome = any_crm.ask("correct", ANNA, changes=(Change("contact.family_name", None),))
    assert outcome.status == "failed"
    assert any_crm.dump() == before


def test_shared_rows_are_corrected_by_nobody_alone(any_crm: Crm) -> None:
    before = any_crm.dump()
    outcome = any_crm.ask("correct", BEN, changes=(Change("household.street", "Elsewhere 1"),))
    assert [each.outcome for each in outcome.steps] == ["not_found"]
    assert any_crm.dump() == before


def test_a_restriction_is_set_and_lifted(any_crm: Crm) -> None:
    before = any_crm.dump()
    assert [each.outcome for each in any_crm.ask("restrict", ANNA).steps] == ["restricted"]
    marked = any_crm.dump()
    assert [name for name in before if before[name] != marked[name]] == ["contact"]
    assert any_crm.ask("restrict", ANNA).status == "done"
    assert any_crm.dump() == marked
    assert [each.outcome for each in any_crm.ask("release", ANNA).steps] == ["released"]
    assert any_crm.dump() == before
    tables = crm.tables()
    del tables["contact"]["restriction"]
    any_crm.put(tables=tables)
    assert any_crm.ask("restrict", ANNA).status == "unsupported"
