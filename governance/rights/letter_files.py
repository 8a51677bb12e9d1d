"""Letters, words and months by language: the files of `policies/rights/letters/`.

A letter is a subject and paragraphs, templates that are rendered twice: as text, and as HTML where whatever
is put in is escaped. Templates run in Jinja's sandbox and may use nothing that is not handed to them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from governance.errors import InvalidError
from governance.policy.documents import Node, compose
from governance.rights.law_files import texts

LANGUAGES = ("en", "de", "fr", "es")

_TEXT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
_HTML = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=True)
_PAGE = _HTML.from_string(
    '<!doctype html>\n<html lang="{{ language }}">\n'
    '<head><meta charset="utf-8"><title>{{ subject }}</title></head>\n'
    "<body>\n{% for paragraph in paragraphs %}<p>{{ paragraph }}</p>\n{% endfor %}</body>\n</html>\n"
)


@dataclass(frozen=True, slots=True)
class Words:
    """What one language says. `page`: sentences of the public form and status page.

    `acts`: how this language names laws, by how a clause begins; others keep the name that the files give.
    """

    language: str
    months: tuple[str, ...]
    date_form: str
    types: Mapping[str, str]
    grounds: Mapping[str, str]
    letters: Mapping[str, Any]
    page: Mapping[str, str]
    data_classes: Mapping[str, str]
    acts: Mapping[str, str] = field(default_factory=dict)

    def clauses(self, cites: Iterable[str]) -> str:
        """Clauses as this language names them."""
        return "; ".join(self._clause(each) for each in cites)

    def _clause(self, cite: str) -> str:
        begins = max((each for each in self.acts if cite.startswith(each)), key=len, default="")
        return self.acts.get(begins, "") + cite.removeprefix(begins)

    def classes(self, names: Iterable[str]) -> str:
        """Data classes as people of this language call them; a tenant's own ones by their codes."""
        return ", ".join(self.data_classes.get(each, each.replace("_", " ")) for each in names)

    def day(self, day: date) -> str:
        """A date as people of this language write it."""
        return self.date_form.format(day=day.day, month=self.months[day.month - 1], year=day.year)


@dataclass(frozen=True, slots=True)
class Written:
    """A letter, ready to be sent."""

    subject: str
    text: str
    html: str


def language_of(tag: str | None) -> str | None:
    """The shipped language of a BCP 47 tag (`de-AT` → de); None if there is none."""
    primary = (tag or "").replace("_", "-").split("-")[0].lower()
    return primary if primary in LANGUAGES else None


@cache
def words(language: str, policies_dir: Path | None) -> Words:
    """What a language says; read once a process. InvalidError names what is wrong in the file.

    What an installation's own file does not say (a letter that came later than it) says the shipped one.
    """
    said = _read(language, None)
    own = said if policies_dir is None else _read(language, policies_dir)
    said.setdefault("acts", {})
    for member, ours in said.items():
        theirs = own.get(member, ours)
        if type(theirs) is not type(ours):
            raise InvalidError(f"rights/letters/{language}.yaml: {member!r} has another form than shipped.")
        said[member] = {**ours, **theirs} if isinstance(ours, dict) else theirs
    return Words(
        language,
        tuple(said["months"]),
        said["date"],
        said["types"],
        said["grounds"],
        said["letters"],
        said["page"],
        said["data_classes"],
        said["acts"],
    )


def _read(language: str, policies_dir: Path | None) -> dict[str, Any]:
    """The file of a language: the installation's own where there is one."""
    name = f"{language}.yaml"
    tree = compose(f"rights/letters/{name}", dict(texts(policies_dir, ".yaml", "letters"))[name])
    said: Any = tree.plain() if isinstance(tree, Node) else None
    if not isinstance(said, dict):
        raise InvalidError(f"rights/letters/{name}: this file is a mapping." if said else str(tree))
    return said


def write(said: Words, kind: str, values: Mapping[str, object]) -> Written:
    """Write a letter of a kind. Paragraphs whose `when` names an empty value are left out."""
    letter = said.letters[kind]
    shown = [
        each if isinstance(each, str) else each["say"]
        for each in letter["body"]
        if isinstance(each, str) or values.get(each["when"])
    ]
    shown = [said.letters["greeting"], *shown, said.letters["closing"]]
    subject = " ".join(_template(_TEXT, letter["subject"]).render(values).split())  # one line, come what may
    text = "\n\n".join(_template(_TEXT, each).render(values) for each in shown) + "\n"
    linked = {**values, **{name: _link(values[name]) for name in ("link",) if values.get(name)}}
    paragraphs = [Markup(_template(_HTML, each).render(linked)) for each in shown]  # escaped inside
    return Written(
        subject, text, _PAGE.render(language=said.language, subject=subject, paragraphs=paragraphs)
    )


@cache
def _template(environment: ImmutableSandboxedEnvironment, text: str) -> Template:
    """A template of the files, compiled once a process."""
    return environment.from_string(text)


def _link(url: object) -> Markup:
    return Markup('<a href="{0}">{0}</a>').format(url)
