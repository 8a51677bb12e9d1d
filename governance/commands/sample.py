"""A made-up CRM export with the traits of real ones, the same for the same seed.

Several countries and spellings, blank countries, opt-out flags, unsubscribes, bounces, spam complaints,
stages, purchases and inquiries of different ages. Addresses use the domains and numbers that RFC 2606 and
the numbering authorities keep for fiction.
"""

import csv
import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import IO

COLUMNS = (
    "Lead Id",
    "E-mail",
    "Phone",
    "Country",
    "Customer Type",
    "Stage",
    "Do Not Email",
    "Last Activity",
    "Last Purchase",
    "Last Inquiry",
)
_COUNTRIES = {
    "United States": 30,
    "Germany": 18,
    "Canada": 12,
    "India": 10,
    "France": 8,
    "United Kingdom": 7,
    "Australia": 4,
    "Brazil": 3,
    "": 6,
    "unknown": 2,
}
_STAGES = {"lead": 55, "contact": 18, "client": 15, "active_service": 6, "dormant": 4, "churned": 2}
_ACTIVITIES = {
    "Email Opened": 40,
    "Page Visited on Website": 25,
    "Form Submitted on Website": 15,
    "Had a Phone Conversation": 6,
    "Unsubscribed": 5,
    "Email Bounced": 6,
    "Email Marked Spam": 3,
}
_TODAY = date(2026, 11, 21)


def rows(subjects: int, seed: int) -> Iterator[dict[str, str]]:
    """Give so many made-up people, as rows of COLUMNS."""
    dice = random.Random(seed)
    for number in range(1, subjects + 1):
        stage = _pick(dice, _STAGES)
        bought = stage in ("client", "active_service", "dormant", "churned")
        yield {
            "Lead Id": f"lead-{number:06d}",
            "E-mail": f"person{number}@mail{dice.randrange(40)}.example.org",
            "Phone": f"+1202555{100 + number % 100:04d}" if dice.random() < 0.3 else "",
            "Country": _pick(dice, _COUNTRIES),
            "Customer Type": "business" if dice.random() < 0.2 else "consumer",
            "Stage": stage,
            "Do Not Email": "Yes" if dice.random() < 0.06 else "No",
            "Last Activity": _pick(dice, _ACTIVITIES),
            "Last Purchase": _ago(dice, 1100) if bought else "",
            "Last Inquiry": _ago(dice, 400) if dice.random() < 0.4 else "",
        }


def write(target: IO[str], subjects: int, seed: int) -> None:
    """Write the sample as CSV."""
    writer = csv.DictWriter(target, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(subjects, seed))


def _pick(dice: random.Random, weights: dict[str, int]) -> str:
    return dice.choices(list(weights), list(weights.values()))[0]


def _ago(dice: random.Random, days: int) -> str:
    return (_TODAY - timedelta(days=dice.randrange(1, days))).isoformat()
