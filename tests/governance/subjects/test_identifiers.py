"""The one form of every identifier."""

import pytest

from governance.errors import InvalidError
from governance.subjects.identifiers import Identifier, check_external_id, normalise, read_identifier


@pytest.mark.parametrize("good", ["crm-123", "0", "A.b_c:d-9", "x" * 128])
def test_an_opaque_id_is_taken(good: str) -> None:
    assert check_external_id(good) == good


@pytest.mark.parametrize("bad", ["", "-a", "a b", "a/b", "ü", "x" * 129, "a\n", "a\x00", "ann@example.org"])
def test_an_id_that_could_carry_more_is_refused(bad: str) -> None:
    with pytest.raises(InvalidError):
        check_external_id(bad)


def test_an_email_address_as_id_is_refused_with_its_own_sentence_and_without_repeating_it() -> None:
    with pytest.raises(InvalidError) as caught:
        check_external_id("ann@example.org")
    assert "e-mail address" in caught.value.message
    assert "ann@" not in caught.value.message


@pytest.mark.parametrize(
    ("kind", "written", "same"),
    [
        ("email", " Ann.Lee@Example.ORG ", "ann.lee@example.org"),
        ("email", "ü@BÜCHER.de", "ü@bücher.de"),
        ("email", "a@xn--bcher-kva.de", "a@bücher.de"),
        ("phone", "+49 (30) 1234-567", "+49301234567"),
        ("phone", "0049 30 1234567", "+49301234567"),
        ("postal", "1  Main\nStreet", "1 main street"),
        ("social", "Example:Ann ", "example:ann"),
        ("device", "AbC", "AbC"),
    ],
)
def test_the_same_value_always_looks_the_same(kind: str, written: str, same: str) -> None:
    assert normalise(kind, written) == same


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", "ann"),
        ("email", "a@b"),
        ("email", "a@@example.org"),
        ("email", "a@example.org\x00"),
        ("email", "\ud800@example.org"),
        ("phone", "030 1234567"),
        ("phone", "+1 12"),
        ("phone", "call me"),
        ("postal", "   "),
        ("postal", "x" * 1001),
        ("fax", "+49301234567"),
    ],
)
def test_what_cannot_be_is_refused_without_repeating_it(kind: str, value: str) -> None:
    with pytest.raises(InvalidError) as caught:
        normalise(kind, value)
    assert value not in caught.value.message
    assert "identifiers" in caught.value.fields


def test_a_number_without_country_code_is_dialled_in_the_persons_country() -> None:
    read = read_identifier(Identifier("phone", "030 1234567"), "DE")
    assert (read.normalised, read.country) == ("+49301234567", "DE")


def test_the_country_of_a_number_is_told_only_where_it_is_certain() -> None:
    assert read_identifier(Identifier("phone", "+1 416 555 0199")).country == "CA"
    assert read_identifier(Identifier("phone", "+1 202 555 0143")).country == "US"
    assert read_identifier(Identifier("phone", "+1 000 555 0143")).country is None


def test_a_postal_address_keeps_its_letters_for_the_envelope() -> None:
    assert read_identifier(Identifier("postal", "1  Main Street")).value == "1 Main Street"
