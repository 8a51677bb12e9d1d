"""Whoever gets events abroad, by webhook or from the feed: events about people are transfers.

Opt-outs and erasures always go, and so do events about nobody.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from governance.decisions.record import DecisionRecord
from governance.ledger.model import Entry
from governance.outbox.model import Webhook
from governance.outbox.reach import OPT_OUTS
from governance.transfers import disclosures
from governance.transfers.disclosures import Disclosure, Recipient
from governance.transfers.gate import open_gate
from governance.transfers.model import ERASURE, OPT_OUT, ORDINARY, Question
from governance.work import Snapshot

_ORDERS = ("subject.erased", "subject.restricted")
_ORDER_ROOM = "erasure."
EVENT_CLASSES = frozenset({"identification"})
"""What an event says of a person: who is meant, and codes of what happened."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """Why events of a page may not go where it is read, by position; `records`: what was decided, to log."""

    codes: dict[int, tuple[str, ...]]
    records: Sequence[DecisionRecord] = ()


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


def withheld(
    snap: Snapshot, entries: Collection[Entry], recipients: Collection[Recipient], door: str
) -> Withheld:
    """Which events of a page of the feed may not go to those who read it. `door`: how it is read, in words.

    Logged are two decisions for each reader abroad: about the people whose events go, and about the others.
    """
    about = {each.subject_ref for each in entries if errand_of(each.kind) == ORDINARY}
    people = sorted(ref for ref in about if ref is not None)
    if not people or not recipients:
        return Withheld({})
    gate = open_gate(snap)
    refused: dict[str, tuple[str, ...]] = {}
    records: list[DecisionRecord] = []
    for each in recipients:
        if each.country == gate.register.tenant_country:
            continue
        asked = Question(each.country, each.code, EVENT_CLASSES)
        found = {
            ref: gate.of_all(asked, disclosures.towards(gate, each, disclosures.of_person(snap, ref)))
            for ref in people
        }
        refused |= {ref: record.codes for ref, record in found.items() if not record.allowed}
        told = Disclosure(door, EVENT_CLASSES)
        for allowed in (True, False):
            some = [ref for ref, record in found.items() if record.allowed is allowed]
            records += disclosures.answers(snap, [each], told, disclosures.of_people(snap, some))
    codes = {
        entry.position: refused[entry.subject_ref]
        for entry in entries
        if entry.subject_ref in refused and errand_of(entry.kind) == ORDINARY
    }
    return Withheld(codes, records)
