"""What staff do with a request: more time, questions to the person, answer, withdrawal."""

from dataclasses import dataclass
from datetime import date, datetime

from governance.errors import ConflictError, InvalidError
from governance.rights import (
    answers,
    appeals,
    clocks,
    erasures,
    letters,
    package_links,
    recipients,
    restricting,
    states,
    store,
)
from governance.rights.dossier import Dossier, clock_of, keep, open_dossier, reading_of, regime_of, rewind
from governance.rights.execution import go_on, people_of
from governance.rights.letter_files import words
from governance.rights.model import (
    ABOUT_AN_ANSWER,
    CLOSED_STATES,
    IN_PROGRESS,
    LATE_ACKNOWLEDGEMENT,
    NEED_PROOF,
    OPEN_STATES,
    WAITING,
    StoredAsk,
    StoredExtension,
)
from governance.settings import Settings
from governance.work import Work


@dataclass(frozen=True, slots=True)
class Handled:
    """What came of it. `refusal`: why it could not be done (that is recorded); None if it was."""

    dossier: Dossier
    refusal: str | None = None


def extend(work: Work, request_id: str, *, because: str, until: date | None = None) -> Dossier:
    """Make the period longer and tell the person why, while the law lets it be told.

    ConflictError `no-extension`, `already-extended`, `too-late`; InvalidError without a reason.
    """
    dossier = _open(work, request_id)
    _needs("because", because)
    clocks.check_extension(clock_of(work, dossier), reading_of(work, dossier), work.now, until)
    extension_id = work.new_id("ext")
    day = None if until is None else until.isoformat()
    dossier = keep(
        work,
        dossier,
        "extended",
        facts={"extension": extension_id, "until": day},
        told={"because": because},
        reminded=dossier.request.reminded & LATE_ACKNOWLEDGEMENT,
        overdue_at=None,
    )
    new = StoredExtension(request_id, extension_id, work.now, until, dossier.request.event_id)
    store.add(work.connection, work.tenant_id, new)
    dossier = rewind(work, open_dossier(work, request_id))
    due = _day(work, dossier, reading_of(work, dossier).due_on)
    letters.send(work, dossier, letters.EXTENSION, because=because, due=due)
    return dossier


def pause(work: Work, request_id: str, *, reason: str, at: datetime | None = None) -> Dossier:
    """Note that the person was asked for something that this law lets the clock wait for.

    Nothing is erased meanwhile: what was ordered is taken back, and ordered anew by `resume`. ConflictError
    `no-pause` if it does not, `already-paused`, `too-late` for an erasure that has begun; InvalidError for an
    unknown reason or a date that cannot be.
    """
    dossier = _open(work, request_id)
    if reason not in clocks.ASKS:
        complaint = f"Use one of: {', '.join(clocks.ASKS)}."
        raise InvalidError("This reason is not known.", fields={"reason": [complaint]})
    asked_at = _instant(work, at, not_before=dossier.begun_at)
    clocks.check_ask(clock_of(work, dossier), dossier.request.type, reason)
    if any(each.reason == reason and each.answered_at is None for each in dossier.asks):
        raise ConflictError("The clock waits for this already.", reason="already-paused")
    case = dossier.case
    if case.state == IN_PROGRESS:
        case = states.move(case, states.WAIT)
    ask_id = work.new_id("ask")
    facts = {"ask": ask_id, "reason": reason}
    dossier = keep(work, dossier, "paused", case=case, facts=facts)
    new = StoredAsk(request_id, ask_id, reason, asked_at, None, dossier.request.event_id)
    store.add(work.connection, work.tenant_id, new)
    return rewind(work, open_dossier(work, request_id))


def resume(work: Work, request_id: str, *, at: datetime | None = None) -> Dossier:
    """Note that the person answered: the clock goes on, and so does the work. ConflictError `not-paused`."""
    dossier = _open(work, request_id)
    waiting = [each for each in dossier.asks if each.answered_at is None]
    if not waiting:
        raise ConflictError("Nothing is awaited from the person.", reason="not-paused")
    answered_at = _instant(work, at, not_before=max(each.asked_at for each in waiting))
    for each in waiting:
        values = {"answered_at": answered_at}
        store.update_part(work.connection, work.tenant_id, StoredAsk, request_id, each.ask_id, values)
    case = dossier.case
    waited = case.state == WAITING
    if waited:
        case = states.move(case, states.GO_ON)
    facts = {"asks": [each.ask_id for each in waiting]}
    noted = dossier.request.reminded & LATE_ACKNOWLEDGEMENT
    dossier = keep(work, dossier, "resumed", case=case, facts=facts, reminded=noted, overdue_at=None)
    if waited:
        go_on(work, dossier)
    return rewind(work, open_dossier(work, request_id))


def fulfil(
    work: Work, request_id: str, *, partly: bool = False, because: str | None = None, reopen: bool = True
) -> Handled:
    """Close a request as answered, and the requests that repeat it and were proved for the same people.

    An appeal, or a complaint about a request, is granted by it: the request that was refused is open again,
    with `partly` for the part that `because` names; not with `reopen` False, for a complaint that is right
    though the answer stands. ConflictError `correction-open`, `package-open`, `erasure-open`,
    `recipients-open` for what was not done yet; InvalidError without `because` for what only people can
    decide. Where a record was merged meanwhile, nothing is answered:
    it has to be verified anew (`refusal`).
    """
    original = appeals.to_reopen(work, request_id, reopen=reopen)
    dossier = _open(work, request_id)
    if original is not None:
        return Handled(appeals.grant(work, dossier, original, partly=partly, because=because))
    if dossier.request.type in NEED_PROOF:
        dossier, people = people_of(work, dossier)
        if people is None:
            return Handled(dossier, "merged-since")
        erasures.check_done(work, dossier, partly=partly)
        recipients.check_done(work, dossier)
        answers.check_given(dossier, partly=partly, because=because)
    dossier = _close(work, dossier, partly=partly, because=because)
    for other_id in store.repeating(work.connection, work.tenant_id, request_id):
        other = open_dossier(work, other_id)
        if answers.is_answered_with(work, other, dossier):
            _close(work, other, partly=partly, because=because)
    return Handled(dossier)


def withdraw(
    work: Work, request_id: str, *, because: str | None = None, outcome: str = "withdrawn"
) -> Dossier:
    """The person no longer wants it. What was done at once (an opt-out) stays done.

    An erasure is taken back while it may be (`leaving`); ConflictError `too-late` once it has begun.
    """
    dossier = open_dossier(work, request_id)
    case = states.move(dossier.case, states.WITHDRAW)
    told = {"because": because}
    return keep(work, dossier, "withdrawn", case=case, facts={"because": outcome}, told=told, outcome=outcome)


def _close(work: Work, dossier: Dossier, *, partly: bool, because: str | None) -> Dossier:
    held = erasures.held(work, dossier)
    over = restricting.lasted(work, dossier)
    partly = partly or dossier.is_part or recipients.never_told(work, dossier)
    contestable = partly and dossier.request.type not in ABOUT_AN_ANSWER
    case = states.fulfil(dossier.case, partly=partly)
    told = {"because": because}
    kind = "partly_fulfilled" if partly else "fulfilled"
    dossier = keep(work, dossier, kind, case=case, told=told, outcome=kind)
    link = package_links.issue(work, dossier)
    did, did_not = recipients.report(work, dossier)
    letters.send(
        work,
        dossier,
        letters.FULFILMENT if over is None else letters.RESTRICTION_OVER,
        partly=partly,
        because=because or "",
        appeal=contestable and regime_of(work, dossier.request).appeal is not None,
        held=held,
        link=link.get("link", ""),
        until=link.get("until", ""),
        told=did,
        untold=did_not,
        begun="" if over is None else _day(work, dossier, over[0]),
        ended="" if over is None else _day(work, dossier, over[1]),
    )
    return open_dossier(work, dossier.request_id)


def assign(work: Work, request_id: str, owner: str) -> Dossier:
    """Say who sees to an open request, by an opaque id; ConflictError `closed`."""
    return keep(work, _open(work, request_id), "assigned", facts={"owner": owner}, owner=owner)


def _open(work: Work, request_id: str) -> Dossier:
    dossier = open_dossier(work, request_id)
    if dossier.request.state in CLOSED_STATES or dossier.request.state not in OPEN_STATES:
        raise ConflictError("This request is closed; a new one may be made.", reason="closed")
    return dossier


def _needs(field: str, text: str) -> None:
    if not text.strip():
        complaint = "Say why."
        raise InvalidError(complaint, fields={field: [complaint]})


def _instant(work: Work, at: datetime | None, *, not_before: datetime) -> datetime:
    if at is not None and not not_before <= at <= work.now:
        complaint = "This cannot have happened then: it lies in the future, or before what led to it."
        raise InvalidError(complaint, fields={"at": [complaint]})
    return max(at or work.now, not_before)


def _day(work: Work, dossier: Dossier, day: date) -> str:
    return words(dossier.request.language, work.resource(Settings).policies_dir).day(day)
