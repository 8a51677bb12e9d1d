"""What follows from a complaint report: the person is let be, at once, whoever can be told from it."""

from dataclasses import dataclass
from typing import Any

from governance.communications import feedback_reports, inbound, link_tokens, store, unsubscribe
from governance.communications.feedback_reports import FeedbackReport
from governance.communications.messages import OutcomeReport
from governance.communications.outcomes import take as take_outcome
from governance.consent import service as consents
from governance.consent.service import NewObjection, NewSuppression
from governance.errors import InvalidError, NotFoundError
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.lookups import read_value
from governance.work import Work

METHOD = "complaint_report"


@dataclass(frozen=True, slots=True)
class FeedbackTaken:
    """What a report led to. `action`: suppressed | none | queued; names nobody."""

    feedback_type: str
    action: str
    because: str
    review_id: str | None = None

    def document(self) -> dict[str, Any]:
        """The answer of `POST /v1/communications/feedback`."""
        return {
            "feedback_type": self.feedback_type,
            "action": self.action,
            "because": self.because,
            "review": self.review_id,
        }


def take(work: Work, report: FeedbackReport) -> FeedbackTaken:
    """Act on a report: abuse and opt-out end marketing to whom they are about; nothing else does."""
    kind = report.feedback_type
    if kind not in feedback_reports.LEAVING and kind not in feedback_reports.FOR_PEOPLE:
        work.record("communications.feedback_received", facts={"type": _known(kind), "action": "none"})
        return FeedbackTaken(kind, "none", "A report of this type says nothing about what a person wants.")
    if kind in feedback_reports.LEAVING:
        found = _by_message(work, report)
        for address in report.recipients:
            found = _let_be(work, address) or found
        if found:
            facts = {"type": _known(kind), "action": "suppressed"}
            work.record("communications.feedback_received", facts=facts)
            return FeedbackTaken(kind, "suppressed", "Whoever complained gets no more marketing.")
    content = {
        "text": f"Feedback report of type {kind}",
        "original_mail_from": report.original_mail_from,
        "reported_domain": list(report.reported_domain),
        "reported_uri": list(report.reported_uri)[:20],
        "envelope": report.original_envelope_id,
    }
    review_id = inbound.queue(work, "feedback", "email", content, work.now, [])
    told = "It is not told who complained." if kind in feedback_reports.LEAVING else "People must read this."
    return FeedbackTaken(kind, "queued", told, review_id)


def _by_message(work: Work, report: FeedbackReport) -> bool:
    """Act on the message whose unsubscribe link the report brings back: providers often hide the address."""
    for link in report.unsubscribe_links:
        _, found, token = link.partition("/unsubscribe/")
        if not found:
            continue
        try:
            message = store.find_by_ref(
                work.connection, work.tenant_id, link_tokens.read(work, unsubscribe.USE, token)
            )
        except NotFoundError:
            continue
        if message is not None:
            told = OutcomeReport("complained", occurred_at=report.arrival_at)
            take_outcome(work, message.message_ref, told)
            for point in subjects.points(work, message.subject_ref):
                if point.point_ref == message.point_ref and point.type == "email":
                    _let_be(work, subjects.reveal_point(work, point))
            return True
    return False


def _let_be(work: Work, address: str) -> bool:
    """Suppress an address, and record the objection of everyone known there; whether it is an address."""
    point = Identifier("email", address)
    try:
        value = read_value(work, point)
    except InvalidError:
        return False
    standing = [each for each in consents.lookup(work, contact_point=point) if each.on == "contact_point"]
    if not any(each.scope == "marketing" and each.channel is None for each in standing):
        new = NewSuppression(scope="marketing", contact_point=point, reason="complaint", method=METHOD)
        consents.suppress(work, new)
    for ref in dict.fromkeys(each.subject_ref for each in subjects.shared_points(work, value.blind_index)):
        state = consents.state(work, ref)
        if not any(each.status == "marketing" and each.channel is None for each in state.objections):
            consents.object_(work, NewObjection(ref, "all", method=METHOD))
    return True


def _known(kind: str) -> str:
    """A report's type as a fact: only the registered ones, the rest is text from outside."""
    known = {*feedback_reports.LEAVING, *feedback_reports.FOR_PEOPLE, "auth-failure", "not-spam", "dmarc"}
    return kind if kind in known else "unregistered"
