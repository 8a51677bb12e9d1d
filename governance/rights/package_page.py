"""The package as a page that a person can read: one HTML file, no script, nothing loaded from elsewhere.

Whatever comes from data is escaped. Sentences are in the request's language.
"""

from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

_HTML = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=True)
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Your data",
        "here": "What we hold in our record of consent",
        "in": "What we hold in",
        "about": "Why we use it and how long we keep it",
        "class": "Kind of data", "why": "Purpose and basis", "until": "Kept until",
        "recipients": "Who receives it", "missing": "Systems that have not answered yet",
        "others": "This entry is about other people too.", "free": "Free text, written by people.",
        "nothing": "Nothing.",
    },
    "de": {
        "title": "Ihre Daten",
        "here": "Was in unserem Verzeichnis der Einwilligungen steht",
        "in": "Was wir führen in",
        "about": "Wozu wir die Daten nutzen und wie lange wir sie behalten",
        "class": "Art der Daten", "why": "Zweck und Grundlage", "until": "Aufbewahrt bis",
        "recipients": "Wer sie erhält", "missing": "Systeme, die noch nicht geantwortet haben",
        "others": "Dieser Eintrag betrifft auch andere Personen.",
        "free": "Freitext, von Menschen geschrieben.",
        "nothing": "Nichts.",
    },
    "fr": {
        "title": "Vos données",
        "here": "Ce que contient notre registre des consentements",
        "in": "Ce que nous conservons dans",
        "about": "Pourquoi nous les utilisons et combien de temps nous les conservons",
        "class": "Catégorie", "why": "Finalité et base", "until": "Conservées jusqu'au",
        "recipients": "Destinataires", "missing": "Systèmes qui n'ont pas encore répondu",
        "others": "Cette entrée concerne aussi d'autres personnes.",
        "free": "Texte libre, écrit par des personnes.",
        "nothing": "Rien.",
    },
    "es": {
        "title": "Sus datos",
        "here": "Lo que consta en nuestro registro de consentimientos",
        "in": "Lo que guardamos en",
        "about": "Para qué los usamos y cuánto tiempo los conservamos",
        "class": "Clase de datos", "why": "Finalidad y base", "until": "Conservados hasta",
        "recipients": "Quién los recibe", "missing": "Sistemas que aún no han respondido",
        "others": "Esta entrada se refiere también a otras personas.",
        "free": "Texto libre, escrito por personas.",
        "nothing": "Nada.",
    },
}  # fmt: skip

_PAGE = _HTML.from_string(
    """<!doctype html>
<html lang="{{ language }}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ said.title }}</title>
<style>body{font:1rem/1.5 sans-serif;max-width:60rem;margin:1rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0 1.5rem;width:100%}
th,td{border:1px solid #999;padding:.3rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}
</style></head>
<body>
<h1>{{ said.title }}</h1>
<p>{{ document.made_at }} · {{ document.request }}</p>
<h2>{{ said.here }}</h2>
{% for section in document.held_here %}<h3>{{ section.data_class }}: {{ section.title }}</h3>
{{ rows(section.rows) }}
{% else %}<p>{{ said.nothing }}</p>
{% endfor %}
{% for system in document.systems %}<h2>{{ said.in }} {{ system.system }}</h2>
{% for item in system['items'] %}<h3>{{ item.data_class }}: {{ item.table }}</h3>
{% if item.about_others_too %}<p>{{ said.others }}</p>{% endif %}
{% if item.free_text %}<p>{{ said.free }}</p>{% endif %}
{{ rows([item['values']]) }}
{% else %}<p>{{ said.nothing }}</p>
{% endfor %}{% endfor %}
{% if document.not_answered %}<h2>{{ said.missing }}</h2>
<ul>{% for each in document.not_answered %}<li>{{ each.system }}: {{ each.because }}</li>{% endfor %}</ul>
{% endif %}
<h2>{{ said.about }}</h2>
<table><tr><th>{{ said.class }}</th><th>{{ said.why }}</th><th>{{ said.until }}</th></tr>
{% for each in document.about %}<tr><td>{{ each.name }}</td>
<td>{% for one in each.purposes %}{{ one.title }} ({{ one.lawful_basis }})<br>{% endfor %}</td>
<td>{{ each.until or '' }} {{ each.because }}</td></tr>
{% endfor %}</table>
<h2>{{ said.recipients }}</h2>
<ul>{% for each in document.recipients %}<li>{{ each.processor or each.system }}
{{ each.country or '' }}</li>{% endfor %}</ul>
</body>
</html>
"""
)
_ROWS = _HTML.from_string(
    "{% for row in found %}<table>{% for name, value in row.items() %}"
    "<tr><th>{{ name }}</th><td>{{ value if value is not none else '' }}</td></tr>"
    "{% endfor %}</table>{% endfor %}"
)


def render(document: Mapping[str, Any]) -> str:
    """Write a package's document as a page in its language, English if that is not one of ours."""
    language = document["language"] if document["language"] in _WORDS else "en"

    def rows(found: list[Mapping[str, Any]]) -> Markup:
        return Markup(_ROWS.render(found=found))  # escaped inside

    return _PAGE.render(document=document, said=_WORDS[language], language=language, rows=rows)
