"""One-click unsubscribe (RFC 8058): a token that says by itself which message of which tenant it belongs to.

Nothing is stored for it (`link_tokens`: the message's reference under a key of the tenant's).
Whoever holds it can do one thing, end what that message was sent for; it reads nothing and names nobody.
"""

from dataclasses import dataclass

from governance.communications import facts, link_tokens, store
from governance.communications.messages import Message
from governance.consent import service as consents
from governance.consent.model import Question
from governance.consent.resolving import resolve
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.subjects.model import CHANNEL_POINT_TYPE
from governance.work import Snapshot, Work

USE = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Unsubscription:
    """What a token stands for: shown before it acts, and told after. Names no person."""

    purpose: str
    channel: str
    topic: str | None
    done: bool


def token_for(snap: Snapshot, message_ref: str) -> str:
    """The token of a message: URL-safe text."""
    return link_tokens.write(snap, USE, message_ref)


def headers(snap: Snapshot, message_ref: str) -> dict[str, str]:
    """The two header fields that a message with one-click unsubscribe carries (RFC 8058 §3.1)."""
    link = f"{snap.resource(Settings).public_url}/unsubscribe/{token_for(snap, message_ref)}"
    return {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def subject_of(snap: Snapshot, token: str) -> str:
    """The reference of the person that a token's message went to. Raises NotFoundError as `describe` does."""
    return _message(snap, token).subject_ref


def describe(snap: Snapshot, token: str) -> Unsubscription:
    """What the token would end; changes nothing. Raises NotFoundError for a token that was not made here."""
    message = _message(snap, token)
    return Unsubscription(message.purpose, message.channel, message.topic, _has_left(snap, message))


def unsubscribe(work: Work, token: str) -> Unsubscription:
    """Withdraw the person's consent for the message's purpose, channel and topic; again changes nothing.

    Raises NotFoundError for a token that was not made here.
    """
    message = _message(work, token)
    subjects.lock(work, message.subject_ref)  # impatient presses come at the same moment: one has the effect
    if not _has_left(work, message):
        withdraw(work, message)
        store.update(work.connection, work.tenant_id, message.message_id, {"status": "unsubscribed"})
    return Unsubscription(message.purpose, message.channel, message.topic, True)


def withdraw(work: Work, message: Message) -> None:
    """Record the withdrawal that leaving by this message amounts to."""
    consents.withdraw(
        work,
        message.subject_ref,
        purpose=message.purpose,
        channel=message.channel,
        topic=message.topic,
        point_ref=message.point_ref,
        method="unsubscribe_link",
    )


def _has_left(snap: Snapshot, message: Message) -> bool:
    """Whether the withdrawal stands already: a consent given since is withdrawn by the same link again."""
    situation = facts.find(
        snap.connection,
        snap.tenant_id,
        point_type=CHANNEL_POINT_TYPE[message.channel],
        purpose=message.purpose,
        channel=message.channel,
        subject_ref=message.subject_ref,
    )
    if situation is None:
        return False
    question = Question(
        message.purpose,
        channel=message.channel,
        topic=message.topic,
        point_ref=message.point_ref,
        subject_ref=situation.subject_ref,
    )
    # A withdrawal for one topic is no withdrawal for all: only cells as wide as this one would be count.
    as_wide = [
        cell
        for cell in situation.cells
        if cell.topic in ("", message.topic or "") and (not cell.neg_status or not cell.controller)
    ]
    return resolve(as_wide, question, (), snap.now).status == "withdrawn"


def _message(snap: Snapshot, token: str) -> Message:
    message = store.find_by_ref(snap.connection, snap.tenant_id, link_tokens.read(snap, USE, token))
    if message is None:
        raise link_tokens.unknown()
    return message
