"""Authorising from a screening: whom it allowed, page by page, each decided anew at the hand-over.

A message's id is made of the screening and the person, so that asking again, after a crash or twice at once,
finds the message that was authorised before instead of making a second one; a person who was merged in
between is still one person.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from governance.communications import screening_answers as answers
from governance.communications import store
from governance.communications.gate import Gate
from governance.communications.messages import NOT_HANDED_OVER, Authorisation, SendRequest
from governance.communications.screening import Screening
from governance.communications.screening_questions import read_question
from governance.communications.service import authorise
from governance.errors import ConflictError
from governance.subjects.model import SubjectReference
from governance.subjects.store import subject
from governance.work import Snapshot, Work

MOST_RECIPIENTS = 1000
HANDED_OVER = "already-handed-over"
_LOOKUP = 500

Place = tuple[int, int]
"""Number of a chunk and a place in it: how far a caller has come."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody whom a screening allowed, as the record is now: a merged one is the survivor."""

    subject_ref: str
    external_id: str


def recipients(
    snap: Snapshot, done: Screening, *, after: Place | None, limit: int
) -> tuple[list[Recipient], Place | None]:
    """Up to `limit` people whom a completed screening allowed, in its order, and where to go on.

    At the end that is None.
    """
    kept = answers.outcomes(snap.connection, snap.tenant_id, done.screening_id)
    allowed = {outcome.number for outcome in kept if outcome.allowed}
    since = (0, 0) if after is None else (after[0], after[1] + 1)
    found: list[str] = []
    last = since
    for chunk in answers.chunks(snap.connection, snap.tenant_id, done.screening_id, since=since[0]):
        first = since[1] if chunk.number == since[0] else 0
        for place in range(first, len(chunk.members) if chunk.known else 0):
            if chunk.outcomes[place] not in allowed:
                continue
            if len(found) == limit:
                return _recipients(snap, found), last
            found.append(chunk.members[place])
            last = chunk.number, place
    return _recipients(snap, found), None


def send(
    work: Work, done: Screening, recipient: Recipient, *, campaign: str | None, gate: Gate
) -> Authorisation:
    """Authorise the screening's message to one person, as things stand now; see `service.authorise`.

    Raises ConflictError `already-handed-over` if an outcome of that message was reported: it was sent.
    """
    known = store.find_of_group(work.connection, work.tenant_id, done.screening_id, recipient.subject_ref)
    if known is not None and known.status not in NOT_HANDED_OVER:
        raise ConflictError(
            "The message of this screening to this person was handed over before.",
            reason=HANDED_OVER,
        )
    about = SubjectReference(id=recipient.external_id)
    question = replace(read_question(done.question), subject=about, time=None)
    message_id = f"{done.screening_id}.{recipient.subject_ref}" if known is None else known.message_id
    return authorise(
        work, SendRequest(message_id, question, campaign=campaign, screening_id=done.screening_id), gate=gate
    )


def _recipients(snap: Snapshot, refs: Sequence[str]) -> list[Recipient]:
    found: dict[str, Recipient] = {}
    survivor = subject.alias("survivor")
    for start in range(0, len(refs), _LOOKUP):
        rows = snap.connection.execute(
            sa.select(subject.c.subject_ref, survivor.c.subject_ref, survivor.c.external_id)
            .join(
                survivor,
                sa.and_(
                    survivor.c.tenant_id == subject.c.tenant_id,
                    survivor.c.subject_ref == sa.func.coalesce(subject.c.merged_into, subject.c.subject_ref),
                ),
            )
            .where(
                subject.c.tenant_id == snap.tenant_id,
                subject.c.subject_ref.in_(refs[start : start + _LOOKUP]),
            )
        )
        found.update((asked, Recipient(ref, external)) for asked, ref, external in rows)
    return [found[ref] for ref in refs]
