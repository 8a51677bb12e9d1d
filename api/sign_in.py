"""Where people sign in: one page with name, password and code, without scripts; it leads back to the
component.

The answer to a name that nobody has is the answer to a wrong password, in words, bytes and work. The form
belongs to the browser that it was shown to (a cookie) and is good for half an hour.
"""

import hmac
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from flask import Response, current_app, render_template, request
from werkzeug.exceptions import Forbidden

from api import bearers
from api.auth import OAuthServer
from api.code_grant import AUTHORIZE, SignInError, SignInRequest
from api.pages import html
from api.rooms import PUBLIC, Room
from api.runtime import this_runtime
from api.wording import language, say
from governance.callers import sign_in
from governance.clock import wire
from governance.errors import TooManyError
from governance.events import Actor
from governance.ids import new_secret

room = Room("sign-in", description="Where people sign in (authorization code with PKCE).")

FORM_LASTS = timedelta(minutes=30)

_ACTOR = Actor("sign-in", "door")
_HTML = {"type": "string"}
_USE = "sign-in-form"
_FIELDS = ("login", "password", "code", "form")
_PARAMETERS = (
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
)
_DESCRIBED = [{"in": "query", "name": each, "schema": {"type": "string"}} for each in _PARAMETERS]
_UNREADABLE = {400: {"content": {"application/problem+json": {"schema": {"type": "object"}}}}}
"""What cannot be read at all is answered before it comes to a page."""

_FORM = {
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {"type": "object", "properties": {name: {"type": "string"} for name in _FIELDS}}
        }
    }
}


@room.get(AUTHORIZE, scope=PUBLIC)
@room.describe(parameters=_DESCRIBED, responses=_UNREADABLE)
@room.answers(200, _HTML, content_type="text/html")
@room.also(303, _HTML, content_type="text/html", description="Back to the component, with an error.")
@room.also(400, _HTML, content_type="text/html", description="No request that may be answered.")
def show() -> Response:
    """Show the page to sign in on (RFC 6749 §4.1.1; `code_challenge_method` S256, `state` required)."""
    wanted = _wanted()
    return wanted if isinstance(wanted, Response) else _page(wanted)


@room.post(AUTHORIZE, scope=PUBLIC)
@room.describe(parameters=_DESCRIBED, requestBody=_FORM, responses=_UNREADABLE)
@room.answers(200, _HTML, content_type="text/html", description="Never: a page that is left is led back.")
@room.also(303, _HTML, content_type="text/html", description="Back to the component, with a code.")
@room.also(400, _HTML, content_type="text/html", description="No request that may be answered.")
@room.also(422, _HTML, content_type="text/html", description="Name, password or code is wrong.")
@room.also(429, _HTML, content_type="text/html", description="Too many tries.")
@room.refuses(403)
def take() -> Response:
    """Sign somebody in and lead back with a code that is good once, for a minute."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("This form is sent from its own page only.")
    wanted = _wanted()
    if isinstance(wanted, Response):
        return wanted
    if not _is_ours(wanted, request.form.get("form", "")):
        return _page(wanted, "sign_in.form", 422)
    try:
        code = _signed_in(wanted)
    except TooManyError as error:
        answer = _page(wanted, "sign_in.many", 429)
        answer.headers["Retry-After"] = str(error.retry_after)
        return answer
    if code is None:
        return _page(wanted, "sign_in.wrong", 422)
    answer = wanted.finish(code or None)
    answer.delete_cookie(_cookie(), path="/", secure=_is_https(), httponly=True, samesite="Lax")
    return answer


def _signed_in(wanted: SignInRequest) -> str | None:
    """Give a code if the person is who they say; empty if they may have nothing, None if they are not."""
    login, password, typed = (request.form.get(name, "") for name in ("login", "password", "code"))
    if not sign_in.can_be(login, password, typed):
        return None
    runtime, tenant_id = this_runtime(), wanted.component.tenant_id
    with runtime.work(tenant_id, _ACTOR) as work:
        sign_in.count(work, login)
    with runtime.snapshot(tenant_id, _ACTOR) as snapshot:
        candidate = sign_in.look_up(snapshot, login, typed)
    proof = sign_in.prove(candidate, password, typed, runtime.clock)
    with runtime.work(tenant_id, _ACTOR) as work:
        if proof is None or not sign_in.use_up(work, proof):
            sign_in.refuse(work, wanted.component.client_id, candidate)
            return None
        opens = bearers.account_opens(work, proof.user.staff_id, proof.user.scopes)
        if not opens & set(wanted.wish.scopes):
            sign_in.refuse(work, wanted.component.client_id, candidate)
            return ""
        lasts = timedelta(seconds=runtime.settings.session_lifetime)
        return sign_in.begin(work, proof, wanted.wish, opens, lasts)


def _wanted() -> SignInRequest | Response:
    """Read what is asked for, or give the answer to what cannot be."""
    server: OAuthServer = current_app.extensions["governance-oauth"]
    try:
        return server.sign_in()
    except SignInError as error:
        if error.answer is not None:
            return error.answer
    text = render_template(
        "page.html", lang=language(), title=say("sign_in"), text=say("sign_in.odd"), button=None, about={}
    )
    return html(text, 400)


def _page(wanted: SignInRequest, note: str | None = None, status: int = 200) -> Response:
    """Show the form, to the browser that holds the cookie."""
    nonce = request.cookies.get(_cookie()) or new_secret()
    body = render_template(
        "sign_in.html",
        lang=language(),
        say=say,
        component=wanted.component.name,
        action=f"{AUTHORIZE}?{request.query_string.decode('ascii', 'replace')}",
        form=_form_token(wanted, nonce, wire(this_runtime().clock())),
        note=None if note is None else say(note),
    )
    answer = html(body, status)
    answer.set_cookie(
        _cookie(),
        nonce,
        max_age=FORM_LASTS,
        path="/",
        secure=_is_https(),
        httponly=True,
        samesite="Lax",
    )
    back = urlsplit(wanted.redirect_uri)
    # Browsers apply `form-action` to where the answer to a form leads as well.
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self'; form-action 'self' {back.scheme}://{back.netloc}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return answer


def _form_token(wanted: SignInRequest, nonce: str, at: str) -> str:
    """What the form carries: when it was shown, signed for this browser and this request."""
    message = "\n".join((nonce, at)).encode() + b"\n" + request.query_string
    mac = this_runtime().vault.mac(wanted.component.tenant_id, _USE, message)
    return f"{at}.{mac.hex()}"


def _is_ours(wanted: SignInRequest, form: str) -> bool:
    """Whether a form was shown to this browser, for this request, not too long ago."""
    nonce, (at, _, _) = request.cookies.get(_cookie()), form.rpartition(".")
    if not nonce or not hmac.compare_digest(
        form.encode("utf-8", "replace"), _form_token(wanted, nonce, at).encode("utf-8", "replace")
    ):
        return False
    return datetime.fromisoformat(at) <= this_runtime().clock() <= datetime.fromisoformat(at) + FORM_LASTS


def _is_https() -> bool:
    return this_runtime().settings.public_url.startswith("https://")


def _cookie() -> str:
    """The cookie's name; its prefix makes browsers hold it to https and to this host (RFC 6265bis §4.1.3)."""
    return "__Host-sign-in" if _is_https() else "sign-in"
