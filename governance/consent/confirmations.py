"""Double opt-in: a sign-up waits until the person confirms it through the contact point itself.

The token is told once; only its SHA-256 is kept. A withdrawal, refusal or objection after the sign-up makes
the token void: a link that lies in a mailbox must not undo a no.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from governance.consent import acts, notice_store, store
from governance.consent.acts import Confirmation, Draft, NoticeRef
from governance.consent.kinds import CONSENT, OBJECTION
from governance.consent.model import ALL, Cell, Question
from governance.consent.notice_store import Waiting
from governance.consent.outcomes import ConsentOutcome, outcome, payload_of
from governance.consent.projection import ConsentEvent, kind_of_grant
from governance.consent.recording import append
from governance.consent.resolving import no_covers
from governance.errors import ConflictError, ExpiredError, NotFoundError
from governance.subjects import service as subjects
from governance.work import Snapshot, Work

METHOD = "double_opt_in"


def open_for(work: Work, request: ConsentEvent, *, grant_expires_at: datetime | None) -> Confirmation:
    """Let a sign-up wait for its confirmation, 30 days.

    `grant_expires_at` is when the consent itself will end.
    """
    token = work.new_secret()
    expires_at = request.expires_at or work.now + acts.CONFIRMATION_TERM
    waiting = Waiting(
        _sha256(token), request.subject_ref, request.consent_id, expires_at, grant_expires_at, used_at=None
    )
    notice_store.add_waiting(work.connection, work.tenant_id, waiting)
    return Confirmation(token, expires_at)


def waiting_for(snap: Snapshot, token: str) -> list[ConsentEvent]:
    """Show what a token would confirm, changing nothing.

    NotFoundError, ExpiredError, ConflictError as `confirm`.
    """
    _, events = _find(snap, token)
    return events


def confirm(work: Work, token: str, *, evidence: Mapping[str, object] | None = None) -> ConsentOutcome:
    """End a double opt-in: the sign-up becomes a proven grant, given now, on the points that it named.

    `evidence` of the click (ip, user_agent, url) is sealed. Confirming twice changes nothing. Raises
    NotFoundError for an unknown token, ExpiredError after its term, ConflictError `withdrawn-since` if the
    person has said no since (before the first confirmation or after it), or `erased`.
    """
    waiting, requested = _find(work, token)
    person = subjects.lock(work, waiting.subject_ref)
    waiting, requested = _find(work, token)
    if waiting.used_at is not None:
        confirmed = store.events_of_act(work.connection, work.tenant_id, waiting.consent_id)
        return outcome(work, [event for event in confirmed if event.status == "confirmed"])
    if person.erased or person.erasure_pending:
        raise ConflictError("This sign-up can no longer be confirmed.", reason="erased")
    first = requested[0]
    draft = Draft(
        consent_id=first.consent_id,
        kind=kind_of_grant(proven=True, by_person=True, guardian=first.guardian),
        status="confirmed",
        scope="confirmed",
        method=METHOD,
        by_person=True,
        occurred_at=work.now,
        purpose=first.purpose,
        controller=first.controller,
        channel=first.channel,
        topic=first.topic,
        point_refs=tuple(event.point_ref for event in requested),
        proven=True,
        double_opt_in=True,
        expires_at=waiting.grant_expires_at,
        notice=_notice(first),
        guardian=first.guardian,
        purpose_version=first.purpose_version,
        payload={**payload_of(evidence), "token_sha256": waiting.token_sha256},
    )
    events = append(work, person.subject_ref, draft)
    notice_store.mark_used(work.connection, work.tenant_id, waiting.token_sha256, work.now)
    reached = {event.point_ref for event in requested} - {ALL}
    if len(reached) == 1:  # of several nobody knows which one the link was opened at
        subjects.set_point_verified(work, person.subject_ref, reached.pop())
    return outcome(work, events)


def _find(snap: Snapshot, token: str) -> tuple[Waiting, list[ConsentEvent]]:
    waiting = notice_store.find_waiting(snap.connection, snap.tenant_id, _sha256(token))
    if waiting is None:
        raise NotFoundError("This link is not known.")
    act = store.events_of_act(snap.connection, snap.tenant_id, waiting.consent_id)
    events = [
        event for event in act if event.subject_ref == waiting.subject_ref and event.status == "requested"
    ]
    if not events:
        raise NotFoundError("This link is not known.")
    if waiting.used_at is None and waiting.expires_at <= snap.now:
        raise ExpiredError("This confirmation link has run out; sign up again to get a new one.")
    cells = store.cells_of(snap.connection, snap.tenant_id, waiting.subject_ref).values()
    if any(_outdates(cell, event) for cell in cells for event in events):
        # Of a link that was used before, too: it gives nothing back, and must not say that it did.
        raise ConflictError(
            "The person has said no since; only a new sign-up can be confirmed.", reason="withdrawn-since"
        )
    return waiting, events


def _outdates(cell: Cell, request: ConsentEvent) -> bool:
    """Whether a no was recorded after the sign-up and speaks about what it asked for."""
    question = Question(request.purpose, request.controller, request.channel, request.topic or None)
    return (
        cell.kind in (CONSENT, OBJECTION)
        and (cell.neg_seq or 0) > request.seq
        and (no_covers(cell, question) or _narrower(cell, request))
    )


def _narrower(cell: Cell, request: ConsentEvent) -> bool:
    """Whether a no lies within a wider sign-up (a no to one channel after asking for all)."""
    return cell.purpose in (ALL, request.purpose) and request.channel in (ALL, cell.channel)


def _notice(event: ConsentEvent) -> NoticeRef | None:
    if event.notice_id is None or event.notice_version is None:
        return None
    return NoticeRef(event.notice_id, event.notice_version, event.notice_language)


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
