"""One-click unsubscribe (RFC 8058): a token that says by itself which message of which tenant it belongs to.

Nothing is stored for it: a token is `base64url(tenant_ref NUL message_ref MAC)` under a key of the tenant's.
Whoever holds it can do one thing, end what that message was sent for; it reads nothing and names nobody.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass

from governance.communications import facts, store
from governance.communications.messages import Message
from governance.consent import service as consents
from governance.consent.model import Question, resolve
from governance.errors import NotFoundError
from governance.settings import Settings
from governance.subjects.model import CHANNEL_POINT_TYPE
from governance.vault.service import Vault
from governance.work import Snapshot, Work

USE = "unsubscribe"
_MAC_BYTES = 32
_LONGEST = 512
_BAD = "This link is not complete or was changed; open it again from the message."


@dataclass(frozen=True, slots=True)
class Unsubscription:
    """What a token stands for: shown before it acts, and told after. Names no person."""

    purpose: str
    channel: str
    topic: str | None
    done: bool


def token_for(snap: Snapshot, message_ref: str) -> str:
    """The token of a message: URL-safe text."""
    payload = f"{snap.tenant_ref}\0{message_ref}".encode()
    return _written(payload + _mac(snap, payload))


def headers(snap: Snapshot, message_ref: str) -> dict[str, str]:
    """The two header fields that a message with one-click unsubscribe carries (RFC 8058 §3.1)."""
    link = f"{snap.resource(Settings).public_url}/unsubscribe/{token_for(snap, message_ref)}"
    return {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def tenant_ref_of(token: str) -> str:
    """The tenant that a token claims to be of, to open its unit of work; proves nothing.

    Raises NotFoundError.
    """
    payload, _ = _read(token)
    return payload.split(b"\0")[0].decode()


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
    payload, mac = _read(token)
    tenant_ref, message_ref = (part.decode() for part in payload.split(b"\0"))
    if tenant_ref != snap.tenant_ref or not hmac.compare_digest(mac, _mac(snap, payload)):
        raise NotFoundError(_BAD)
    message = store.find_by_ref(snap.connection, snap.tenant_id, message_ref)
    if message is None:
        raise NotFoundError(_BAD)
    return message


def _mac(snap: Snapshot, payload: bytes) -> bytes:
    return snap.resource(Vault).mac(snap.tenant_id, USE, payload)


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _read(token: str) -> tuple[bytes, bytes]:
    """Payload and MAC of a token that has the form of one; NotFoundError otherwise."""
    if len(token) <= _LONGEST and token.isascii():
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        # A second spelling of the same bytes is no token of ours.
        if payload.count(b"\0") == 1 and payload.isascii() and _written(raw) == token:
            return payload, mac
    raise NotFoundError(_BAD)
