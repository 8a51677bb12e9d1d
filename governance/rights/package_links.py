"""The person's own link to a package: it shows a page, gives the file once, and runs out with the package.

A link is a random id under a MAC, so that it can neither be made up nor made again from the database. Looking
at its page changes nothing, since mail scanners follow links; only pressing the button uses it up. Staff may
write a new one, which ends the one before. Whatever a token is refused for, nothing is said about a person.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from governance.communications import link_tokens
from governance.errors import ConflictError, ExpiredError
from governance.rights import letters, package_store
from governance.rights.dossier import Dossier, keep, open_dossier
from governance.rights.leaving import PACKAGED as TYPES
from governance.rights.letter_files import words
from governance.rights.model import (
    ANSWERED,
    BY_ADDRESS,
    IN_PROGRESS,
    NOT_ME,
    REFUSED,
    WAITING,
    WITHDRAWN,
    Identity,
    Letter,
)
from governance.rights.package_store import Link
from governance.rights.periods import local_day
from governance.rights.reach import still_holds
from governance.rights.states import PROVED
from governance.settings import Settings
from governance.work import Snapshot, Work

USE = "rights-package"
TERM = timedelta(days=30)
"""How long a package can be fetched after it was made."""

_STAYS = (IN_PROGRESS, WAITING, REFUSED, WITHDRAWN)
"""Where a request that was opened again may be while what answered it before can be fetched."""


def issue(work: Work, dossier: Dossier) -> dict[str, str]:
    """Make the link of an answered request, in place of any before it: what its letter says of it.

    Empty if the request has no package.
    """
    found = _package(work, dossier)
    if found is None:
        return {}
    package_of, made_at = found
    package_store.end_links(work.connection, work.tenant_id, dossier.request_id, work.now)
    link_id, expires_at = work.new_id("pkl"), made_at + TERM
    facts = {"link": link_id}
    dossier = keep(work, dossier, "package_link_issued", facts=facts)
    new = Link(
        link_id, dossier.request_id, package_of, work.now, expires_at, None, False, dossier.request.event_id
    )
    package_store.add_link(work.connection, work.tenant_id, new)
    said = words(dossier.request.language, work.resource(Settings).policies_dir)
    return {"link": url(work, new), "until": said.day(local_day(expires_at - timedelta(days=1), "UTC"))}


def reissue(work: Work, request_id: str) -> tuple[Letter, Link]:
    """Write the person a letter with a new link; the one before ends.

    Raises NotFoundError, ConflictError `not-ready` where there is no package (any more).
    """
    dossier = open_dossier(work, request_id)
    before = package_store.newest_link(work.connection, work.tenant_id, request_id)
    answered = dossier.request.state in ANSWERED or (before is not None and _stands_still(dossier))
    told = issue(work, dossier) if answered else {}
    if not told:
        raise ConflictError("There is no package that could be fetched (any more).", reason="not-ready")
    letter = letters.send(
        work, open_dossier(work, request_id), letters.PACKAGE, link=told["link"], until=told["until"]
    )
    if letter is None:
        raise ConflictError(
            "Another controller asked for the person, and writes to them.", reason="not-ready"
        )
    newest = package_store.newest_link(work.connection, work.tenant_id, request_id)
    assert newest is not None
    return letter, newest


def url(snap: Snapshot, link: Link) -> str:
    """The address of a link's page."""
    token = link_tokens.write(snap, USE, link.link_id)
    return f"{snap.resource(Settings).public_url}/privacy/packages/{token}"


def look(snap: Snapshot, token: str) -> Link:
    """The link of a token; NotFoundError for one not made here, ExpiredError for one that is over."""
    link = package_store.link(snap.connection, snap.tenant_id, link_tokens.read(snap, USE, token))
    if link is None:
        raise link_tokens.unknown()
    if not _opens(snap, link):
        raise ExpiredError("This link was used or has run out; ask for a new one.")
    return link


def use(work: Work, token: str) -> Link:
    """Use a link up, once, and record it; raises as `look` does."""
    link = look(work, token)
    if not package_store.use_link(work.connection, work.tenant_id, link.link_id, work.now):
        raise ExpiredError("This link was used or has run out; ask for a new one.")
    facts = {"by": "link", "link": link.link_id}
    keep(work, open_dossier(work, link.request_id), "package_fetched", facts=facts)
    return link


def for_holder(snap: Snapshot, dossier: Dossier, identity: Identity | None) -> str | None:
    """The link for whoever holds the message that proved an identity; None for anybody else.

    A status link alone shows none: it went to an address before anybody was proved.
    """
    if identity is None or identity.state != PROVED or identity.proof not in BY_ADDRESS or identity.shared:
        return None
    if not still_holds(snap, identity):
        return None
    found = package_store.newest_link(snap.connection, snap.tenant_id, dossier.request_id)
    return None if found is None or not _opens(snap, found) else url(snap, found)


def was_answer(dossier: Dossier, at: datetime) -> bool:
    """Whether what was made at an instant answered a request before it was opened again, and still may."""
    again = dossier.taken_up
    return again is not None and at < again.reopening.at and _stands_still(dossier)


def _stands_still(dossier: Dossier) -> bool:
    """Whether the answer before a request was opened again stands for whom the request means now.

    Not once anybody was proved anew since then: it might mean somebody else.
    """
    said, again = dossier.request, dossier.taken_up
    if again is None or said.state not in _STAYS or said.outcome == NOT_ME:
        return False
    return said.verified_at == again.reopening.at and dossier.case.is_proved


def _opens(snap: Snapshot, link: Link) -> bool:
    """Whether a link gives a package now: its answer stands, and so does that whose package it opens."""
    if link.ended_at is not None or link.expires_at <= snap.now:
        return False
    dossier = open_dossier(snap, link.request_id)
    if dossier.request.state not in ANSWERED and not _stands_still(dossier):
        return False
    if link.package_of != link.request_id:
        dossier = open_dossier(snap, link.package_of)
    return _made_at(snap, dossier) is not None


def _made_at(snap: Snapshot, dossier: Dossier) -> datetime | None:
    """When the package was made that answers a request, or did before it was opened again; None for none."""
    made_at = package_store.made_at(snap.connection, snap.tenant_id, dossier.request_id)
    if made_at is None or made_at + TERM <= snap.now:
        return None
    return made_at if dossier.request.state in ANSWERED or was_answer(dossier, made_at) else None


def _package(snap: Snapshot, dossier: Dossier) -> tuple[str, datetime] | None:
    """Whose package answers a request, its own or that of the one it repeats, and when it was made."""
    if dossier.request.type not in TYPES:
        return None
    for each in (dossier, _first(snap, dossier)):
        made_at = None if each is None else _made_at(snap, each)
        if each is not None and made_at is not None:
            return each.request_id, made_at
    return None


def _first(snap: Snapshot, dossier: Dossier) -> Dossier | None:
    """The request that this one repeats, if it was answered, about exactly the people proved here too."""
    if dossier.request.duplicate_of is None:
        return None
    first = open_dossier(snap, dossier.request.duplicate_of)
    same = _proved(first.identities) == _proved(dossier.identities)
    return first if first.request.state in ANSWERED and same else None


def _proved(identities: Iterable[Identity]) -> set[str | None]:
    return {each.subject_ref for each in identities if each.state == PROVED}
