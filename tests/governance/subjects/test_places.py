"""Countries, regions, zones and languages."""

import pytest

from governance.errors import InvalidError
from governance.subjects.places import check_country, check_language, check_region, check_time_zone


def test_codes_are_written_in_their_one_form() -> None:
    assert check_country("de ") == "DE"
    assert check_region("us-ca", "US") == "US-CA"
    assert check_time_zone("Europe/Berlin") == "Europe/Berlin"
    assert check_language("ZH-hant-tw") == "zh-Hant-TW"
    assert check_language("de_at") == "de-AT"


@pytest.mark.parametrize("bad", ["", "XX", "DEU", "Germany", "D\u212a"])
def test_an_unknown_country_is_refused(bad: str) -> None:
    with pytest.raises(InvalidError):
        check_country(bad)


def test_a_usual_mistake_is_told_its_right_code() -> None:
    with pytest.raises(InvalidError, match="GB"):
        check_country("UK")


@pytest.mark.parametrize(("region", "country"), [("US-ZZ", "US"), ("California", None), ("US-CA", "DE")])
def test_a_region_that_is_unknown_or_elsewhere_is_refused(region: str, country: str | None) -> None:
    with pytest.raises(InvalidError):
        check_region(region, country)


@pytest.mark.parametrize("bad", ["", "CETT", "Europe/Atlantis", "../etc/passwd", "localtime", "+02:00"])
def test_an_unknown_time_zone_is_refused(bad: str) -> None:
    with pytest.raises(InvalidError):
        check_time_zone(bad)


@pytest.mark.parametrize("bad", ["", "german", "xx-YY", "de-", "qq", "en GB"])
def test_an_unknown_language_is_refused(bad: str) -> None:
    with pytest.raises(InvalidError):
        check_language(bad)
