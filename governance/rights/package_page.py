"""The package as a page that a person can read: one HTML file, no script, nothing loaded from elsewhere.

Whatever comes from data is escaped. Sentences, names of fields and codes, and dates are in the request's
language; what only the tenant or a system could name stands between quotation marks.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from governance.rights.described import ACCOUNTABILITY
from governance.rights.package_words import PageWords

_HTML = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_PAGE = _HTML.from_string(
    """<!doctype html>
<html lang="{{ language }}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ say('title') }}</title>
<style>body{font:1rem/1.5 sans-serif;max-width:60rem;margin:1rem auto;padding:0 1rem}
h2{margin-top:2.5rem;border-bottom:2px solid #333}table{border-collapse:collapse;margin:.5rem 0 1.5rem;width:100%}
caption{text-align:left;font-weight:bold;padding:.2rem 0}
th,td{border:1px solid #767676;padding:.3rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}
th[scope=row]{width:32%;font-weight:normal;background:#f4f4f4}thead th{background:#e4e4e4}
dl{margin:.5rem 0}dt{font-weight:bold}dd{margin:0 0 .3rem 1rem}td{white-space:pre-line}
</style></head>
<body>
<main>
<h1>{{ say('title') }}</h1>
<p>{{ made }}</p>
<p>{{ say('intro') }}</p>
{% if unreadable %}
<p>{{ unreadable }}</p>
{% endif %}
<h2>{{ say('here') }}</h2>
{% for part in here %}
{{ show(part) }}
{% else %}
<p>{{ say('nothing') }}</p>
{% endfor %}
{% for system in systems %}
<h2>{{ system.title }}</h2>
{% for part in system.parts %}
{{ show(part) }}
{% else %}
<p>{{ say('nothing') }}</p>
{% endfor %}
{% endfor %}
{% if missing %}
<h2>{{ say('missing') }}</h2>
<p>{{ say('missing_text') }}</p>
<ul>{% for each in missing %}<li>{{ each }}</li>{% endfor %}</ul>
{% endif %}
<h2>{{ say('about') }}</h2>
<table>
<thead><tr>{% for each in ('class', 'source', 'why', 'recipients', 'kept') %}<th scope="col">{{ say(each) }}</th>{% endfor %}</tr></thead>
<tbody>
{% for each in about %}
<tr><th scope="row">{{ each.name }}</th>{% for lines in each.cells %}<td>{{ lines | join('\\n') }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
<h2>{{ say('transfers') }}</h2>
{% if transfers %}
<ul>{% for each in transfers %}<li>{{ each }}</li>{% endfor %}</ul>
<p>{{ say('transfer_copy') }}</p>
{% else %}
<p>{{ say('no_transfers') }}</p>
{% endif %}
<h2>{{ say('automated') }}</h2>
{% for each in automated %}
<p>{{ each }}</p>
{% endfor %}
<h2>{{ say('rights') }}</h2>
{% if rights %}
<p>{{ law }}</p>
<ul>{% for each in rights %}<li>{{ each }}</li>{% endfor %}</ul>
{% endif %}
<p>{{ complaint }}</p>
</main>
</body>
</html>
"""  # noqa: E501
)
_PART = _HTML.from_string(
    """<h3>{{ part.title }}</h3>
<dl>
{% for name, lines in part.told %}
<dt>{{ name }}</dt><dd>{{ lines | join(' ') }}</dd>
{% endfor %}
</dl>
{% for note in part.notes %}
<p>{{ note }}</p>
{% endfor %}
{% for row in part.rows %}
<table>{% if row.caption %}<caption>{{ row.caption }}</caption>{% endif %}

<thead><tr><th scope="col">{{ say('name') }}</th><th scope="col">{{ say('value') }}</th></tr></thead>
<tbody>
{% for name, value in row.cells %}
<tr><th scope="row">{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}
{% if row.attached %}
<tr><th scope="row">{{ say('attached') }}</th>
<td><a href="{{ row.attached }}">{{ row.attached }}</a></td></tr>
{% endif %}
<tr><th scope="row">{{ say('kept') }}</th><td>{{ row.kept }}</td></tr>
</tbody></table>
{% endfor %}
"""
)


def render(document: Mapping[str, Any], words: PageWords) -> str:
    """Write a package's document as a page."""
    page = _Page(words)
    rights = document["rights"]
    return _PAGE.render(
        language=words.language,
        say=words.say,
        show=page.show,
        made=words.say(
            "made", day=words.value("made_at", document["made_at"]), reference=document["request"]
        ),
        here=[page.section(each) for each in document["held_here"]],
        systems=[page.system(each) for each in document["systems"]],
        unreadable=words.say("unreadable_text", count=str(document["unreadable"]))
        if document["unreadable"]
        else "",
        missing=[words.quoted(each["system"]) for each in document["not_answered"]],
        about=[page.about(each) for each in document["about"]],
        transfers=[page.transfer(each) for each in document["transfers"]],
        automated=page.automated(document["automated_decisions"]),
        law=words.say("rights_text", law=page.law(rights)),
        rights=[page.right(each) for each in rights["may_ask_for"]],
        complaint=words.say("complaint", whom=rights["complaint"])
        if rights["complaint"]
        else words.say("complaint_unknown"),
    )


class _Page:
    """Puts the document into words, part by part."""

    def __init__(self, words: PageWords) -> None:
        self._words = words
        self._say = words.say

    def show(self, part: Mapping[str, Any]) -> Any:
        """A part with its rows; escaped inside."""
        return _HTML.filters["safe"](_PART.render(part=part, say=self._say))

    def section(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """A part of what is held here."""
        words = self._words
        title = words.named("sections", section["title"])
        rows = [
            self._row(
                number,
                [(words.field(name), self._own(name, value)) for name, value in row.items()]
                + [(words.field(name), self._say("unreadable")) for name in lost],
                kept,
                len(section["rows"]),
            )
            for number, (row, lost, kept) in enumerate(
                zip(section["rows"], section["unreadable"], section["kept"], strict=True), 1
            )
        ]
        notes = [self._say("hold_text")] if section["title"] == "holds" else []
        return {"title": title, "told": self._told(section), "notes": notes, "rows": rows}

    def system(self, system: Mapping[str, Any]) -> dict[str, Any]:
        """What a connected system gave. Its columns are its own, and quoted."""
        parts = []
        for each in system["items"]:
            name = self._words.told.name_of(each["data_class"])
            notes = [self._say("others")] if each["about_others_too"] else []
            notes += [self._say("free")] if each["free_text"] else []
            attached = each["values"].get("attached") if "media_type" in each["values"] else None
            cells = [
                (self._words.field(key) if attached else self._words.quoted(key), self._theirs(value))
                for key, value in each["values"].items()
                if not (attached and key == "attached")
            ]
            row = self._row(1, cells, each, 1) | {"attached": attached}
            title = f"{name}: {self._words.quoted(each['table'])}"
            told = self._told(each, system["system"])
            parts.append({"title": title, "told": told, "notes": notes, "rows": [row]})
        return {"title": self._say("in", system=self._words.quoted(system["system"])), "parts": parts}

    def about(self, each: Mapping[str, Any]) -> dict[str, Any]:
        """A line of the table of all classes."""
        cells = [
            [self._source(one) for one in each["sources"]],
            self._purposes(each["purposes"]),
            self._recipients(each["recipients"]),
            list(dict.fromkeys(self._kept(one) for one in each["kept"])),
        ]
        return {"name": each["name"], "cells": cells}

    def transfer(self, each: Mapping[str, Any]) -> str:
        """One country that data go to, and on what."""
        if each["status"] == "stopped":
            safeguard = self._say("transfer_stopped")
        elif each["safeguards"]:
            safeguard = ", ".join(each["safeguards"])
        else:
            name = "transfer_none" if each["status"] == "not_declared" else "transfer_free"
            safeguard = self._say(name)
        recipient = self._words.quoted(each["recipient"])
        return self._say("transfer", recipient=recipient, country=each["country"], safeguard=safeguard)

    def automated(self, said: Mapping[str, Any]) -> list[str]:
        """What machines decide and evaluate."""
        alone, profiled = (
            "; ".join(self._title(each) for each in said[name]) for name in ("solely_automated", "profiling")
        )
        found = [self._say("automated_some", purposes=alone) if alone else self._say("automated_none")]
        return found + ([self._say("profiled", purposes=profiled)] if profiled else [])

    def law(self, rights: Mapping[str, Any]) -> str:
        """The law's name."""
        known = self._words.groups["regimes"].get(rights["law"])
        return known or str(rights["title"])

    def right(self, each: Mapping[str, Any]) -> str:
        """A right, and whether the law gives it in part only."""
        name = self._words.right(each["type"])
        return name if each["whole"] else self._say("rights_partly", right=name)

    def _row(
        self, number: int, cells: Sequence[tuple[str, str]], kept: Mapping[str, Any], of: int
    ) -> dict[str, Any]:
        caption = self._say("entry", number=str(number)) if of > 1 else ""
        return {"caption": caption, "cells": cells, "kept": self._kept(kept), "attached": None}

    def _own(self, name: str, value: Any) -> str:
        if name == "act":
            return self._words.quoted(value)
        return self._words.value(name, value)

    def _theirs(self, value: Any) -> str:
        if isinstance(value, bool):
            return self._words.value("", value)
        if isinstance(value, Mapping | list):
            return json.dumps(value, ensure_ascii=False)  # what UTF-8 cannot hold, `package` replaces
        return "" if value is None else str(value)

    def _told(self, of: Mapping[str, Any], system: str = "") -> list[tuple[str, list[str]]]:
        return [
            (self._say("class"), [self._words.told.name_of(of["data_class"])]),
            (self._say("source"), [self._source(of["source"], system)]),
            (self._say("why"), ["; ".join(self._purposes(of["purposes"]))]),
            (self._say("recipients"), ["; ".join(self._recipients(of["recipients"]))]),
        ]

    def _source(self, code: str, system: str = "") -> str:
        if code == "system":
            return self._say("from_system", system=self._words.quoted(system)) if system else ""
        return self._say("from_here") if code == "here" else self._words.named("sources", code)

    def _purposes(self, found: Sequence[Mapping[str, str]]) -> list[str]:
        told = [f"{self._title(each)} ({self._words.named('bases', each['lawful_basis'])})" for each in found]
        return told or [self._say("no_purpose")]

    def _title(self, each: Mapping[str, str]) -> str:
        if each["id"] == ACCOUNTABILITY:
            return self._say("accountability")
        return self._words.named("titles", each["title"] or each["id"])

    def _recipients(self, found: Sequence[Mapping[str, Any]]) -> list[str]:
        told = [
            " ".join(
                part
                for part in (
                    self._words.quoted(each["processor"] or each["system"]),
                    f"({each['country']})" if each["country"] else "",
                )
                if part
            )
            for each in found
        ]
        return told or [self._say("nobody")]

    def _kept(self, kept: Mapping[str, Any]) -> str:
        until = kept["kept_until"]
        if until is not None:
            return f"{self._words.value('kept_until', until)}. {kept['because']}"
        more = "own_term" if kept["counts_from_entry"] else "not_told"
        return f"{self._say(more)} {kept['because']}"
