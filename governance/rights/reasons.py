"""What letters quote from elsewhere, in the person's language: the files of `policies/rights/reasons/`.

Reasons for keeping data come from schedules, from the config of connected systems and from what those report;
whom one may complain to comes from the regimes. Each is one sentence in one language, so the translations lie
here by the sentence itself, and one that was reworded is never told in its old meaning. A file `de-*.yaml` of
the installation's own policies folder adds to the shipped `de.yaml`. What has no translation is quoted as it
is, and the letter says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from governance.errors import InvalidError
from governance.policy.documents import Node, compose
from governance.rights.law_files import texts
from governance.rights.letter_files import Words, words

_MEMBERS = frozenset({"only", "kept", "kept_until", "data_classes", "sentences"})
_SOURCE_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Reasons:
    """What one language says. `forms`: how what is kept is told, and what has no translation."""

    said: Words
    forms: Mapping[str, str]
    data_classes: Mapping[str, str]
    sentences: Mapping[str, str]

    def say(self, text: str) -> str:
        """A sentence, or two, in this language; as it is, and marked so, if there is no translation."""
        if not text or self.said.language == _SOURCE_LANGUAGE:
            return text
        return self._known(text) or self.forms["only"].format(text=text)

    def name_of(self, data_class: str) -> str:
        """A class of data as people call it."""
        return self.data_classes.get(data_class, data_class.replace("_", " "))

    def kept(self, data_classes: Iterable[str], because: str, until: date | None) -> str:
        """What is kept, until when, and why; without a full stop, since more may follow."""
        what = ", ".join(self.name_of(each) for each in dict.fromkeys(data_classes))
        form = self.forms["kept" if until is None else "kept_until"]
        when = "" if until is None else self.said.day(until)
        return form.format(what=what, until=when, because=self.say(because).removesuffix("."))

    def _known(self, text: str) -> str | None:
        if text in self.sentences:
            return self.sentences[text]
        for last, translated in self.sentences.items():
            before = text.removesuffix(f" {last}")
            if before != text and before in self.sentences:
                return f"{self.sentences[before]} {translated}"
        return None


@cache
def reasons(language: str, policies_dir: Path | None) -> Reasons:
    """What a language says of reasons; read once a process. InvalidError names a file that is wrong."""
    found: dict[str, Any] = {}
    for name, text in sorted(texts(policies_dir, ".yaml", "reasons"), key=lambda each: len(each[0])):
        if name != f"{language}.yaml" and not name.startswith(f"{language}-"):
            continue
        for member, said in _read(f"rights/reasons/{name}", text).items():
            found[member] = {**found.get(member, {}), **said} if isinstance(said, dict) else said
    missing = sorted(_MEMBERS - set(found))
    if missing:
        raise InvalidError(f"rights/reasons/{language}.yaml: the member {missing[0]!r} is missing.")
    forms = {name: found[name] for name in ("only", "kept", "kept_until")}
    return Reasons(words(language, policies_dir), forms, found["data_classes"], found["sentences"])


def _read(name: str, text: str) -> dict[str, Any]:
    tree = compose(name, text)
    if not isinstance(tree, Node):
        raise InvalidError(str(tree))
    said: Any = tree.plain()
    if not isinstance(said, dict) or set(said) - _MEMBERS:
        raise InvalidError(f"{name}: use the members {', '.join(sorted(_MEMBERS))}.")
    return said
