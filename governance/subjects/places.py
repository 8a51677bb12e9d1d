"""Countries, regions, time zones and languages as the standards know them; anything else is refused."""

import re
from functools import lru_cache
from zoneinfo import available_timezones

import pycountry

from governance.errors import InvalidError

_NO_ZONES = frozenset({"Factory", "localtime", "posixrules"})
_TAG = re.compile(
    r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
)
_MISTAKEN = {"UK": "GB", "EL": "GR"}


def check_country(code: str, field: str = "attributes.country") -> str:
    """Return an ISO 3166-1 alpha-2 code in capitals; InvalidError for any other text, naming `field`."""
    country = code.strip().upper()
    if country in _countries():
        return country
    if country in _MISTAKEN:
        raise _invalid(field, f"Use the ISO 3166-1 code {_MISTAKEN[country]} instead of {country}.")
    raise _invalid(
        field, "This is no ISO 3166-1 alpha-2 country code such as DE or US; leave it out if unknown."
    )


def is_country(code: str) -> bool:
    """Whether this is an ISO 3166-1 alpha-2 code, as it stands."""
    return code in _countries()


def is_time_zone(name: str) -> bool:
    """Whether this is a zone of the IANA database, as it stands."""
    return name in _zones()


def known_place(country: str | None, region: str | None) -> tuple[str | None, str | None]:
    """A stored country and region, each None if there is none such: a row that is older than its check."""
    if country is None or not is_country(country):
        return None, None
    return country, region if region in _regions() and country_of_region(region or "") == country else None


def check_region(code: str, country: str | None) -> str:
    """Return an ISO 3166-2 code in capitals; InvalidError if it is unknown or of another country."""
    region = code.strip().upper()
    if region not in _regions():
        raise _invalid(
            "attributes.region", "This is no ISO 3166-2 code such as US-CA; leave it out if unknown."
        )
    if country is not None and country_of_region(region) != country:
        raise _invalid("attributes.region", "This region does not lie in the country that was given.")
    return region


def country_of_region(region: str) -> str:
    """The country (ISO 3166-1) that a region (ISO 3166-2) lies in."""
    return region[:2]


def check_time_zone(name: str) -> str:
    """Return a zone name of the IANA database; InvalidError for any other text."""
    zone = name.strip()
    if zone not in _zones():
        raise _invalid(
            "attributes.time_zone", "This is no IANA zone such as Europe/Berlin; leave it out if unknown."
        )
    return zone


@lru_cache(maxsize=1024)
def check_language(tag: str) -> str:
    """Return a BCP 47 tag in its usual letter case (`de-AT`, `zh-Hant`); InvalidError for any other text."""
    text = tag.strip().replace("_", "-")
    if not _TAG.fullmatch(text) or text.split("-")[0].lower() not in _languages():
        raise _invalid("attributes.language", "This is no BCP 47 language tag such as de or en-GB.")
    primary, *rest = text.split("-")
    return "-".join([primary.lower(), *(_cased(part) for part in rest)])


def _cased(part: str) -> str:
    """Write a subtag as the registry does: script titled, region in capitals, variant in small letters."""
    if len(part) == 4 and part.isalpha():
        return part.title()
    return part.upper() if len(part) <= 3 else part.lower()


def _invalid(field: str, complaint: str) -> InvalidError:
    return InvalidError(complaint, fields={field: [complaint]})


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    return frozenset(country.alpha_2 for country in pycountry.countries)


@lru_cache(maxsize=1)
def _regions() -> frozenset[str]:
    return frozenset(region.code for region in pycountry.subdivisions)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - _NO_ZONES)


@lru_cache(maxsize=1)
def _languages() -> frozenset[str]:
    codes = {language.alpha_3 for language in pycountry.languages}
    return frozenset(codes | {each.alpha_2 for each in pycountry.languages if hasattr(each, "alpha_2")})
