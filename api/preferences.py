"""The preference page: a link for a person, and the page behind it. GET changes nothing; POST acts."""

import re
from collections.abc import Mapping
from datetime import timedelta
from itertools import groupby
from typing import Any

import marshmallow as ma
from flask import Response, render_template, request

from api import links, wording
from api.pages import html, or_trouble, tenant_of
from api.rooms import PUBLIC, Room
from api.runtime import Reply, act, this_runtime
from api.shapes import Answer, Shape, SubjectName, Text
from governance.clock import wire
from governance.communications import preferences
from governance.communications.preferences import PreferenceLink, Preferences
from governance.consent import service as consent
from governance.errors import InvalidError
from governance.idempotency.model import Outcome
from governance.subjects import service as subjects
from governance.work import Work

room = Room("preferences", description="What people may choose for themselves.")

_HTML = {"type": "string"}
_DURATION = re.compile(r"P(?:(\d{1,3})D|(\d{1,2})W|T(\d{1,4})H)", re.ASCII)
_MOST_EVIDENCE = 400
_FORM = {
    "requestBody": {
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "everything": {"type": "string", "enum": ["off"]},
                        "save": {"type": "string", "enum": ["choices"]},
                    },
                    "additionalProperties": {"type": "string", "enum": ["on", "off"]},
                }
            }
        }
    }
}


class LinkBody(Shape):
    """For whom, and for how long (ISO 8601: hours, days or weeks; 30 days if not said, a year at most)."""

    subject = ma.fields.Nested(SubjectName, required=True)
    expires_in = Text(10, allow_none=True, metadata={"description": "P30D, P4W, PT48H, …"})


class LinkReply(Answer):
    """The link to put into a message to this person, and nobody else."""

    url = ma.fields.String(required=True)
    expires_at = ma.fields.String(required=True)


@room.post("/v1/preferences/links", scope="communications:write")
@room.body(LinkBody)
@room.answers(201, LinkReply)
def make_link(body: Mapping[str, Any]) -> Response:
    """Make a link to a person's preference page. Whoever holds it may choose; it names nobody."""

    def effect(work: Work) -> Reply:
        person = subjects.resolve_existing(work, body["subject"])
        made = preferences.make_link(work, person.subject_ref, lasts=_duration(body.get("expires_in")))
        return Reply(201, _document(made), kept={"link": made.link_id})

    def again(work: Work, outcome: Outcome) -> Reply:
        return Reply(outcome.status, _document(preferences.link_again(work, str(outcome.kept["link"]))))

    return act(effect, again=again)


@room.get("/preferences/<token>", scope=PUBLIC)
@room.answers(200, _HTML, content_type="text/html")
@room.refuses(410)
def show(token: str) -> Response:
    """Show what stands, per purpose and channel."""

    def page() -> Response:
        with this_runtime().snapshot(tenant_of(token), links.PERSON) as snapshot:
            shown = preferences.describe(snapshot, token)
        return _page(shown, signal=links.signals_opt_out())

    return or_trouble(page)


@room.post("/preferences/<token>", scope=PUBLIC)
@room.describe(**_FORM)
@room.answers(200, _HTML, content_type="text/html")
@room.refuses(410)
def choose(token: str) -> Response:
    """Turn everything off, or save the choices made; what was left open stays as it is."""

    def page() -> Response:
        evidence = _evidence()
        with this_runtime().work(tenant_of(token), links.PERSON) as work:
            if request.form.get("everything") == "off":
                shown = preferences.leave(work, token, evidence=evidence)
            else:
                shown = preferences.choose(work, token, _wanted(), evidence=evidence)
            if links.signals_opt_out():
                consent.object_by_signal(work, preferences.whose(work, token).subject_ref)
        return _page(shown, saved=True)

    return or_trouble(page)


def _wanted() -> dict[tuple[str, str], bool]:
    wanted: dict[tuple[str, str], bool] = {}
    for name, value in request.form.items():
        kind, _, place = name.partition(".")
        purpose, _, channel = place.rpartition(".")
        if kind == "choice" and purpose and value in ("on", "off"):
            wanted[purpose, channel] = value == "on"
    return wanted


def _page(shown: Preferences, *, saved: bool = False, signal: bool = False) -> Response:
    by_purpose = [
        {"title": title, "choices": list(choices)}
        for title, choices in groupby(shown.choices, key=lambda choice: choice.title)
    ]
    body = render_template(
        "preferences.html",
        lang=wording.language(),
        say=wording.say,
        shown=shown,
        purposes=by_purpose,
        saved=saved,
        signal=signal,
    )
    return html(body)


def _evidence() -> dict[str, object]:
    """What proves the choice; it is sealed."""
    return {
        "user_agent": (request.user_agent.string or "")[:_MOST_EVIDENCE],
        "page": "preferences",
        "language": wording.language(),
    }


def _duration(text: str | None) -> timedelta | None:
    if text is None:
        return None
    found = _DURATION.fullmatch(text)
    if found is None:
        complaint = "Give hours, days or weeks as an ISO 8601 duration, such as P30D."
        raise InvalidError("The duration cannot be read.", fields={"expires_in": [complaint]})
    days, weeks, hours = (int(part or 0) for part in found.groups())
    return timedelta(days=days, weeks=weeks, hours=hours)


def _document(made: PreferenceLink) -> dict[str, object]:
    return {"url": made.url, "expires_at": wire(made.expires_at)}
