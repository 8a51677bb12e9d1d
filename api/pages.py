"""Pages behind links that a person was sent: confirm, unsubscribe. GET shows and changes nothing; POST acts.

No cookie, no redirect, no script, nothing from elsewhere; and no word about the person.
"""

from collections.abc import Callable
from typing import Any

from flask import Response, render_template, request

from api import links, problems
from api.rooms import PUBLIC, Room
from api.runtime import reply, this_runtime
from api.shapes import AnyObject
from api.wording import language, say
from governance.communications import link_tokens
from governance.communications import service as communications
from governance.communications import unsubscribe as unsubscribes
from governance.consent import service as consent
from governance.database import for_reading
from governance.errors import ConflictError, ExpiredError, GovernanceError, NotFoundError
from governance.purposes import service as purposes
from governance.tenants import store as tenants
from governance.work import Snapshot

room = Room("pages", description="Pages behind links that people are sent.")

_HTML = {"type": "string"}
_MOST_EVIDENCE = 400


@room.get("/confirm/<token>", scope=PUBLIC)
@room.answers(200, _HTML, content_type="text/html")
@room.refuses(409)
@room.refuses(410)
def show_confirmation(token: str) -> Response:
    """Show what the link would confirm."""

    def page() -> Response:
        tenant_id, secret = links.open_link(this_runtime(), token)
        with this_runtime().snapshot(tenant_id, links.PERSON) as snapshot:
            first = consent.waiting_for(snapshot, secret)[0]
            about = _about(snapshot, first.purpose, first.channel, first.topic)
        return _page(say("confirm"), say("confirm.text"), button=say("confirm.button"), about=about)

    return or_trouble(page)


@room.post("/confirm/<token>", scope=PUBLIC)
@room.answers(200, _HTML, content_type="text/html")
@room.refuses(410)
def confirm(token: str) -> Response:
    """End a double opt-in."""

    def page() -> Response:
        tenant_id, secret = links.open_link(this_runtime(), token)
        with this_runtime().work(tenant_id, links.PERSON) as work:
            events = consent.waiting_for(work, secret)
            consent.confirm(work, secret, evidence=_evidence())
            if links.signals_opt_out():
                consent.object_by_signal(work, events[0].subject_ref)
        return _page(say("confirmed"), say("confirmed.text"))

    return or_trouble(page)


@room.get("/unsubscribe/<token>", scope=PUBLIC)
@room.answers(200, _HTML, content_type="text/html")
def show_unsubscription(token: str) -> Response:
    """Show what the link would end."""

    def page() -> Response:
        with this_runtime().snapshot(tenant_of(token), links.PERSON) as snapshot:
            ends = communications.describe_unsubscription(snapshot, token)
            about = _about(snapshot, ends.purpose, ends.channel, ends.topic)
        if ends.done:
            return _page(say("unsubscribed"), say("unsubscribed.already"))
        return _page(
            say("unsubscribe"), say("unsubscribe.text"), button=say("unsubscribe.button"), about=about
        )

    return or_trouble(page)


@room.post("/unsubscribe/<token>", scope=PUBLIC)
@room.answers(200, _HTML, content_type="text/html")
def unsubscribe(token: str) -> Response:
    """Unsubscribe in one click (RFC 8058)."""

    def page() -> Response:
        with this_runtime().work(tenant_of(token), links.PERSON) as work:
            communications.unsubscribe_by(work, token)
            if links.signals_opt_out():
                consent.object_by_signal(work, unsubscribes.subject_of(work, token))
        return _page(say("unsubscribed"), say("unsubscribed.text"))

    return or_trouble(page)


@room.get("/.well-known/gpc.json", scope=PUBLIC)
@room.answers(200, AnyObject)
def gpc() -> Response:
    """Say that Global Privacy Control is honoured."""
    return reply({"gpc": True, "lastUpdate": "2026-11-21"})


def tenant_of(token: str) -> str:
    """Give the tenant that a link's token claims to be of; NotFoundError if it is no link of ours."""
    ref = link_tokens.tenant_ref_of(token)
    with this_runtime().engine.connect() as plain, for_reading(plain).begin():
        found = tenants.find_by_ref(plain, ref)
    if found is None:
        raise NotFoundError("This link is not complete or was changed; open it again from the message.")
    return found.tenant_id


def _about(snap: Snapshot, purpose: str, channel: str, topic: str | None) -> dict[str, str]:
    """What a link is about, in words for the person: of a purpose its title."""
    known = purposes.find(snap, purpose) if purpose else None
    return {
        say("about.purpose"): (known.title if known else purpose) or say("every.purpose"),
        say("about.channel"): say(f"channel.{channel}") if channel else say("every.channel"),
        say("about.topic"): topic or say("every.topic"),
    }


def _evidence() -> dict[str, object]:
    """What proves the click; it is sealed. No network address: behind a proxy it is the proxy's."""
    return {"user_agent": (request.user_agent.string or "")[:_MOST_EVIDENCE], "page": "confirm"}


def _page(
    title: str, text: str, *, button: str | None = None, about: Any = None, status: int = 200
) -> Response:
    body = render_template(
        "page.html", lang=language(), title=title, text=text, button=button, about=about or {}
    )
    return html(body, status)


def html(body: str, status: int = 200) -> Response:
    """Answer with a page in the language that the request likes best."""
    headers = {"Content-Language": language(), "Vary": "Accept-Language"}
    return Response(body, status, headers, content_type="text/html; charset=utf-8")


_TROUBLE: tuple[tuple[type[GovernanceError], int], ...] = (
    (ExpiredError, 410),
    (ConflictError, 409),
    (NotFoundError, 404),
)


def or_trouble(page: Callable[[], Response]) -> Response:
    """Show what went wrong as a page to a browser, as problem details to a program."""
    try:
        return page()
    except GovernanceError as error:
        for kind, status in _TROUBLE:
            if isinstance(error, kind) and wants_page():
                return _page(say(f"trouble.{status}"), say(f"trouble.{status}.text"), status=status)
        raise


def wants_page() -> bool:
    """Whether a browser asks, which is shown a page, and no program."""
    return request.accept_mimetypes.best_match([problems.MEDIA_TYPE, "text/html"]) == "text/html"
