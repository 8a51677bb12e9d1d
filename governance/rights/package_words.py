"""What the page of a package says, in one language: the file `policies/rights/package/words.yaml`.

Each word is a list in the order of the letters' languages. Codes that nobody translated are the tenant's own,
or came later: they are shown as they are, between quotation marks.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from governance.errors import InvalidError
from governance.policy.documents import Node, compose
from governance.rights.law_files import texts
from governance.rights.letter_files import LANGUAGES, language_of
from governance.rights.reasons import Reasons, reasons

GROUPS = (
    "said", "forms", "bases", "sources", "regimes", "sections", "fields", "values", "titles",
)  # fmt: skip
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")

CODED = frozenset(
    {
        "acquired", "action", "channel", "contract_state", "customer_type", "data_class", "demand", "event",
        "from_stage", "kind", "message_class", "method", "model", "outcome", "purpose", "reason_code",
        "review", "scope", "source_channel", "stage", "stage_relationship", "state", "status", "subscriber",
        "subscription_state", "to_stage", "type", "verb",
    }
)  # fmt: skip
"""Fields whose values are codes. Those of others are values of the person's own, shown as they are."""


@dataclass(frozen=True, slots=True)
class PageWords:
    """What one language says; `groups` by name, each by code. `told`: what letters say of reasons."""

    language: str
    groups: Mapping[str, Mapping[str, str]]
    told: Reasons

    def say(self, name: str, **values: str) -> str:
        """A sentence of the page."""
        return self.groups["said"][name].format(**values)

    def quoted(self, text: str) -> str:
        """Something as the tenant or a system gave it."""
        return self.groups["forms"]["quote"].format(text)

    def named(self, group: str, code: str) -> str:
        """A code's name; the code itself, quoted, if nobody named it."""
        found = self.groups[group].get(code)
        return self.quoted(code) if found is None else found

    def value(self, name: str, value: Any) -> str:
        """A value of one of our own fields: codes named, dates in the language's form."""
        if isinstance(value, bool):
            return self.groups["forms"]["yes" if value else "no"]
        if isinstance(value, Mapping):
            return "; ".join(
                f"{self.field(each)}: {self.value(each, inner)}" for each, inner in value.items()
            )
        if isinstance(value, list | tuple):
            return "; ".join(self.value(name, each) for each in value)
        text = "" if value is None else str(value)
        if _INSTANT.fullmatch(text):
            return self.instant(datetime.fromisoformat(text))
        if _DAY.fullmatch(text):
            return self._day(text)
        if name == "data_class":
            return self.told.name_of(text)
        return self.named("values", text) if name in CODED and text else text

    def field(self, name: str) -> str:
        """A field's name."""
        return self.named("fields", name)

    def instant(self, at: datetime) -> str:
        """A date and a time of day, in UTC."""
        form = self.groups["forms"]["at"]
        return form.format(day=self.told.said.day(at.date()), time=f"{at:%H:%M}")

    def _day(self, text: str) -> str:
        try:
            return self.told.said.day(date.fromisoformat(text))
        except ValueError:
            return text

    def right(self, type_: str) -> str:
        """A right as letters call it."""
        return self.told.said.types[type_]


def page_words(language: str, policies_dir: Path | None) -> PageWords:
    """The words of a language, of English for one that is not shipped; InvalidError if the file is wrong."""
    return _read(language_of(language) or "en", policies_dir)


@cache
def _read(language: str, policies_dir: Path | None) -> PageWords:
    number = LANGUAGES.index(language)
    groups: dict[str, dict[str, str]] = {name: {} for name in GROUPS}
    for name, text in texts(policies_dir, ".yaml", "package"):
        tree = compose(f"rights/package/{name}", text)
        if not isinstance(tree, Node):
            raise InvalidError(str(tree))
        document: Any = tree.plain()
        for group, rows in document.items():
            if group not in groups:
                raise InvalidError(f"rights/package/{name}: use the members {', '.join(GROUPS)}.")
            for code, said in rows.items():
                if not isinstance(said, list) or len(said) != len(LANGUAGES):
                    raise InvalidError(
                        f"rights/package/{name}: {code} needs a word for each of {', '.join(LANGUAGES)}."
                    )
                groups[group][str(code)] = str(said[number])
    return PageWords(language, groups, reasons(language, policies_dir))
