"""Zones, their changes and public holidays."""

import json
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pycountry
import pytest

from governance.calendar import REGION_ZONES, changes, is_public_holiday, public_holidays, zones_of

DST = json.loads((Path(__file__).parents[1] / "fixtures/dst/dst.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("year_of_zone", DST["transitions"])
def test_changes_of_the_clock_are_found_to_the_minute(year_of_zone: str) -> None:
    zone, _, year = year_of_zone.rpartition("/")
    wanted = tuple(datetime.fromisoformat(each["utc"]) for each in DST["transitions"][year_of_zone])
    assert changes(zone, int(year)) == wanted


def test_every_region_and_its_zones_exist() -> None:
    for region, zones in REGION_ZONES.items():
        assert pycountry.subdivisions.get(code=region) is not None, region
        assert set(zones) <= available_timezones(), region


def test_regions_have_no_hours_that_their_country_has_not() -> None:
    now = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("UTC"))
    for region, zones in REGION_ZONES.items():
        country = {now.astimezone(ZoneInfo(zone)).utcoffset() for zone in zones_of(region[:2])}
        assert {now.astimezone(ZoneInfo(zone)).utcoffset() for zone in zones} <= country, region


def test_a_country_has_all_its_zones_and_a_region_its_own() -> None:
    assert zones_of("FR") == ("Europe/Paris",)
    assert "Pacific/Honolulu" in zones_of("US")
    assert set(zones_of("US", "US-FL")) == {"America/New_York", "America/Chicago"}
    assert zones_of("US", "US-XX") == zones_of("US")
    assert zones_of("XK") == ()


def test_public_holidays_of_a_country_and_of_its_regions() -> None:
    assert is_public_holiday("FR", None, date(2026, 7, 14)) is True
    assert is_public_holiday("FR", None, date(2026, 7, 15)) is False
    # Saint Stephen's is a holiday in Alsace alone: strict where the region is not known.
    assert is_public_holiday("FR", None, date(2026, 12, 26)) is True
    assert is_public_holiday("FR", "FR-75C", date(2026, 12, 26)) is False
    assert is_public_holiday("US", "US-AL", date(2026, 11, 26)) is True
    assert public_holidays("ZZ", None, 2026) is None
    assert is_public_holiday("ZZ", None, date(2026, 1, 1)) is None
