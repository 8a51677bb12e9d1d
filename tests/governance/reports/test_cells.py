"""Numbers that are too small to be shown."""

from hypothesis import given
from hypothesis import strategies as st

from governance.reports.cells import SMALLEST, shown


def test_what_is_small_is_left_out_and_with_it_whatever_would_give_it_away() -> None:
    assert shown({"a": 40, "b": 3, "c": 12}) == {"a": 40, "b": None, "c": None}
    assert shown({"a": 40, "b": 3, "c": 2}) == {"a": 40, "b": None, "c": None}
    assert shown({"a": 40, "b": 0, "c": 12}) == {"a": 40, "b": 0, "c": 12}
    assert shown({"a": 3}) == {"a": None}
    assert shown({}) == {}


@given(st.dictionaries(st.text(max_size=2), st.integers(0, 20), max_size=6))
def test_nothing_small_is_shown_and_no_missing_number_is_alone_among_others(counts: dict[str, int]) -> None:
    visible = shown(counts)
    assert visible.keys() == counts.keys()
    assert all(number is None or number == 0 or number >= SMALLEST for number in visible.values())
    missing = [key for key, number in visible.items() if number is None]
    others = [key for key, number in counts.items() if number and key not in missing]
    assert len(missing) != 1 or not others
