"""What people send back: keywords act at once, free text goes to people with a clock.

Leaving by text bars the number itself (by keyed hash, for everyone reached there, known or not) and withdraws
the consent of everyone who is known there. Nothing that comes in lifts a no.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.clock import wire
from governance.communications import keywords, review_store
from governance.communications.review_store import StoredReview
from governance.consent import service as consents
from governance.consent.kinds import CONSENT
from governance.consent.service import NewConsent, NewSuppression
from governance.consent.store import cells_of
from governance.errors import ConflictError, InvalidError, NotFoundError, UnreadableError
from governance.subjects import service as subjects
from governance.subjects.identifiers import CHANNEL_POINT_TYPE, Identifier
from governance.subjects.lookups import read_value
from governance.vault.model import OPERATIONAL, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work

CHANNELS = ("sms",)
OPT_OUT = "opt_out"
RESOLUTIONS = (OPT_OUT, "not_an_opt_out")
LONGEST_TEXT = 5000

NEEDS = (
    "A new consent of the person's own, with its evidence (POST /v1/consents).",
    "The release of the number's suppression (POST /v1/suppressions/{id}/release).",
)
"""What it takes to write to a number again that has left."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """What a message that came in led to. `action`: opted_out | help | not_lifted | queued.

    `reply`: the one answer that may be sent; `needs`: what would lift the no; names no person.
    """

    action: str
    reply: str | None = None
    needs: tuple[str, ...] = ()
    review_id: str | None = None

    def document(self) -> dict[str, Any]:
        """The answer of `POST /v1/communications/inbound`."""
        return {
            "action": self.action,
            "reply": self.reply,
            "needs": list(self.needs),
            "review": self.review_id,
        }


_REPLIES = {
    "opted_out": {
        "en": "You are unsubscribed and will get no more advertising by text or call at this number.",
        "de": "Sie sind abgemeldet und erhalten an diese Nummer keine Werbung mehr.",
    },
    "help": {
        "en": "Reply STOP to get no more messages.",
        "de": "Antworten Sie STOP, um keine Nachrichten mehr zu erhalten.",
    },
    "not_lifted": {
        "en": "You will get messages again only after you have signed up anew.",
        "de": "Nachrichten erhalten Sie erst wieder, wenn Sie sich neu angemeldet haben.",
    },
}


def take(work: Work, channel: str, phone: str, text: str, received_at: datetime | None) -> Inbound:
    """Act on a message that came in. Raises InvalidError for a number that is none."""
    if channel not in CHANNELS:
        complaint = f"Give one of {', '.join(CHANNELS)}."
        raise InvalidError("This channel takes nothing in.", fields={"channel": [complaint]})
    at = min(received_at or work.now, work.now)
    number = Identifier("phone", phone)
    points = subjects.shared_points(work, read_value(work, number).blind_index)
    meant = keywords.meaning(text)
    if meant == keywords.OTHER:
        people = sorted({point.subject_ref for point in points})
        content = {"from": phone, "text": text}
        return Inbound("queued", review_id=queue(work, "text", channel, content, at, people))
    if meant == keywords.STOP:
        bar(work, channel, number, at, method="sms", reason="sms-keyword")
    said = {keywords.STOP: "opted_out", keywords.HELP: "help", keywords.START: "not_lifted"}[meant]
    work.record("communications.received", facts={"channel": channel, "action": said})
    language = next(
        (person.language for ref in _refs(points) if (person := subjects.find_by_ref(work, ref))), None
    )
    reply = _REPLIES[said]["de" if (language or "").startswith("de") else "en"]
    return Inbound(said, reply, NEEDS if meant == keywords.START else ())


def bar(work: Work, channel: str, number: Identifier, at: datetime, *, method: str, reason: str) -> None:
    """Let a number be: no advertising there on any channel, and no consent of anyone known there on this one.

    Told again, it changes nothing.
    """
    standing = consents.lookup(work, contact_point=number)
    if not any(each.scope == "marketing" and each.channel is None for each in standing):
        consents.suppress(
            work,
            NewSuppression(
                scope="marketing", contact_point=number, reason=reason, method=method, occurred_at=at
            ),
        )
    points = subjects.shared_points(work, read_value(work, number).blind_index)
    for ref in _refs(points):
        cells = cells_of(work.connection, work.tenant_id, ref)
        said = cells.get(("", "", channel, "", "", CONSENT))
        if said is not None and said.neg_at is not None and said.neg_at >= at:
            continue
        consents.record(
            work,
            NewConsent(ref, None, "withdrawn", method, channel=channel, contact_point=number, occurred_at=at),
        )


def queue(
    work: Work, kind: str, channel: str, content: dict[str, Any], at: datetime, people: list[str]
) -> str:
    """Put something before people, sealed; returns the review's id.

    The key is the person's if exactly one is known, so that an erasure takes it along; else the review's own.
    """
    review_id = work.new_id("rev")
    key_ref = people[0] if len(people) == 1 else review_id
    vault = work.resource(Vault)
    vault.ensure_keys(work.tenant_id, [key_ref])
    sealed = vault.seal(work.tenant_id, key_ref, OPERATIONAL, _place(review_id), json.dumps(content).encode())
    leaving = keywords.sounds_like_leaving(str(content.get("text", "")))
    event = work.record(
        "communications.review_opened",
        subject_ref=people[0] if len(people) == 1 else None,
        facts={"review": review_id, "kind": kind, "channel": channel, "leaving": leaving},
    )
    due = keywords.review_by(at)
    review_store.add(
        work.connection,
        work.tenant_id,
        StoredReview(
            review_id, kind, channel, key_ref, sealed, leaving, at, due, "open", None, None, event.id
        ),
    )
    return review_id


def reviews(
    snap: Snapshot, *, state: str = "open", after: str | None = None, limit: int = 50
) -> tuple[list[dict[str, Any]], str | None]:
    """What waits for people, oldest first, with its text, and the id to go on after."""
    found = review_store.page(snap.connection, snap.tenant_id, state=state, after=after, limit=limit + 1)
    items = [_document(snap, each) for each in found[:limit]]
    return items, (found[limit - 1].review_id if len(found) > limit else None)


def resolve(work: Work, review_id: str, resolution: str) -> dict[str, Any]:
    """Say what a message meant. `opt_out` acts as of its arrival; the text is destroyed with the answer.

    Raises NotFoundError for an unknown one, ConflictError `resolved-otherwise` if it was answered
    differently.
    """
    kept = review_store.find(work.connection, work.tenant_id, review_id)
    if kept is None:
        raise NotFoundError("There is no review of this id.")
    if resolution not in RESOLUTIONS:
        complaint = f"Give one of {', '.join(RESOLUTIONS)}."
        raise InvalidError("The resolution is not known.", fields={"resolution": [complaint]})
    if kept.state == "resolved":
        if kept.resolution != resolution:
            raise ConflictError("This review was resolved otherwise.", reason="resolved-otherwise")
        return _document(work, kept)
    if resolution == OPT_OUT:
        content = _content(work, kept) or {}
        sender = content.get("from")
        if not sender:
            raise ConflictError("The sender can no longer be read.", reason="unreadable")
        point = Identifier(CHANNEL_POINT_TYPE[kept.channel], sender)
        bar(work, kept.channel, point, kept.received_at, method="other", reason="read-as-leaving")
    event = work.record(
        "communications.review_resolved", facts={"review": review_id, "resolution": resolution}
    )
    changed = {
        "state": "resolved",
        "resolution": resolution,
        "resolved_at": work.now,
        "content_sealed": None,
        "event_id": event.id,
    }
    review_store.update(work.connection, work.tenant_id, review_id, changed)
    done = review_store.find(work.connection, work.tenant_id, review_id)
    assert done is not None
    return _document(work, done)


def _refs(points: list[Any]) -> list[str]:
    return list(dict.fromkeys(point.subject_ref for point in points))


def _place(review_id: str) -> Place:
    return Place("inbound_review", "content_sealed", review_id)


def _content(snap: Snapshot, kept: StoredReview) -> dict[str, Any] | None:
    """What came in; None once it is resolved or its person erased."""
    if kept.content_sealed is None:
        return None
    try:
        raw = snap.resource(Vault).reveal(
            snap.tenant_id, kept.key_ref, OPERATIONAL, _place(kept.review_id), kept.content_sealed
        )
    except UnreadableError:
        return None
    content: dict[str, Any] = json.loads(raw)
    return content


def _document(snap: Snapshot, kept: StoredReview) -> dict[str, Any]:
    return {
        "id": kept.review_id,
        "kind": kept.kind,
        "channel": kept.channel,
        "state": kept.state,
        "sounds_like_leaving": kept.leaving,
        "received_at": wire(kept.received_at),
        "due_at": wire(kept.due_at),
        "resolution": kept.resolution,
        "resolved_at": None if kept.resolved_at is None else wire(kept.resolved_at),
        "content": _content(snap, kept),
    }
