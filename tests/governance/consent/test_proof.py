"""What is the person's own act, and what proves it."""

import pytest

from governance.consent.proof import IMPORT_METHODS, PERSON_METHODS, check_method, is_act, is_proven
from governance.errors import InvalidError

WHOLE = {
    "form_url": "https://x.example",
    "occurred_at": "2026-01-01T00:00:00Z",
    "text_shown_sha256": "0" * 64,
}


@pytest.mark.parametrize("method", sorted(PERSON_METHODS))
def test_an_act_of_the_person_that_is_recorded_here_is_proven(method: str) -> None:
    assert is_act(method)
    assert is_proven(method, evidence=None)
    assert is_proven(method, evidence={"form_url": "https://x.example"})


@pytest.mark.parametrize("method", sorted(IMPORT_METHODS))
def test_an_import_is_proven_by_where_when_and_what_was_shown_and_nothing_less(method: str) -> None:
    assert not is_act(method)
    assert is_proven(method, evidence=WHOLE)
    assert not is_proven(method, evidence=None)
    for missing in WHOLE:
        assert not is_proven(method, evidence={**WHOLE, missing: ""})
    assert not is_proven(method, evidence={**WHOLE, "text_shown_sha256": "yes"})


def test_what_staff_say_proves_nothing() -> None:
    assert not is_proven("staff", evidence=WHOLE)


def test_an_unknown_method_is_refused_for_a_yes_and_kept_as_other_for_a_no() -> None:
    with pytest.raises(InvalidError, match="web_form"):
        check_method("telepathy", negative=False)
    assert check_method("telepathy", negative=True) == "other"
    assert check_method("import", negative=False) == "import"
