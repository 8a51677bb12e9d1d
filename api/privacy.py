"""What people see of their requests: a form that anybody may send, and a page behind the link in our letters.

Works without scripts and cookies. The form's answer is the same, to the byte, for everybody; a GET changes
nothing, a POST acts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask import Response, render_template, request
from werkzeug.exceptions import Forbidden

from api import links, places
from api.pages import or_trouble, tenant_of, wants_page
from api.rooms import PUBLIC, Room
from api.runtime import this_runtime
from governance.database import for_reading
from governance.errors import ConflictError, ExpiredError, InvalidError, NotFoundError
from governance.rights import leaving, package, package_links, public, verification
from governance.rights import service as rights
from governance.rights.dossier import reading_of
from governance.rights.letter_files import LANGUAGES, Words, words
from governance.rights.model import CLOSED_STATES, GRANTED, VERIFIED, VERIFYING
from governance.rights.periods import local_day
from governance.rights.public import Form
from governance.rights.service import Dossier
from governance.tenants import store as tenants
from governance.tenants.model import Tenant
from governance.work import Snapshot

room = Room("privacy", description="The form for requests about one's data, and how far a request is.")

_HTML = {"type": "string"}
_BINARY = {"type": "string", "format": "binary"}
_STEPS = ("received", "verified", "in_progress", "closed")


def _form_body(*names: str) -> dict[str, Any]:
    """Describe a form of texts."""
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    return {"requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}}


@dataclass(frozen=True, slots=True)
class _Shown:
    """A form as it is shown again, with what is wrong."""

    values: Mapping[str, str]
    wrong: str | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the page of a request shows besides the request. `begun`: an erasure that cannot be taken back."""

    due_on: date
    begun: bool
    asks: bool
    link: str | None


@room.get("/privacy/requests", scope=PUBLIC)
@room.answers(200, _HTML, content_type="text/html")
@room.refuses(404)
def show_form() -> Response:
    """Show the form; `?to=` names the controller where several share this service."""

    def page() -> Response:
        return _form(_controller(request.args.get("to")), _Shown({}))

    return or_trouble(page)


@room.post("/privacy/requests", scope=PUBLIC)
@room.describe(**_form_body("type", "email", "phone", "name", "country", "region", "details", "form", "to"))
@room.answers(200, _HTML, content_type="text/html")
@room.also(422, _HTML, content_type="text/html")
@room.refuses(403)
@room.refuses(429)
def send_form() -> Response:
    """Take a request in. The answer is the same for everybody."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise Forbidden("This form is sent from its own page only.")

    def page() -> Response:
        controller = _controller(request.form.get("to"))
        said = _words()
        wrong = _take(controller, said)
        if wrong is not None:
            values = {name: text for name, text in request.form.items() if name != "form"}
            return _form(controller, _Shown(values, said.page[wrong]), status=422)
        body = render_template("privacy_sent.html", lang=said.language, say=said.page.__getitem__)
        return _page(said, body)

    return or_trouble(page)


@room.get("/privacy/requests/<token>", scope=PUBLIC)
@room.answers(200, _HTML, content_type="text/html")
@room.refuses(410)
def status(token: str) -> Response:
    """Show how far a request is; with the link of a verification letter, ask whether it was this person."""

    return or_trouble(lambda: _status_behind(token))


@room.post("/privacy/requests/<token>", scope=PUBLIC)
@room.describe(**_form_body("action"))
@room.answers(200, _HTML, content_type="text/html")
@room.refuses(410)
def answer(token: str) -> Response:
    """Confirm or decline (link of a verification letter), or withdraw the request."""

    def page() -> Response:
        action = request.form.get("action")
        with this_runtime().work(tenant_of(token), links.PERSON) as work:
            if action == "confirm":
                dossier = rights.confirm(work, token)
            elif action == "decline":
                dossier = rights.decline(work, token)
            elif action == "withdraw":
                found, _ = rights.status_of(work, token)
                dossier = rights.withdraw(work, found.request_id, outcome="withdrawn-by-page")
            else:
                raise InvalidError("Press one of the buttons of the page.", fields={"action": ["Unknown."]})
            seen = _seen(work, dossier)
        return _status(dossier, seen)

    def page_or_too_late() -> Response:
        try:
            return page()
        except ConflictError as error:
            if error.reason != "too-late" or not wants_page():
                raise
            return _status_behind(token, status=409)

    return or_trouble(page_or_too_late)


@room.get("/privacy/packages/<token>", scope=PUBLIC)
@room.answers(200, _HTML, content_type="text/html")
@room.refuses(410)
def show_package(token: str) -> Response:
    """Show that a package can be fetched. Loading the page does not use the link up."""

    def page() -> Response:
        with this_runtime().snapshot(tenant_of(token), links.PERSON) as snapshot:
            link = package_links.look(snapshot, token)
        said = _words()
        until = said.day(local_day(link.expires_at, "UTC") - timedelta(days=1))
        return _page(
            said,
            render_template(
                "privacy_package.html", lang=said.language, say=said.page.__getitem__, until=until
            ),
        )

    return or_trouble(page)


@room.post("/privacy/packages/<token>", scope=PUBLIC)
@room.answers(200, _BINARY, content_type="application/zip", description="Two files in a ZIP.")
@room.refuses(409)
@room.refuses(410)
def fetch_package(token: str) -> Response:
    """Give the package, once."""

    def page() -> Response:
        with this_runtime().work(tenant_of(token), links.PERSON) as work:
            content = package.fetch(work, token)
        headers = {
            "Content-Disposition": 'attachment; filename="your-data.zip"',
            "Cache-Control": "no-store",
        }
        return Response(content, 200, headers, content_type="application/zip")

    return or_trouble(page)


def _take(controller: Tenant, said: Words) -> str | None:
    """Take the form in; gives the key of the sentence that says what is wrong with it."""
    told = {name: request.form.get(name, "").strip() for name in request.form}
    if told.get("type") not in public.OFFERED:
        return "wrong.type"
    if (
        len(told.get("name", "")) > public.LONGEST_NAME
        or len(told.get("details", "")) > public.LONGEST_DETAILS
    ):
        return "wrong.long"
    if not (told.get("email") or told.get("phone")):
        return "wrong.address"
    region = told.get("region") or None
    country = region[:2] if region else told.get("country") or None
    form = Form(
        told["type"],
        told.get("email") or None,
        told.get("phone") or None,
        told.get("name") or None,
        country,
        region,
        told.get("details") or None,
        said.language,
        links.signals_opt_out(),
    )
    try:
        with this_runtime().work(controller.tenant_id, links.PERSON) as work:
            public.check_token(work, told.get("form", ""))
            public.submit(work, form)
    except (ExpiredError, NotFoundError):
        return "wrong.form"
    except InvalidError:
        return "wrong.address"
    return None


def _form(controller: Tenant, shown: _Shown, status: int = 200) -> Response:
    said = _words()
    with this_runtime().snapshot(controller.tenant_id, links.PERSON) as snapshot:
        token = public.form_token(snapshot)
    body = render_template(
        "privacy_form.html",
        lang=said.language,
        say=said.page.__getitem__,
        types=[(each, said.types[each]) for each in public.OFFERED],
        controller=controller,
        form=token,
        values=shown.values,
        wrong=shown.wrong,
        countries=places.countries(said.language),
        regions=places.regions(),
        longest=(public.LONGEST_NAME, public.LONGEST_DETAILS),
    )
    return _page(said, body, status)


def _status_behind(token: str, status: int = 200) -> Response:
    """The page behind a link, as things stand."""
    with this_runtime().snapshot(tenant_of(token), links.PERSON) as snapshot:
        dossier, identity = verification.status_of(snapshot, token)
        asks = identity is not None and identity.state == "challenged"
        link = package_links.for_holder(snapshot, dossier, identity)
        seen = _seen(snapshot, dossier, asks=asks, link=link)
    return _status(dossier, seen, status)


def _seen(snap: Snapshot, dossier: Dossier, *, asks: bool = False, link: str | None = None) -> _Seen:
    begun = leaving.is_too_late(snap, dossier.request, dossier.case)
    return _Seen(reading_of(snap, dossier).due_on, begun, asks, link)


def _status(dossier: Dossier, seen: _Seen, status: int = 200) -> Response:
    """The page of a request. Before proof it shows nothing that depends on whether somebody is known."""
    said, asked = _words(), dossier.request
    closed = asked.state in CLOSED_STATES
    proved = asked.verified_at is not None
    again = None if dossier.taken_up is None else dossier.taken_up.reopening.at
    due = said.day(seen.due_on) if proved and not closed else None
    body = render_template(
        "privacy_status.html",
        lang=said.language,
        say=said.page.__getitem__,
        what=said.types[asked.type],
        received=said.day(local_day(asked.received_at, asked.zone if proved else "UTC")),
        due=due,
        again=None if again is None else said.day(local_day(again, asked.zone if proved else "UTC")),
        state="granted" if asked.outcome in GRANTED else asked.state,
        steps=[(step, step in _reached(asked.state, proved)) for step in _STEPS],
        reference=asked.request_id,
        asks=seen.asks and not closed,
        closed=closed,
        begun=seen.begun,
        package=seen.link,
    )
    return _page(said, body, status)


def _reached(state: str, proved: bool) -> tuple[str, ...]:
    """The steps that a request has behind it."""
    if state in CLOSED_STATES:
        return _STEPS if proved else ("received", "closed")
    if state in ("received", VERIFYING):
        return _STEPS[:1]
    return _STEPS[: 2 if state == VERIFIED else 3]


def _controller(ref: str | None) -> Tenant:
    """Whom a request goes to: the named controller, or the only one there is."""
    with this_runtime().engine.connect() as plain, for_reading(plain).begin():
        every = [tenants.find_by_ref(plain, ref)] if ref else tenants.every(plain)
    if len(every) != 1 or every[0] is None:
        raise NotFoundError("Say to whom: use the link from the controller's own site.")
    return every[0]


def _words() -> Words:
    """What is said in the language that this request likes best."""
    language = request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]
    return words(language, this_runtime().settings.policies_dir)


def _page(said: Words, body: str, status: int = 200) -> Response:
    headers = {"Content-Language": said.language, "Vary": "Accept-Language"}
    return Response(body, status, headers, content_type="text/html; charset=utf-8")
