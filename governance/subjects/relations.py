"""What happens in a relationship, and what each happening sets: anchors, states and open matters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

from governance.errors import InvalidError


@dataclass(frozen=True, slots=True)
class Effect:
    """What one kind of event does to the standing row.

    `anchor`: the instant column that moves forward to the event. `track`: the running matter that the event
    opens (`opens` True) or ends (False). `sets`: a flag that becomes true for good.
    """

    anchor: str | None = None
    track: str | None = None
    opens: bool = False
    sets: str | None = None


EVENT_EFFECTS: Mapping[str, Effect] = {
    "purchase": Effect(anchor="last_purchase_at"),
    "inquiry": Effect(anchor="last_inquiry_at"),
    "negotiation": Effect(anchor="last_contact_at"),
    "charity_support": Effect(anchor="last_contact_at"),
    "meaningful_contact": Effect(anchor="last_contact_at"),
    "contract_signed": Effect(track="contract_state", opens=True),
    "contract_ended": Effect(track="contract_state", anchor="contract_ended_at"),
    "subscription_started": Effect(track="subscription_state", opens=True),
    "subscription_ended": Effect(track="subscription_state", anchor="subscription_ended_at"),
    "invoice_opened": Effect(track="invoice_open", opens=True),
    "invoice_closed": Effect(track="invoice_open"),
    "warranty_opened": Effect(track="warranty_open", opens=True),
    "warranty_closed": Effect(track="warranty_open"),
    "complaint_opened": Effect(track="dispute_open", opens=True),
    "complaint_closed": Effect(track="dispute_open"),
    "notice_given": Effect(sets="notice_given"),
    "data_disclosed": Effect(),
}
"""Every kind of relationship event; the list is closed."""

_STATES = ("contract_state", "subscription_state")
_ANCHORS = (
    "last_purchase_at",
    "last_inquiry_at",
    "last_contact_at",
    "contract_ended_at",
    "subscription_ended_at",
)

BLANK_STANDING: Mapping[str, object] = {
    **dict.fromkeys(_ANCHORS),
    "contract_state": "none",
    "subscription_state": "none",
    "invoice_open": False,
    "warranty_open": False,
    "dispute_open": False,
    "notice_given": False,
}
"""The columns of the standing row that follow from events, as they are before any event."""


@dataclass(frozen=True, slots=True)
class Happening:
    """A relationship event as far as standing depends on it.

    `matter` tells parallel matters apart (a keyed hash of the contract's or invoice's reference, '' if none
    was given). They compare by instant, then by `order`, the order in which they were told.
    """

    event: str
    occurred_at: datetime
    matter: str = ""
    order: int = 0


def check_event(event: str) -> str:
    """Return a kind of relationship event; InvalidError names the nearest known kind."""
    if event in EVENT_EFFECTS:
        return event
    near = get_close_matches(event, EVENT_EFFECTS, n=1)
    complaint = (
        f"This kind of event is not known; did you mean {near[0]}?"
        if near
        else (f"This kind of event is not known; known are {', '.join(EVENT_EFFECTS)}.")
    )
    raise InvalidError(complaint, fields={"event": [complaint]})


def standing_from(happenings: Iterable[Happening]) -> dict[str, object]:
    """Compute the columns that follow from events, whatever order they were recorded in.

    Each anchor is the latest instant. A state or open matter is folded in the order of occurrence: an ending
    with a reference ends that matter (or the one opened without any), an ending without one ends them all.
    """
    standing = dict(BLANK_STANDING)
    running: dict[str, set[str]] = {}
    for happening in sorted(happenings, key=lambda each: (each.occurred_at, each.order)):
        effect = EVENT_EFFECTS[happening.event]
        if effect.anchor is not None:
            standing[effect.anchor] = happening.occurred_at
        if effect.sets is not None:
            standing[effect.sets] = True
        if effect.track is not None:
            open_now = _turn(running.setdefault(effect.track, set()), effect.opens, happening.matter)
            standing[effect.track] = _as_column(effect.track, bool(open_now))
    return standing


def same_track(event: str) -> tuple[str, ...]:
    """The kinds of event that decide together about what this kind sets (only itself if it opens nothing)."""
    track = EVENT_EFFECTS[event].track
    if track is None:
        return (event,)
    return tuple(kind for kind, effect in EVENT_EFFECTS.items() if effect.track == track)


def columns_of(event: str) -> tuple[str, ...]:
    """The standing columns that this kind of event may set."""
    effect = EVENT_EFFECTS[event]
    return tuple(column for column in (effect.anchor, effect.track, effect.sets) if column is not None)


def _turn(running: set[str], opens: bool, matter: str) -> set[str]:
    """Open or end a matter among those that are running."""
    if opens:
        running.add(matter)
    elif not matter:
        running.clear()
    elif matter in running:
        running.discard(matter)
    else:
        running.discard("")
    return running


def _as_column(track: str, is_open: bool) -> object:
    if track in _STATES:
        return "in_force" if is_open else "ended"
    return is_open
