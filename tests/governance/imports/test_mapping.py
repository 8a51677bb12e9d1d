"""A mapping is read strictly: what it does not know, it says, with line and value."""

from pathlib import Path

import pytest

from governance.imports.mapping import MappingError, check_columns, read_mapping
from governance.imports.model import RowError, read_row
from governance.imports.reading import rows

EXAMPLE = Path(__file__).parents[3] / "docs/examples/crm-leads.mapping.yaml"
SMALL = """
mapping: small
format: csv
subject:
  external_id: Id
  relationship: {column: Stage, values: {L: lead, C: client}}
attributes:
  country: {column: Country, values: {Germany: DE, "": null}, otherwise: null}
identifiers:
  - {type: email, column: E-mail}
suppressions:
  - when: {Opt Out: ["Yes", "Y"]}
    scope: marketing
    channel: email
consents:
  - when: {Activity: Unsubscribed}
    purpose: marketing
    channel: email
    status: withdrawn
    occurred_at: When
"""


def refused(text: str) -> str:
    with pytest.raises(MappingError) as caught:
        read_mapping("m.yaml", text)
    return str(caught.value)


def test_the_shipped_example_can_be_read() -> None:
    mapping = read_mapping("crm-leads.mapping.yaml", EXAMPLE.read_text())
    assert mapping.external_id == "Prospect ID"
    assert all(rule.status != "granted" for rule in mapping.consents), "No is never taken for consent"


def test_an_unknown_member_is_named_with_its_line_and_the_nearest_name() -> None:
    said = refused(SMALL.replace("suppressions:", "supressions:"))
    assert "m.yaml:11: unknown member of the mapping 'supressions'; did you mean 'suppressions'?" in said


def test_an_unknown_value_is_named_with_its_line() -> None:
    assert "m.yaml:6: unknown relationship 'leed'; did you mean 'lead'?" in refused(
        SMALL.replace("L: lead", "L: leed")
    )
    assert "unknown status 'withdrawnn'" in refused(SMALL.replace("status: withdrawn", "status: withdrawnn"))


def test_an_empty_condition_is_refused_since_it_would_hold_for_everyone() -> None:
    assert "an empty 'when'" in refused(SMALL.replace('when: {Opt Out: ["Yes", "Y"]}', "when: {}"))


def test_a_column_that_the_file_has_not_is_named_with_the_mappings_line() -> None:
    mapping = read_mapping("m.yaml", SMALL)
    with pytest.raises(MappingError) as caught:
        check_columns("m.yaml", mapping, ["Id", "Stage", "Contry", "E-mail", "Opt Out", "Activity", "When"])
    assert str(caught.value).endswith("m.yaml:8: the file has no column 'Country'; did you mean 'Contry'?")


def one(**changes: str) -> dict[str, str]:
    row = {"Id": "p1", "Stage": "L", "Country": "", "E-mail": "", "Opt Out": "No", "Activity": "", "When": ""}
    return row | changes


def test_a_row_says_only_what_the_mapping_lets_it_say() -> None:
    mapping = read_mapping("m.yaml", SMALL)
    read = read_row(mapping, 1, one())
    assert (read.external_id, read.relationship, dict(read.attributes)) == ("p1", "lead", {})
    assert (list(read.suppressions), list(read.consents), list(read.identifiers)) == ([], [], [])


def test_an_opt_out_and_a_withdrawal_are_taken_in() -> None:
    mapping = read_mapping("m.yaml", SMALL)
    row = one(**{"Opt Out": "Y", "Activity": "Unsubscribed", "When": "2026-03-01"})
    read = read_row(mapping, 1, row)
    assert [rule.scope for rule in read.suppressions] == ["marketing"]
    assert [(one.status, one.method) for one in read.consents] == [("withdrawn", "import")]


def test_a_value_outside_the_table_is_an_error_that_names_column_value_and_line() -> None:
    mapping = read_mapping("m.yaml", SMALL)
    with pytest.raises(RowError) as caught:
        read_row(mapping, 1, one(Stage="X"))
    assert (caught.value.column, caught.value.value) == ("Stage", "X")
    assert "line 6" in caught.value.sentence


def test_a_value_outside_a_table_with_otherwise_is_not_an_error() -> None:
    mapping = read_mapping("m.yaml", SMALL)
    assert dict(read_row(mapping, 1, one(Country="Atlantis")).attributes) == {}


def test_a_date_that_is_none_is_an_error() -> None:
    mapping = read_mapping("m.yaml", SMALL)
    with pytest.raises(RowError, match="ISO 8601"):
        read_row(mapping, 1, one(Activity="Unsubscribed", When="soon"))


HEADER = "Id,Stage,Country,E-mail,Opt Out,Activity,When\n"


def read_lines(*lines: str, **changes: str) -> list[tuple[int, object]]:
    text = SMALL
    for old, new in changes.items():
        text = text.replace(old, new)
    return list(rows(read_mapping("m.yaml", text), "m.yaml", iter(lines)))


def test_broken_rows_are_numbered_and_never_stop_the_others() -> None:
    found = read_lines(
        HEADER,
        "a,L,,,No,,\n",
        "b,L,\n",
        'c,L,"x"y,,No,,\n',
        "d,L,\x00,,No,,\n",
        "e\udcff,L,,,No,,\n",
        "f,L,,,No,,\n",
    )
    assert [number for number, _ in found] == [1, 2, 3, 4, 5, 6]
    assert [isinstance(row, RowError) for _, row in found] == [False, True, True, True, True, False]


def test_a_byte_order_mark_is_not_part_of_the_first_columns_name() -> None:
    assert not isinstance(read_lines("\ufeff" + HEADER, "a,L,,,No,,\n")[0][1], RowError)


def test_ndjson_rows_are_read_alike() -> None:
    found = read_lines(
        '{"Id": "a", "Stage": "L", "Country": null, "E-mail": "", "Opt Out": "No", '
        '"Activity": "", "When": ""}\n',
        "[1]\n",
        "{oops\n",
        "[" * 10_000 + "\n",
        '{"Id": 7, "Stage": "C"}\n',
        **{"format: csv": "format: ndjson"},
    )
    assert [isinstance(row, RowError) for _, row in found] == [False, True, True, True, False]
    last = found[-1][1]
    assert isinstance(last, dict)
    assert (last["Id"], last["Country"]) == ("7", "")


def test_ndjson_without_a_mapped_column_is_refused_at_once() -> None:
    with pytest.raises(MappingError, match="the file has no column 'Country'"):
        read_lines('{"Id": "a", "Stage": "L"}\n', **{"format: csv": "format: ndjson"})


def test_an_unknown_event_or_topic_is_refused() -> None:
    said = refused(SMALL + "events:\n  - {when: {Stage: C}, event: purchased}\n")
    assert "m.yaml:22: unknown event 'purchased'; did you mean 'purchase'?" in said
    said = refused(SMALL.replace("status: withdrawn", "status: withdrawn\n    topic: anna@example.org"))
    assert "The topic cannot be used" in said


def test_an_event_names_its_product_family_and_whether_a_way_to_refuse_was_offered() -> None:
    spoilt = "{when: {Stage: C}, event: purchase, channel: fax, opt_out_offered: 1}"
    said = refused(SMALL + f"events:\n  - {spoilt}\n")
    assert "unknown channel 'fax'" in said
    assert "opt_out_offered is true, false or a condition" in said
    for text, offered in (("true", True), ("false", False)):
        event = f"{{when: {{Stage: C}}, event: purchase, product_family: shoes, opt_out_offered: {text}}}"
        (rule,) = read_mapping("m.yaml", SMALL + f"events:\n  - {event}\n").events
        assert (rule.product_family, rule.opt_out_offered) == ("shoes", offered)


@pytest.mark.parametrize("status", ["requested", "granted"])
def test_a_yes_in_a_file_is_never_the_persons_own_act(status: str) -> None:
    claimed = f"status: {status}\n    method: web_form"
    assert "unknown method 'web_form'" in refused(SMALL.replace("status: withdrawn", claimed))


def test_a_no_in_a_file_may_say_how_it_was_said() -> None:
    text = SMALL.replace("status: withdrawn", "status: withdrawn\n    method: unsubscribe_link")
    assert read_mapping("m.yaml", text).consents[0].method == "unsubscribe_link"


@pytest.mark.parametrize(("written", "held"), [("null", ""), ("true", "true"), ("0", "0"), ("Yes", "Yes")])
def test_a_condition_compares_with_what_a_field_holds(written: str, held: str) -> None:
    mapping = read_mapping("m.yaml", SMALL.replace('["Yes", "Y"]', written))
    assert mapping.suppressions[0].when.holds(one(**{"Opt Out": held}))
    assert not mapping.suppressions[0].when.holds(one(**{"Opt Out": "something else"}))


def test_a_birth_date_that_is_none_is_an_error() -> None:
    mapping = read_mapping(
        "m.yaml", SMALL.replace("attributes:", "attributes:\n  birth_date: {column: When}")
    )
    assert dict(read_row(mapping, 1, one(When="1980-12-31")).attributes) == {"birth_date": "1980-12-31"}
    with pytest.raises(RowError) as caught:
        read_row(mapping, 1, one(When="31.12.1980"))
    assert (caught.value.column, caught.value.value) == ("When", "31.12.1980")


def test_a_first_line_that_is_no_csv_is_refused() -> None:
    with pytest.raises(MappingError, match="the file's first line is not CSV"):
        read_lines('"Id"x,Stage\n')


def test_a_quotation_mark_that_never_closes_costs_its_own_line_only() -> None:
    lines = [f"p{number},L,,,No,,\n" for number in range(5_000)]
    found = read_lines(HEADER, 'a,L,"x,,No,,\n', *lines)
    assert [isinstance(row, RowError) for _, row in found] == [True] + [False] * 5_000
