"""The public form: what anybody may send, and the same work for everybody.

Nobody is looked up here. What differs between people (who is known, who has asked before) is left to the job
that looks whom a request means, so that neither the answer nor its time tells anything. The form carries a
signed hour instead of a cookie: it can neither be made up nor kept for long.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from governance.clock import wire
from governance.communications import link_tokens
from governance.consent import service as consent
from governance.consent.model import SALE_SHARING
from governance.errors import ExpiredError, NotFoundError, TooManyError
from governance.rights import store
from governance.rights.dossier import Dossier
from governance.rights.intake import NewRequest, take
from governance.rights.model import (
    ACCESS,
    COMPLAINT,
    ERASURE,
    HUMAN_REVIEW,
    LIMIT_SENSITIVE,
    OBJECTION,
    OPT_OUT_OF_SALE,
    PORTABILITY,
    RECTIFICATION,
    RESTRICTION,
    WITHDRAW_CONSENT,
)
from governance.subjects.model import SubjectReference
from governance.work import Snapshot, Work

USE = "rights-form"
CHANNEL = "web_form"
OFFERED = (
    ACCESS,
    ERASURE,
    RECTIFICATION,
    RESTRICTION,
    PORTABILITY,
    OBJECTION,
    OPT_OUT_OF_SALE,
    LIMIT_SENSITIVE,
    WITHDRAW_CONSENT,
    HUMAN_REVIEW,
    COMPLAINT,
)
"""What the form offers; an appeal answers a letter instead."""

LONGEST_NAME, LONGEST_DETAILS = 200, 4000
FORM_LASTS = timedelta(hours=24)
MOST_AN_HOUR = 600
"""Requests that the forms of one tenant take in an hour; beyond it everybody is asked to come back later."""


@dataclass(frozen=True, slots=True)
class Form:
    """What somebody filled in. Exactly one of `email` and `phone` is used, the address first.

    `signal`: the browser asks not to sell or share (Global Privacy Control).
    """

    type: str
    email: str | None = None
    phone: str | None = None
    name: str | None = None
    country: str | None = None
    region: str | None = None
    details: str | None = None
    language: str | None = None
    signal: bool = False


def form_token(snap: Snapshot) -> str:
    """What a form carries: the minute it was shown, signed."""
    return link_tokens.write(snap, USE, wire(snap.now.replace(second=0, microsecond=0)))


def check_token(snap: Snapshot, token: str) -> None:
    """Refuse a form that was not shown by us (NotFoundError) or too long ago (ExpiredError)."""
    try:
        shown = datetime.fromisoformat(link_tokens.read(snap, USE, token))
    except ValueError:
        raise NotFoundError("This form was not made here.") from None
    if not shown <= snap.now <= shown + FORM_LASTS:
        raise ExpiredError("This form was open for too long; send it again.")


def submit(work: Work, form: Form) -> Dossier:
    """Take a filled-in form in; a no acts now, for the address.

    Raises TooManyError when too many came in, InvalidError for an address that is none.
    """
    hour = work.now - timedelta(hours=1)
    if store.arrived(work.connection, work.tenant_id, CHANNEL, hour, MOST_AN_HOUR) == MOST_AN_HOUR:
        raise TooManyError("Too many requests came in; please try again in an hour.", retry_after=3600)
    named = SubjectReference(email=form.email) if form.email else SubjectReference(phone=form.phone or "")
    details: dict[str, object] = {}
    if form.details:
        details["text"] = form.details
    if form.signal:
        details["gpc"] = True
    new = NewRequest(
        form.type,
        [named],
        country=form.country,
        region=form.region,
        language=form.language,
        channel=CHANNEL,
        details=details,
        name=form.name,
    )
    dossier = take(work, new)
    suppression_hash = dossier.identities[0].suppression_hash
    if form.signal and suppression_hash is not None and form.type != OPT_OUT_OF_SALE:
        consent.bar_address(work, suppression_hash, reason="gpc", purpose=SALE_SHARING)
    return dossier
