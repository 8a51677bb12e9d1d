"""What a no to something else means for a message: for calls, texts and what confirms an opt-out. Pure."""

from collections.abc import Iterable
from datetime import datetime

from governance.consent.kinds import CONSENT, OBJECTION, SUPPRESSION, SUPPRESSION_ALL, UNDELIVERABLE
from governance.consent.model import ALL, OUTSIDE_CATALOGUE, Cell, ConsentFacts

PHONE_CHANNELS = ("sms", "voice")
"""Channels that reach a telephone."""

_ENDS = (OBJECTION, SUPPRESSION, SUPPRESSION_ALL)


def counts_every_no(channel: str, message_class: str) -> bool:
    """Whether what a person said no to elsewhere bears on a message: on calls, texts and confirmations."""
    return channel in PHONE_CHANNELS or message_class == "opt_out_confirmation"


def said_no_at(cells: Iterable[Cell]) -> datetime | None:
    """When the person last said no to messages, whatever the purpose and channel; None never."""
    return max((cell.neg_at for cell in cells if cell.neg_at and cell.kind != UNDELIVERABLE), default=None)


def revoked_since(cells: Iterable[Cell], consent: ConsentFacts) -> bool:
    """Whether the person said no to calls or texts of any purpose, later than any consent that stands."""
    last = max((cell.neg_at for cell in cells if cell.neg_at and _ends_them(cell)), default=None)
    if last is None:
        return False
    granted = consent.age_anchor if consent.status == "granted" else None
    return granted is None or granted <= last


def _ends_them(cell: Cell) -> bool:
    """Whether the no of a cell speaks of calls or texts: a withdrawal, an objection or a suppression."""
    if cell.channel not in (ALL, *PHONE_CHANNELS) or cell.purpose in OUTSIDE_CATALOGUE:
        return False
    return cell.kind in _ENDS or (cell.kind == CONSENT and cell.neg_status == "withdrawn")
