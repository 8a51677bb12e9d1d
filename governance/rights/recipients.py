"""Art. 19 GDPR: who holds a copy is told of a correction or restriction, and what became of it is kept.

Every connected system is told, for every person whom the request was proved to mean; a row each is the
receipt. What a system cannot be asked, or will not do, waits for somebody: staff note by hand that it was
done, or that it is impossible, with evidence. The request goes on by itself when all have answered.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from governance.clock import wire
from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.events import Fact
from governance.rights import recipient_store as store
from governance.rights.dossier import Dossier, keep, open_dossier, record
from governance.rights.model import IN_PROGRESS, RECTIFICATION, RESTRICTION
from governance.rights.recipient_store import (
    DONE,
    DROPPED,
    FAILED,
    IMPOSSIBLE,
    PENDING,
    UNSUPPORTED,
    WAITING,
    Recipient,
)
from governance.rights.releasing import LIFTED, base, turn
from governance.systems import service as systems
from governance.systems import task_reports
from governance.systems.model import RELEASE, RESTRICT
from governance.vault.model import Place
from governance.work import Snapshot, Work

WAITS, FAILS = "recipients", "recipients-failed"
TYPES = (RECTIFICATION, RESTRICTION)
NOTES = ("done", "impossible", "retry")
"""What staff may say of a recipient: it was done in another way, it cannot be done, or ask again."""

_OPEN, _STUCK = (PENDING, WAITING), (FAILED, UNSUPPORTED)


def plan(work: Work, dossier: Dossier, people: Sequence[str], verb: str) -> str:
    """Have every connected system told about these people; gives what the request waits for.

    Whoever was on the list already is not told twice.
    """
    known = {(each.system_id, each.subject_ref, each.verb) for each in of_request(work, dossier.request_id)}
    request_id = dossier.request_id
    new = [
        Recipient(
            request_id, each.system_id, ref, verb, f"{request_id}/{each.system_id}/{ref}/{verb}",
            PENDING, 0, "", 0, None, work.now, None, dossier.request.event_id,
        )
        for each in systems.every(work)
        for ref in people
        if (each.system_id, ref, verb) not in known
    ]  # fmt: skip
    store.add(work.connection, work.tenant_id, new)
    return WAITS


def tell_again(work: Work, dossier: Dossier, verb: str, concerned: frozenset[str] | None) -> None:
    """Have those on the list told anew, since there is more to tell; `concerned`: these systems, None: all.

    Each is asked under an id of its own then; a task that nobody has done goes with the question before it.
    """
    for each in of_request(work, dossier.request_id):
        if each.verb == verb and (concerned is None or each.system_id in concerned):
            _ask_anew(work, dossier, each)


def tell_dropped(work: Work, dossier: Dossier, verb: str) -> None:
    """Have those told whom the end of the request before left out, since it was opened again."""
    for each in of_request(work, dossier.request_id):
        if each.verb == verb and each.status in (WAITING, DROPPED):
            _ask_anew(work, dossier, each)


def _ask_anew(work: Work, dossier: Dossier, each: Recipient) -> None:
    if each.status == WAITING:
        task_reports.no_longer_asked(work, each.operation_id)
    number = int(turn(each).removeprefix("/") or 1)
    values = {
        "operation_id": f"{base(each, each.verb)}/{number + 1}",
        "status": PENDING,
        "attempts": 0,
        "because": "",
        "rows_told": 0,
        "next_at": work.now,
        "answered_at": None,
        "noted_by": None,
        "event_id": dossier.request.event_id,
    }
    store.change(work.connection, work.tenant_id, each, values)


def of_request(snap: Snapshot, request_id: str) -> list[Recipient]:
    """Who is told because of a request, and how that stands."""
    return store.of_request(snap.connection, snap.tenant_id, request_id)


def standing(snap: Snapshot, dossier: Dossier) -> str | None:
    """What a correction or restriction waits for now; None if all have answered."""
    states = {each.status for each in of_request(snap, dossier.request_id) if each.verb != RELEASE}
    if states & set(_STUCK):
        return FAILS
    return WAITS if states & set(_OPEN) else None


def check_done(snap: Snapshot, dossier: Dossier) -> None:
    """Refuse to call a request answered before its recipients have; ConflictError `recipients-open`."""
    if dossier.request.type in TYPES and standing(snap, dossier) is not None:
        raise ConflictError(
            "Not every recipient has answered; look at the recipients, note by hand what cannot be asked.",
            reason="recipients-open",
        )


def report(snap: Snapshot, dossier: Dossier) -> tuple[str, str]:
    """Who confirmed, and who did not or cannot, as lists for the letter."""
    if dossier.request.type not in TYPES:
        return "", ""
    names = {each.system_id: each.processor or each.system_id for each in systems.registered(snap)}
    told: dict[str, None] = {}
    untold: dict[str, None] = {}
    for each in of_request(snap, dossier.request_id):
        if each.verb == RELEASE or (each.status == DROPPED and each.because != LIFTED):
            continue
        (told if each.status == DONE else untold)[names.get(each.system_id, each.system_id)] = None
    return ", ".join(name for name in told if name not in untold), ", ".join(untold)


def never_told(snap: Snapshot, dossier: Dossier) -> bool:
    """Whether a restriction ended before each recipient had marked the data: it was done in part then."""
    return any(
        each.status == DROPPED and each.because == LIFTED for each in of_request(snap, dossier.request_id)
    )


def note(
    work: Work, request_id: str, system_id: str, *, outcome: str, evidence: Mapping[str, Any]
) -> Dossier:
    """Note by hand what became of a recipient that cannot be asked, or ask it again; the evidence is sealed.

    NotFoundError if this system is not among the recipients, ConflictError `answered` if nothing is open
    there, InvalidError without evidence.
    """
    dossier = open_dossier(work, request_id)
    if outcome not in NOTES:
        complaint = f"Use one of: {', '.join(NOTES)}."
        raise InvalidError("The outcome is not known.", fields={"outcome": [complaint]})
    if outcome != "retry" and not evidence:
        complaint = "Say what shows it."
        raise InvalidError(complaint, fields={"evidence": [complaint]})
    mine = [each for each in of_request(work, request_id) if each.system_id == system_id]
    if not mine:
        raise NotFoundError("This system is not among the recipients of the request.")
    stuck = [each for each in mine if each.status in (*_OPEN, *_STUCK)]
    if not stuck:
        raise ConflictError("This recipient has answered.", reason="answered")
    values: dict[str, Any] = {"status": PENDING, "attempts": 0, "next_at": work.now, "because": ""}
    if outcome != "retry":
        values = {
            "status": DONE if outcome == "done" else IMPOSSIBLE,
            "answered_at": work.now,
            "next_at": None,
            "noted_by": work.actor.ref,
        }
    facts = {"system": system_id, "outcome": outcome}
    keep(work, dossier, "recipient_noted", facts=facts, told={"evidence": dict(evidence)})
    for each in stuck:
        store.change(work.connection, work.tenant_id, each, values)
        if outcome != "retry":
            task_reports.noted(work, each.operation_id, done=outcome == "done", evidence=evidence)
        if outcome == "done":
            marked(work, each)
    return open_dossier(work, request_id)


def marked(work: Work, row: Recipient) -> None:
    """A system has marked a person's data: other requests that wait there for the same have it done, too."""
    if row.verb != RESTRICT:
        return
    for each in store.of_subject(work.connection, work.tenant_id, row.subject_ref, RESTRICT):
        if (each.system_id, each.status in _OPEN) != (
            row.system_id,
            True,
        ) or each.request_id == row.request_id:
            continue
        facts: dict[str, Fact] = {"system": each.system_id, "by": row.request_id}
        record(work, open_dossier(work, each.request_id), "recipient_told", facts=facts)
        task_reports.no_longer_asked(work, each.operation_id)
        values = {"status": DONE, "because": "", "next_at": None, "answered_at": work.now}
        store.change(work.connection, work.tenant_id, each, values)


def forget(work: Work, request_id: str) -> None:
    """Take away what was put right; who was told, and when, stays."""
    store.forget_changes(work.connection, work.tenant_id, request_id)


def documents(snap: Snapshot, request_id: str) -> list[dict[str, Any]]:
    """The recipients of a request as the API shows them: the receipts, without anybody's data."""
    names = {each.system_id: each for each in systems.registered(snap)}
    return [
        {
            "system": each.system_id,
            "processor": names[each.system_id].processor if each.system_id in names else None,
            "country": names[each.system_id].country if each.system_id in names else None,
            "verb": each.verb,
            "status": each.status,
            "rows": each.rows_told,
            "because": each.because or None,
            "attempts": each.attempts,
            "operation": each.operation_id,
            "noted_by": each.noted_by,
            "next_at": None if each.next_at is None else wire(each.next_at),
            "answered_at": None if each.answered_at is None else wire(each.answered_at),
        }
        for each in of_request(snap, request_id)
    ]


def awaited(snap: Snapshot, dossier: Dossier) -> bool:
    """Whether a request in progress waits for recipients."""
    said = dossier.request
    return said.state == IN_PROGRESS and said.waits_for in (WAITS, FAILS)


def changes_place(request_id: str) -> Place:
    """Where what was put right lies."""
    return Place("rights_correction", "changes_sealed", request_id)
