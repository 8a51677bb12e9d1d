"""What became of a message, and what follows for the person: bounces, complaints, leaving, tracking."""

from collections.abc import Callable
from datetime import datetime

from governance.communications import capping, facts, store, unsubscribe
from governance.communications.messages import (
    CANCELLED,
    TRACKED,
    Message,
    MessageOutcome,
    OutcomeReport,
    OutcomeTaken,
)
from governance.communications.served import find_purpose
from governance.communications.situations import Situation
from governance.consent import service as consents
from governance.consent.model import ConsentFacts, Question
from governance.consent.resolving import resolve
from governance.consent.service import NewObjection, NewSuppression
from governance.errors import NotFoundError
from governance.happened import happened_at
from governance.policy import service as policies
from governance.purposes.model import ACTIVE, AS_THE_LAW, OPT_IN, OPT_OUT
from governance.subjects import service as subjects
from governance.subjects.model import CHANNEL_POINT_TYPE
from governance.work import Work

MEANINGFUL = ("clicked", "replied")
"""Outcomes that are an act of the person; a click only where it may be kept at all."""

_NOES = ("bounced", "complained", "unsubscribed")

TRACKING_PURPOSE = "tracking"
"""The purpose for which opens and clicks may be kept."""


def take(work: Work, message: str, report: OutcomeReport) -> OutcomeTaken:
    """Record what became of a message, named by our reference or by the caller's `message_id`.

    The same report again changes nothing. Opens and clicks are dropped (`kept` False) unless they may be kept
    for the purpose `tracking` (see `_may_track`). Raises NotFoundError if there is no such message.
    """
    found = store.find_by_ref(work.connection, work.tenant_id, message)
    found = found or store.find(work.connection, work.tenant_id, message)
    if found is None:
        raise NotFoundError("There is no message with this id.")
    if report.outcome == CANCELLED:
        subjects.lock(work, found.subject_ref)  # in the order in which an authorisation locks
    if report.outcome in _NOES:  # whatever the sender's clock says, it holds from now on
        occurred_at = min(report.occurred_at or work.now, work.now)
    else:
        occurred_at = happened_at(report.occurred_at, work.now)
    earlier = store.outcomes(work.connection, work.tenant_id, [found.message_ref])
    if any(
        (each.outcome, each.bounce, each.occurred_at) == (report.outcome, report.bounce, occurred_at)
        for each in earlier
    ):
        return OutcomeTaken(found, report.outcome, True, "This was recorded before; nothing changed.")
    if report.outcome in TRACKED and not _may_track(work, found):
        return OutcomeTaken(
            found,
            report.outcome,
            False,
            "Not kept: the person has given no consent for the purpose tracking, or took it back.",
        )
    event = work.record(
        f"communications.{report.outcome}",
        subject_ref=found.subject_ref,
        facts={"message": found.message_ref, "bounce": report.bounce},
    )
    store.add_outcome(
        work.connection,
        work.tenant_id,
        MessageOutcome(
            found.message_ref,
            work.new_id("out"),
            report.outcome,
            report.bounce,
            occurred_at,
            work.now,
            event.id,
        ),
    )
    if report.outcome not in TRACKED:
        store.update(work.connection, work.tenant_id, found.message_id, {"status": report.outcome})
    if report.outcome == CANCELLED and not any(each.outcome != CANCELLED for each in earlier):
        # Whoever has heard of the message was sent it, whatever the sender says now.
        given = capping.give_back(work, found.message_ref)
        return OutcomeTaken(found, CANCELLED, True, "Recorded.", ("slot-given-back",) if given else ())
    if report.outcome in MEANINGFUL:
        # An act of the person: inactivity counts from it. That a message was opened may be a machine's doing.
        person = subjects.find_by_ref(work, found.subject_ref)
        if person is None or person.erased:  # an answer to somebody erased starts nothing afresh
            return OutcomeTaken(found, report.outcome, True, "Recorded.")
        subjects.record_event(work, person.subject_ref, event="meaningful_contact", occurred_at=occurred_at)
        return OutcomeTaken(found, report.outcome, True, "Recorded.", ("meaningful-contact",))
    follow = _CONSEQUENCES.get((report.outcome, report.bounce))
    followed = () if follow is None else (follow(work, found),)
    return OutcomeTaken(found, report.outcome, True, "Recorded.", followed)


def _undeliverable(work: Work, message: Message) -> str:
    """A hard bounce says that nobody is reached there; what the person has said about consent stays."""
    person = subjects.find_by_ref(work, message.subject_ref)
    for holder in dict.fromkeys(
        (message.subject_ref if person is None else person.subject_ref, message.subject_ref)
    ):
        if message.point_ref is not None:
            try:
                subjects.set_point_state(work, holder, message.point_ref, "undeliverable")
            except NotFoundError:
                continue
            return "contact-point-undeliverable"
    consents.suppress(
        work,
        NewSuppression(
            scope="undeliverable",
            subject_ref=message.subject_ref,
            channel=message.channel,
            reason="hard-bounce",
        ),
    )
    return "suppressed-undeliverable"


def _object(work: Work, message: Message) -> str:
    """A complaint about a message is an objection to marketing."""
    consents.object_(work, NewObjection(message.subject_ref, "all", method="complaint_report"))
    return "marketing-objection"


def _leave(work: Work, message: Message) -> str:
    unsubscribe.withdraw(work, message)
    return "consent-withdrawn"


_CONSEQUENCES: dict[tuple[str, str | None], Callable[[Work, Message], str]] = {
    ("bounced", "hard"): _undeliverable,
    ("complained", None): _object,
    ("unsubscribed", None): _leave,
}


def _may_track(work: Work, message: Message) -> bool:
    """Whether opens and clicks of a message may be kept of this person.

    By a granted consent for tracking on this channel and contact point. If the controller's record of the
    purpose `tracking` asks for less (`permission`), names the class of the message, and the active policy
    declares an opt-out regime for the channel where the person lives, then also without one.
    """
    situation = facts.find(
        work.connection,
        work.tenant_id,
        point_type=CHANNEL_POINT_TYPE[message.channel],
        purpose=TRACKING_PURPOSE,
        channel=message.channel,
        subject_ref=message.subject_ref,
    )
    if situation is None:
        return False
    answers = [
        _said_of_tracking(situation, message.channel, point_ref, work.now)
        for point_ref in dict.fromkeys((message.point_ref, None))
    ]
    if any(answer.status == "granted" and answer.objection == "none" for answer in answers):
        return True
    asked = _asked_for_tracking(work, message, situation)
    if asked == OPT_OUT:
        return not any(
            answer.status in ("withdrawn", "refused") or answer.objection != "none" or answer.suppressed_all
            for answer in answers
        )
    return asked == AS_THE_LAW


def _said_of_tracking(
    situation: Situation, channel: str, point_ref: str | None, now: datetime
) -> ConsentFacts:
    bars = situation.bars.get(point_ref, ()) if situation.bars and point_ref else ()
    question = Question(
        TRACKING_PURPOSE, channel=channel, point_ref=point_ref, subject_ref=situation.subject_ref
    )
    return resolve(situation.cells, question, bars, now)


def _asked_for_tracking(work: Work, message: Message, situation: Situation) -> str:
    """What must be said before a message is tracked: one of PERMISSIONS, a yes wherever there is doubt."""
    served = find_purpose(work, TRACKING_PURPOSE)
    if served is None or served.state != ACTIVE or message.message_class not in served.message_classes:
        return OPT_IN
    policy = policies.active(work.connection, work.tenant_id, work.now)
    free = policy.opt_out_place(situation.person["person.country"], message.channel)
    standing = any(situation.person[name] for name in _STORED_ONLY)
    return served.permission or OPT_IN if free and not standing else OPT_IN


_STORED_ONLY = ("person.restricted", "person.erasure_pending", "person.erased")
"""Whose data are only stored: nothing is added to them without a yes."""
