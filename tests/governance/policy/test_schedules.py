"""What the loader refuses about retention schedules: file, line, sentence, nearest known name."""

from pathlib import Path

import pytest

from governance.policy.documents import Node, compose
from governance.policy.loader import check_documents, load_documents
from governance.policy.schedule_files import read_schedules
from governance.policy.service import shipped_documents

SHIPPED = check_documents(shipped_documents(), proven=False)

RULE = """\
schedule: mine
title: Mine
owner: me
reviewed: 2026-11-21
review_by: 2027-11-21
rules:
  - id: one
    keep: 8 years
    from: record_created
    data_classes: [invoices]
    then: delete
    binding: true
    because: Why.
    cites: ["Law § 1"]
    source: [ret.de]
"""
CASES = """\
schedule: mine
today: 2026-11-21
cases:
  - name: kept
    record: {data_class: invoices, clocks: {record_created: 1 year}}
    expect: {disposition: keep, until: 2033-11-21, winner: one}
"""


def problems(rule: str = RULE, cases: str | None = CASES) -> list[str]:
    """What is wrong with one schedule, with the shipped words and sources."""
    files = {"retention/mine.yaml": rule} | ({} if cases is None else {"retention/mine.cases.yaml": cases})
    trees: dict[str, Node] = {}
    for path, text in files.items():
        tree = compose(path, text)
        assert isinstance(tree, Node)
        trees[path] = tree
    _, found = read_schedules(trees, SHIPPED.vocabulary, SHIPPED.sources, scrutinised=False, proven=True)
    return [str(each) for each in found]


def test_a_schedule_with_a_case_for_each_rule_is_taken() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("8 years", "8", "mine.yaml:8: the period 8 has no unit; write '8 years'"),
        ("8 years", "8 yaers", "mine.yaml:8: '8 yaers' is no period"),
        ("8 years", "6 hours", "mine.yaml:8: '6 hours' is no period"),
        ("keep: 8 years", "delete: always", "'always' is no period"),
        ("    keep: 8 years\n", "", "mine.yaml:7: 'one' says either 'keep'"),
        (
            "keep: 8 years",
            "keep: {while: invoice_opn}",
            "unknown state 'invoice_opn'; did you mean 'invoice_open'?",
        ),
        ("keep: 8 years", "keep: {while: invoice_open}", "keeps while something lasts, so it has no clock"),
        (
            "from: record_created",
            "from: record_craeted",
            "unknown clock 'record_craeted'; did you mean 'record_created'?",
        ),
        ("    from: record_created\n", "", "mine.yaml:7: 'one' counts a period, so it needs 'from'"),
        ("from: record_created", "from: record_created\n    to_end_of: year", "unknown year 'year'"),
        ("[invoices]", "[invoice]", "mine.yaml:10: unknown data class 'invoice'; did you mean 'invoices'?"),
        ("[invoices]", "[]", "'data_classes' is empty, which would mean all"),
        ("[invoices]", "[invoices]\n    stages: [leads]", "unknown stage 'leads'; did you mean 'lead'?"),
        ("[invoices]", "[invoices]\n    purposes: [maketing]", "did you mean 'marketing'?"),
        ("[invoices]", "[invoices]\n    places: [Germany]", "unknown place 'Germany'"),
        ("then: delete", "then: destroy", "unknown word after 'then' 'destroy'"),
        ("ret.de", "ret.dee", "unknown source 'ret.dee'; did you mean 'ret.de'?"),
        ("    source: [ret.de]\n", "", "'one' binds, so it needs 'cites' and 'source'"),
        ("binding: true", "binding: true\n    verified: true", "cannot say verified: true"),
        ("    because: Why.\n", "", "a rule needs 'because'"),
        ("id: one", "id: One", "'One' is no id"),
        ("review_by: 2027-11-21", "review_by: 2025-11-21", "must be reviewed again after it was reviewed"),
        ("reviewed: 2026-11-21", "reviewed: soon", "'soon' is no date"),
        (
            "binding: true",
            "binding: true\n    effective: {from: 2027-01-01, until: 2026-01-01}",
            "never apply",
        ),
        ("owner: me\n", "", "a schedule needs 'owner'"),
        ("title: Mine", "title: Mine\ncolour: red", "unknown member of a schedule 'colour'"),
    ],
)
def test_a_doubtful_schedule_is_refused_with_its_line(old: str, new: str, complaint: str) -> None:
    found = problems(RULE.replace(old, new, 1), CASES)
    assert any(complaint in each for each in found), found
    assert all(each.startswith("retention/mine") for each in found)


def test_a_rule_twice_on_the_same_days_is_refused() -> None:
    again = RULE[RULE.index("  - id: one") :]
    assert any("stands here twice" in each for each in problems(RULE + again))


def test_a_schedule_needs_cases_that_hold_and_reach_each_rule() -> None:
    assert any("has no cases" in each for each in problems(cases=None))
    failing = problems(cases=CASES.replace("2033", "2034"))
    assert failing == [
        "retention/mine.cases.yaml:4: the case 'kept' fails: expected until 2034-11-21, got 2033-11-21"
    ]
    unreached = RULE + RULE[RULE.index("  - id: one") :].replace("id: one", "id: two").replace(
        "8 years", "1 year"
    )
    assert problems(unreached) == [
        "retention/mine.yaml:16: no case reaches the rule 'mine.two': add one that fails without it"
    ]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("record_created: 1 year", "record_craeted: 1 year", "unknown clock 'record_craeted'"),
        ("record_created: 1 year", "record_created: lately", "'lately' is no date"),
        ("disposition: keep", "disposition: stay", "unknown disposition 'stay'"),
        ("schedule: mine", "schedule: min", "unknown schedule 'min'; did you mean 'mine'?"),
        ("today: 2026-11-21\n", "", "the case has no day"),
        ("clocks:", "states: [sleeping], clocks:", "unknown state 'sleeping'"),
        ("clocks:", "financial_year_end: May, clocks:", "'May' is no end of a year"),
    ],
)
def test_a_doubtful_case_is_refused_with_its_line(old: str, new: str, complaint: str) -> None:
    found = problems(cases=CASES.replace(old, new, 1))
    assert any(complaint in each for each in found), found


def test_schedules_come_back_from_their_canonical_form() -> None:
    again = load_documents(SHIPPED.canonical)
    ids = [rule.id for rule in again.retention.rules]
    assert ids == [rule.id for rule in SHIPPED.retention.rules]
    assert len(ids) == len(set(ids)) > 50


def test_a_tenant_s_own_schedule_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "retention").mkdir()
    (tmp_path / "retention" / "mine.yaml").write_text(RULE.replace("schedule: mine", "schedule: it"))
    (tmp_path / "retention" / "mine.cases.yaml").write_text(CASES.replace("schedule: mine", "schedule: it"))
    found = check_documents(shipped_documents(tmp_path), proven=False).retention
    assert [rule.id for rule in found.rules if rule.schedule == "it"] == ["it.one"]
    assert {case.pack for case in found.cases} > {"it", "de"}
    assert "whole" not in {case.pack for case in found.cases}
