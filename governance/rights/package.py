"""The package of an access request: everything held about a person, for people to read and for machines.

Collected from every connected system and from here, for exactly the people whom the request was proved to
mean, and only after that: `people_of` is asked before anything is collected and again before anything is
kept. No transaction is open while a system works. A system that does not answer is named, and so is a value
that cannot be opened though its key was not destroyed on purpose; the request then stays open and is tried
again. The file lies in pieces, sealed under the request's own key, until its term.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

from governance.errors import ConflictError
from governance.events import Actor
from governance.rights import attachments, handling, package_document, package_links, package_store, states
from governance.rights.dossier import Dossier, keep, open_dossier
from governance.rights.execution import people_of
from governance.rights.leaving import PACKAGED as _TYPES
from governance.rights.model import ANSWERED, CLOSED_STATES, IN_PROGRESS
from governance.rights.package_document import Collected
from governance.rights.package_links import TERM
from governance.rights.package_page import render
from governance.rights.package_words import page_words
from governance.rights.reach import keys_of
from governance.settings import Settings
from governance.systems import operations
from governance.systems import service as systems
from governance.systems.model import COLLECT, DONE, Item, Outcome, SubjectKeys
from governance.systems.operations import Operation
from governance.systems.texts import keepable
from governance.vault.model import EVIDENCE, Place
from governance.vault.service import Vault
from governance.work import Opener, Snapshot, Work

ACTOR = Actor("job:build-packages", "job")
WAITS, INCOMPLETE = "package", "package-incomplete"
_PIECE = 262_144


def due(snap: Snapshot, *, after: str = "", limit: int = 50) -> list[str]:
    """Ids, after an id, of verified requests whose package has still to be made or completed, in order."""
    return package_store.due(snap.connection, snap.tenant_id, (WAITS, INCOMPLETE), _TYPES, after, limit)


def build(opener: Opener, tenant_id: str, request_id: str) -> bool:
    """Collect and keep a request's package, and answer the request if it is whole; gives whether so.

    Raises ConflictError `not-verified`, `no-package` for a request of another type.
    """
    with opener.work(tenant_id, ACTOR) as work:
        dossier, people = _people(work, request_id)
        if people is None:
            return False
        run, keys = _run(dossier), [keys_of(work, ref) for ref in people]
        registered = systems.every(work, since=dossier.request.received_at)
    collected = _collect(opener, tenant_id, run, keys, [each.system_id for each in registered])
    with opener.work(tenant_id, ACTOR) as work:
        if not _is_proved_still(work, request_id, people):
            return False
        dossier = open_dossier(work, request_id)
        if _run(dossier) != run:
            return False
        if not _keep(work, dossier, people, collected):
            return False
        handling.fulfil(work, request_id)
        return True


def read(snap: Snapshot, request_id: str) -> bytes:
    """The ZIP of a request; ConflictError `not-ready` before it was made, `expired` after its term.

    Of one that was opened again, that of the answer before, until there is a new one.
    """
    dossier = open_dossier(snap, request_id)
    made_at = package_store.made_at(snap.connection, snap.tenant_id, request_id)
    if made_at is None:
        raise ConflictError("There is no package.", reason="not-ready")
    if dossier.request.state not in (IN_PROGRESS, *ANSWERED) and not package_links.was_answer(
        dossier, made_at
    ):
        raise ConflictError("This request has no package.", reason="not-ready")
    if made_at + TERM <= snap.now:
        raise ConflictError("The package could be fetched for 30 days; ask anew.", reason="expired")
    vault = snap.resource(Vault)
    pieces = package_store.pieces(snap.connection, snap.tenant_id, request_id)
    return b"".join(
        vault.reveal(snap.tenant_id, request_id, EVIDENCE, _place(request_id, number), sealed)
        for number, sealed in pieces
    )


def note_fetched(work: Work, request_id: str) -> None:
    """Record that the package left the house."""
    dossier = open_dossier(work, request_id)
    keep(work, dossier, "package_fetched", facts={"by": "staff"})


def fetch(work: Work, token: str) -> bytes:
    """Give the person's package for their own link, and use it up.

    Raises NotFoundError, ExpiredError, ConflictError as `package_links.look` and `read` do.
    """
    return read(work, package_links.use(work, token).package_of)


def forget_old(work: Work, *, limit: int = 100) -> int:
    """Drop packages whose term is over; gives how many."""
    old = package_store.made_before(work.connection, work.tenant_id, work.now - TERM, limit)
    for request_id in old:
        package_store.remove(work.connection, work.tenant_id, request_id)
        keep(work, open_dossier(work, request_id), "package_expired")
    return len(old)


def _people(work: Work, request_id: str) -> tuple[Dossier, tuple[str, ...] | None]:
    dossier = open_dossier(work, request_id)
    if dossier.request.type not in _TYPES:
        raise ConflictError("Only access and portability have a package.", reason="no-package")
    if dossier.request.state in CLOSED_STATES:
        return dossier, None  # it was answered meanwhile, with one that it repeats perhaps
    states.entitled(dossier.case)
    return people_of(work, dossier)


def _run(dossier: Dossier) -> str:
    """What the questions of this time are named by: a request that was opened again is collected anew."""
    again = dossier.taken_up
    return dossier.request_id if again is None else f"{dossier.request_id}/{again.reopening.appeal_id}"


def _is_proved_still(work: Work, request_id: str, people: tuple[str, ...]) -> bool:
    """Whether a request is about these people as before; it may have ended or have to be proved anew."""
    try:
        return _people(work, request_id)[1] == people
    except ConflictError:
        return False


def _collect(
    opener: Opener, tenant_id: str, run: str, keys: Sequence[SubjectKeys], system_ids: Sequence[str]
) -> Collected:
    items: dict[str, list[Item]] = {}
    owners: dict[int, str] = {}
    missing: dict[str, str] = {}
    for system_id in system_ids:
        for each in keys:
            name = f"{run}/{system_id}/{each.subject_ref}/collect"
            outcome = _asked(opener, tenant_id, Operation(name, system_id, COLLECT, each))
            if outcome.status == DONE:
                items.setdefault(system_id, []).extend(outcome.items)
                owners.update((id(item), each.subject_ref) for item in outcome.items)
            else:
                missing[system_id] = outcome.because
    return Collected(items, owners, missing)


def _asked(opener: Opener, tenant_id: str, asked: Operation) -> Outcome:
    """What a system answers; one that said when to ask again is let alone until then."""
    with opener.snapshot(tenant_id, ACTOR) as snap:
        stands = operations.standing(snap, asked.operation_id)
        if stands is not None and stands.check_after is not None and stands.check_after > snap.now:
            return stands
    return operations.run(opener, ACTOR, tenant_id, asked)


def _keep(work: Work, dossier: Dossier, people: Sequence[str], collected: Collected) -> bool:
    """Keep the package; gives whether it is whole: no system is missing, and all held here could be read."""
    document = package_document.document(work, dossier, people, collected)
    said = page_words(dossier.request.language, work.resource(Settings).policies_dir)
    vault, request_id = work.resource(Vault), dossier.request_id
    content = _zip(document, render(document, said), collected)
    pieces = [
        vault.seal(work.tenant_id, request_id, EVIDENCE, _place(request_id, number), piece)
        for number, piece in enumerate(_pieces(content))
    ]
    package_store.put(work.connection, work.tenant_id, request_id, work.now, pieces)
    whole = not collected.missing and not document["unreadable"]
    if whole:  # else what was found, by hand perhaps, is wanted again with the rest
        for system_id in collected.items:
            for ref in people:
                operations.forget_items(work, f"{_run(dossier)}/{system_id}/{ref}/collect")
    facts: dict[str, Any] = {"systems": len(collected.items), "missing": sorted(collected.missing)}
    if document["unreadable"]:
        facts["unreadable"] = document["unreadable"]
    keep(work, dossier, "package_made", facts=facts, waits_for=None if whole else INCOMPLETE)
    return whole


def _zip(document: dict[str, Any], page: str, collected: Collected) -> bytes:
    """Two members with fixed names, and the attached files by number: no path ever comes from data."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (
            ("your-data.html", page),
            ("your-data.json", json.dumps(document, ensure_ascii=False, indent=1)),
        ):
            archive.writestr(zipfile.ZipInfo(name), keepable(text).encode(), zipfile.ZIP_DEFLATED)
        for name, _, content in attachments.files(collected.items):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _PIECE):
        yield content[start : start + _PIECE]


def _place(request_id: str, number: int) -> Place:
    return Place("rights_package_piece", "sealed", f"{request_id}/{number}")


__all__ = ["ACTOR", "TERM", "build", "due", "fetch", "forget_old", "note_fetched", "read"]
