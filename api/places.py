"""Countries and regions as the public form offers them."""

import gettext
from functools import cache

import pycountry


@cache
def countries(language: str) -> list[tuple[str, str]]:
    """Countries by code and by their name in this language, in the order of the names."""
    names = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=[language], fallback=True)
    found = [
        (each.alpha_2, names.gettext(getattr(each, "common_name", each.name))) for each in pycountry.countries
    ]
    return sorted(found, key=lambda pair: pair[1])


@cache
def regions() -> list[tuple[str, str]]:
    """States and provinces that have laws of their own, by code and name."""
    found = [
        (each.code, each.name)
        for country in ("CA", "US")
        for each in pycountry.subdivisions.get(country_code=country)  # type: ignore[no-untyped-call]
    ]
    return sorted(found, key=lambda pair: pair[1])
