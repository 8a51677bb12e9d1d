"""The preference page: what a person may be written about, per purpose and channel, and the way to change it.

A person is never asked who they are: the link says it. Saying no is one press; saying yes is a consent of the
person's own, which lifts the person's own earlier no but never a suppression.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from governance.communications import link_tokens, preference_store
from governance.communications.preference_store import StoredLink
from governance.consent import service as consents
from governance.consent.model import Cell, Question
from governance.consent.resolving import resolve
from governance.consent.service import NewConsent, NewObjection
from governance.consent.store import cells_of
from governance.errors import ExpiredError, InvalidError
from governance.purposes import service as purposes
from governance.purposes.model import ACTIVE, Purpose
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.subjects.model import CHANNEL_POINT_TYPE, ContactPoint, Subject
from governance.work import Snapshot, Work

USE = "preferences"
METHOD = "preference_page"
LASTS = timedelta(days=30)
LONGEST = timedelta(days=366)
ON, OFF, UNSET = "on", "off", "unset"

Cells = Mapping[tuple[str, str], bool]
"""(purpose, channel) → whether the person wants it."""


@dataclass(frozen=True, slots=True)
class PreferenceLink:
    """A link to a person's preference page."""

    link_id: str
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Choice:
    """What one purpose may do on one channel. `state`: `on` by consent, `off`, or `unset`."""

    purpose: str
    title: str
    channel: str
    state: str


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a preference page shows; names no person.

    `everything_off`: an objection to all marketing stands. `suppressed`: a suppression stands too, which the
    page does not lift.
    """

    choices: tuple[Choice, ...]
    everything_off: bool
    suppressed: bool


def make_link(work: Work, subject_ref: str, *, lasts: timedelta | None = None) -> PreferenceLink:
    """Make a link to a person's preference page, for 30 days or so long; InvalidError over a year."""
    lasts = LASTS if lasts is None else lasts
    if not timedelta() < lasts <= LONGEST:
        complaint = "Let the link last at most a year."
        raise InvalidError(complaint, fields={"expires_in": [complaint]})
    link_id = work.new_id("prf")
    event = work.record(
        "communications.preference_link_made", subject_ref=subject_ref, facts={"link": link_id}
    )
    kept = StoredLink(link_id, subject_ref, work.now, work.now + lasts, event.id)
    preference_store.add(work.connection, work.tenant_id, kept)
    return _link(work, kept)


def link_again(snap: Snapshot, link_id: str) -> PreferenceLink:
    """A link that was made before; its token is written again, never stored."""
    kept = preference_store.find(snap.connection, snap.tenant_id, link_id)
    if kept is None:
        raise link_tokens.unknown()
    return _link(snap, kept)


def describe(snap: Snapshot, token: str) -> Preferences:
    """What the page shows now; changes nothing. Raises NotFoundError or ExpiredError as every page's link."""
    return _shown(snap, whose(snap, token))


def whose(snap: Snapshot, token: str) -> Subject:
    """The person whose page a token opens."""
    kept = preference_store.find(snap.connection, snap.tenant_id, link_tokens.read(snap, USE, token))
    person = None if kept is None else subjects.find_by_ref(snap, kept.subject_ref)
    if kept is None or person is None or person.erased:
        raise link_tokens.unknown()
    if kept.expires_at <= snap.now:
        raise ExpiredError("This link has run out; open a newer message, or ask for a new link.")
    return person


def choose(
    work: Work, token: str, wanted: Cells, *, evidence: Mapping[str, object] | None = None
) -> Preferences:
    """Record what differs from what stands; whatever the page did not offer is passed over.

    Raises NotFoundError, ExpiredError as `describe`; ConflictError for a yes of a person who is being erased.
    """
    person = whose(work, token)
    subjects.lock(work, person.subject_ref)
    for choice in _shown(work, person).choices:
        wants = wanted.get((choice.purpose, choice.channel))
        if wants is None or choice.state == (ON if wants else OFF):
            continue
        consents.record(
            work,
            NewConsent(
                person.subject_ref,
                choice.purpose,
                "granted" if wants else "withdrawn",
                METHOD,
                channel=choice.channel,
                # What stood beside the box that was ticked.
                evidence={**(evidence or {}), "wording": f"{choice.title}: {choice.channel}"},
            ),
        )
    return _shown(work, person)


def leave(work: Work, token: str, *, evidence: Mapping[str, object] | None = None) -> Preferences:
    """Everything off: an objection to all marketing, on every channel; again changes nothing."""
    person = whose(work, token)
    subjects.lock(work, person.subject_ref)
    shown = _shown(work, person)
    if not shown.everything_off:
        new = NewObjection(person.subject_ref, "all", method=METHOD, evidence=evidence)
        consents.object_(work, new)
    return _shown(work, person)


def _shown(snap: Snapshot, person: Subject) -> Preferences:
    cells = list(cells_of(snap.connection, snap.tenant_id, person.subject_ref).values())
    points = [point for point in subjects.points(snap, person.subject_ref) if point.state == "open"]
    offered = [each for each in purposes.every(snap) if _is_offered(each, snap)]
    choices = tuple(
        Choice(
            each.purpose_id,
            each.title,
            channel,
            _state(snap, person, each, channel, points, cells),
        )
        for each in offered
        for channel in _channels(points, cells)
    )
    marketing = any(
        cell.kind == "objection" and cell.neg_status == "marketing" and not cell.channel for cell in cells
    )
    barred = consents.lookup(snap, subject_ref=person.subject_ref)
    return Preferences(
        choices,
        marketing and all(each.state == OFF for each in choices),
        any(each.scope in ("marketing", "all") and each.released_at is None for each in barred),
    )


def _is_offered(purpose: Purpose, snap: Snapshot) -> bool:
    """Whether a person has a say in a purpose: it is in use and may advertise."""
    classes = purposes.message_classes(snap.resource(Settings).policies_dir)
    return purpose.state == ACTIVE and any(
        classes[each].commercial for each in purpose.message_classes if each in classes
    )


def _channels(points: Iterable[ContactPoint], cells: Iterable[Cell]) -> list[str]:
    """The channels on which the person can be reached or of which the person has spoken; else e-mail."""
    types = {point.type for point in points}
    spoken = {cell.channel for cell in cells if cell.channel}
    return [
        channel for channel, kind in CHANNEL_POINT_TYPE.items() if kind in types or channel in spoken
    ] or ["email"]


def _state(
    snap: Snapshot,
    person: Subject,
    purpose: Purpose,
    channel: str,
    points: Iterable[ContactPoint],
    cells: Iterable[Cell],
) -> str:
    """What stands for a purpose on a channel: `off` if it is anywhere, `on` if it is on any contact point."""
    # A no to one topic is no no to the purpose; topics are left by the links of their messages.
    wide = [cell for cell in cells if not cell.topic]
    kind = CHANNEL_POINT_TYPE[channel]
    refs: list[str | None] = [point.point_ref for point in points if point.type == kind]
    found = [
        resolve(
            wide,
            Question(purpose.purpose_id, purpose.controller or "", channel, None, ref, person.subject_ref),
            (),
            snap.now,
        )
        for ref in (refs or [None])
    ]
    if any(
        each.status in ("withdrawn", "refused") or each.objection in ("marketing", "purpose")
        for each in found
    ):
        return OFF
    return ON if any(each.status == "granted" for each in found) else UNSET


def _link(snap: Snapshot, kept: StoredLink) -> PreferenceLink:
    token = link_tokens.write(snap, USE, kept.link_id)
    url = f"{snap.resource(Settings).public_url}/preferences/{token}"
    return PreferenceLink(kept.link_id, url, kept.expires_at)
