"""The person's own link to a package: it shows a page, gives the file once, and runs out with the package.

A link is a random id under a MAC, so that it can neither be made up nor made again from the database. Looking
at its page changes nothing, since mail scanners follow links; only pressing the button uses it up. Staff may
write a new one, which ends the one before. Whatever a token is refused for, nothing is said about a person.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from governance.communications import link_tokens
from governance.errors import ConflictError, ExpiredError
from governance.rights import letters, package_store, store
from governance.rights.dossier import Dossier, keep, open_dossier
from governance.rights.leaving import PACKAGED as TYPES
from governance.rights.letter_files import words
from governance.rights.model import ANSWERED, BY_ADDRESS, Identity, Letter
from governance.rights.package_store import Link
from governance.rights.periods import local_day
from governance.rights.reach import still_holds
from governance.rights.states import PROVED
from governance.settings import Settings
from governance.work import Snapshot, Work

USE = "rights-package"
TERM = timedelta(days=30)
"""How long a package can be fetched after it was made."""


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
    told = issue(work, dossier) if dossier.request.state in ANSWERED else {}
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
    if link.ended_at is not None or link.expires_at <= snap.now:
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
    if found is None or found.ended_at is not None or found.expires_at <= snap.now:
        return None
    return url(snap, found)


def _package(snap: Snapshot, dossier: Dossier) -> tuple[str, datetime] | None:
    """Whose package answers a request, its own or that of the one it repeats, and when it was made."""
    if dossier.request.type not in TYPES:
        return None
    for request_id in (dossier.request_id, _first(snap, dossier)):
        made = request_id and package_store.made_at(snap.connection, snap.tenant_id, request_id)
        if request_id and made and made + TERM > snap.now:
            return request_id, made
    return None


def _first(snap: Snapshot, dossier: Dossier) -> str | None:
    """The request that this one repeats, if it was answered, about exactly the people proved here too."""
    if dossier.request.duplicate_of is None:
        return None
    at = (snap.connection, snap.tenant_id, dossier.request.duplicate_of)
    first = store.find(*at)
    same = _proved(store.parts_of(*at, Identity)) == _proved(dossier.identities)
    return first.request_id if first is not None and first.state in ANSWERED and same else None


def _proved(identities: Iterable[Identity]) -> set[str | None]:
    return {each.subject_ref for each in identities if each.state == PROVED}
