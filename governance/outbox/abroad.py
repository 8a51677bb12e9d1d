"""A webhook whose receiver is abroad: events about people are transfers; opt-outs and erasures always go."""

from collections.abc import Callable

from governance.ledger.model import Entry
from governance.outbox.model import Webhook
from governance.outbox.reach import OPT_OUTS
from governance.transfers.gate import open_gate
from governance.transfers.model import ERASURE, OPT_OUT, ORDINARY, Question
from governance.work import Snapshot

_ORDERS = ("subject.erased", "subject.restricted")
_ORDER_ROOM = "erasure."
EVENT_CLASSES = frozenset({"identification"})
"""What an event says of a person: who is meant, and codes of what happened."""


def errand_of(kind: str) -> str:
    """What an event of this kind is to the transfers gate."""
    if kind in OPT_OUTS:
        return OPT_OUT
    return ERASURE if kind in _ORDERS or kind.startswith(_ORDER_ROOM) else ORDINARY


def may_go(snap: Snapshot, receiver: Webhook) -> Callable[[Entry], bool]:
    """Whether an event may go to a receiver now; one whose country is not stated is taken to be at home.

    Events about nobody always may.
    """
    if receiver.country is None:
        return lambda _: True
    gate = open_gate(snap)

    def answer(entry: Entry) -> bool:
        if entry.subject_ref is None:
            return True
        asked = Question(receiver.country, receiver.webhook_id, EVENT_CLASSES, errand=errand_of(entry.kind))
        return gate.answer(asked, entry.subject_ref).allowed

    return answer
