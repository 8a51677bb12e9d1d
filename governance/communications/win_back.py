"""Who of a screening's refused may lawfully be won back: blocked only by what a remedy can undo today.

The remedies are data (`policies/catalogue/win-back.yaml`). Nothing is taken from the screening but whom to
look at: the question is asked anew, and a message counts as a remedy only if the gate permits it to that very
person now. Whoever said no to the purpose on any channel, whoever is listed in a do-not-call register where a
number is to be reached, and minors (`policies/catalogue/win-back-limits.yaml`) are left out, whatever the
gate would permit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from governance.communications import screening_answers as answers
from governance.communications.gate import Gate, open_gate
from governance.communications.model import CheckRequest
from governance.communications.register_store import register_check
from governance.communications.screening_questions import read_question
from governance.communications.screening_results import completed, external_ids, outcomes_of
from governance.communications.screening_run import Inquiry
from governance.communications.selection import Selection
from governance.consent.tables import consent_state
from governance.errors import InvalidError
from governance.purposes import service as purposes
from governance.settings import Settings
from governance.subjects.model import CHANNEL_POINT_TYPE
from governance.subjects.store import contact_point, subject
from governance.work import Snapshot

FINAL = frozenset(
    (
        "consent-withdrawn",
        "consent-refused",
        "objection",
        "suppressed",
        "restricted",
        "erasure-pending",
        "erased",
        "child-without-guardian",
        "cool-off",
        "unknown-subject",
    )
)
"""Reasons that no remedy may name: the person's own no, and whoever is not to be disturbed."""

_LOOKUP = 500


@dataclass(frozen=True, slots=True)
class Remedy:
    """One way out of a refusal, as the catalogue has it; see the file's head for what each member means."""

    remedy_id: str
    codes: frozenset[str]
    says: str
    message_class: str | None = None
    purpose: str | None = None
    act: str | None = None
    passes: bool = False


@dataclass(slots=True)
class _Case:
    """One person as the question is answered now, and the remedies found so far."""

    codes: tuple[str, ...]
    open: set[str]
    found: list[dict[str, Any]]


def read_remedies(entries: Mapping[str, Mapping[str, Any]]) -> list[Remedy]:
    """Read the catalogue's entries in their order; InvalidError for a remedy that undoes a person's no."""
    remedies: list[Remedy] = []
    for remedy_id, entry in entries.items():
        codes = frozenset(str(code) for code in entry.get("codes") or ())
        ways = [name for name in ("message_class", "act", "passes") if entry.get(name)]
        if not codes or len(ways) != 1 or codes & FINAL:
            raise InvalidError(
                f"catalogue/win-back.yaml: {remedy_id} needs codes, exactly one of message_class, act and "
                f"passes, and none of {', '.join(sorted(FINAL))}."
            )
        remedies.append(
            Remedy(
                remedy_id,
                codes,
                str(entry.get("says") or ""),
                entry.get("message_class"),
                entry.get("purpose"),
                entry.get("act"),
                bool(entry.get("passes")),
            )
        )
    return remedies


def youngest(entries: Mapping[str, Mapping[str, Any]]) -> int:
    """The age in years below which nobody is listed; InvalidError if the catalogue does not say it."""
    years = entries.get("minors", {}).get("years")
    if not isinstance(years, int) or isinstance(years, bool) or not 0 <= years <= 130:
        raise InvalidError("catalogue/win-back-limits.yaml: `minors` needs `years`, a number from 0 to 130.")
    return years


def win_back(snap: Snapshot, screening_id: str) -> Iterator[dict[str, Any]]:
    """People whom a completed screening refused and a remedy can win back now, in a fixed order.

    `{"id", "codes", "remedies": [{"remedy", "says", "act", "message": {…} | null}]}`: `codes` are today's,
    `message` is what the gate permits (channel, class, purpose, contact points). Raises NotFoundError and
    ConflictError (`screening-not-completed`) before the first is asked for.
    """
    done = completed(snap, screening_id)
    remedies = read_remedies(purposes.win_back(snap.resource(Settings).policies_dir))
    curable = frozenset(code for each in remedies for code in each.codes)
    refused = {
        number
        for number, outcome in outcomes_of(snap, done).items()
        if not outcome.allowed and curable.issuperset(outcome.codes)
    }
    search = _Search(snap, replace(read_question(done.question), time=None), remedies, curable)

    def lines() -> Iterator[dict[str, Any]]:
        for chunk in answers.chunks(snap.connection, snap.tenant_id, screening_id):
            if chunk.known:
                pairs = zip(chunk.members, chunk.outcomes, strict=True)
                yield from search.among([member for member, number in pairs if number in refused])

    return lines()


class _Search:
    """Looks for remedies in one snapshot; a question is made ready once."""

    def __init__(
        self, snap: Snapshot, request: CheckRequest, remedies: Sequence[Remedy], curable: frozenset[str]
    ) -> None:
        self._snap, self._request, self._remedies, self._curable = snap, request, remedies, curable
        self._gate: Gate = open_gate(snap)
        self._asked = Inquiry(snap, request, self._gate)
        self._made: dict[tuple[str, str], Inquiry] = {}
        self._youngest = youngest(purposes.win_back_limits(snap.resource(Settings).policies_dir))

    def among(self, refs: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Those of these people who can be won back."""
        cases = self._cases(refs)
        for remedy in self._remedies:
            if remedy.message_class is None:
                self._without_message(remedy, cases)
                continue
            for channel in self._channels():
                self._with_message(remedy, remedy.message_class, channel, cases)
        ids = external_ids(self._snap, list(cases))
        for ref, case in cases.items():
            if not case.open and case.found:
                yield {"id": ids[ref], "codes": list(case.codes), "remedies": case.found}

    def _cases(self, refs: Sequence[str]) -> dict[str, _Case]:
        """Who is refused now, by curable reasons alone, and is neither a child nor has ever said no here."""
        outcomes = self._asked.judge.outcomes
        cases = {
            ref: _Case(outcomes[number].codes, set(outcomes[number].codes), [])
            for ref, number, _ in self._asked.people([Selection(subject_refs=refs)])
            if not outcomes[number].allowed and self._curable.issuperset(outcomes[number].codes)
        }
        for ref in self._left_alone(list(cases)):
            del cases[ref]
        return cases

    def _left_alone(self, refs: Sequence[str]) -> set[str]:
        """Of these people those who are left out whatever the gate would permit."""
        found: set[str] = set()
        tenant_id, now = self._snap.tenant_id, self._snap.now
        queries = [_said_no(tenant_id, self._request.purpose), _minors(tenant_id, now, self._youngest)]
        if CHANNEL_POINT_TYPE[self._request.channel] == "phone":
            queries.append(_listed(tenant_id))
        for start in range(0, len(refs), _LOOKUP):
            for query in queries:
                whose = query.selected_columns.subject_ref.in_(refs[start : start + _LOOKUP])
                found.update(self._snap.connection.scalars(query.where(whose)))
        return found

    def _channels(self) -> list[str]:
        """The screening's own channel first: whoever asked there shall be asked there, if that is open."""
        own = self._request.channel
        return [own, *(channel for channel in CHANNEL_POINT_TYPE if channel != own)]

    def _without_message(self, remedy: Remedy, cases: Mapping[str, _Case]) -> None:
        for case in cases.values():
            if case.open & remedy.codes:
                case.open -= remedy.codes
                if remedy.act is not None:
                    case.found.append(_found(remedy, None))

    def _with_message(
        self, remedy: Remedy, message_class: str, channel: str, cases: Mapping[str, _Case]
    ) -> None:
        waiting = [ref for ref, case in cases.items() if case.open & remedy.codes]
        if not waiting:
            return
        purpose = remedy.purpose or self._request.purpose
        inquiry = self._inquiry(channel, message_class, purpose)
        for ref, number, points in inquiry.people([Selection(subject_refs=waiting)]):
            # On another channel than the one asked about only a known contact point is a way to the person.
            if not inquiry.judge.allowed[number] or not (points or channel == self._request.channel):
                continue
            cases[ref].open -= remedy.codes
            message = {
                "channel": channel,
                "message_class": message_class,
                "purpose": purpose,
                "contact_points": [{"ref": point, "type": CHANNEL_POINT_TYPE[channel]} for point in points],
            }
            cases[ref].found.append(_found(remedy, message))

    def _inquiry(self, channel: str, message_class: str, purpose: str) -> Inquiry:
        key = channel, message_class
        if key not in self._made:
            question = CheckRequest(
                subject=self._request.subject,
                channel=channel,
                message_class=message_class,
                purpose=purpose,
                call_mode="live" if channel == "voice" else None,
                written_by=self._request.written_by,
                sender_country=self._request.sender_country,
                sender=self._request.sender,
            )
            self._made[key] = Inquiry(self._snap, question, self._gate)
        return self._made[key]


def _said_no(tenant_id: str, purpose: str) -> sa.Select[tuple[str]]:
    """Whoever said no to the purpose, or to all, on any channel, and has not said yes there since."""
    cell = consent_state.c
    return sa.select(cell.subject_ref).where(
        cell.tenant_id == tenant_id,
        cell.purpose.in_(("", purpose)),
        cell.neg_seq.is_not(None),
        sa.or_(cell.pos_seq.is_(None), cell.pos_seq < cell.neg_seq),
    )


def _minors(tenant_id: str, now: datetime, years: int) -> sa.Select[tuple[str]]:
    """Whoever is younger than so many years as far as the month of birth tells."""
    month = f"{now.year - years:04d}-{now.month:02d}"
    return sa.select(subject.c.subject_ref).where(
        subject.c.tenant_id == tenant_id, subject.c.birth_month >= month
    )


def _listed(tenant_id: str) -> sa.Select[tuple[str]]:
    """Whoever has an open number that a do-not-call register lists."""
    return (
        sa.select(contact_point.c.subject_ref)
        .join(
            register_check,
            sa.and_(
                register_check.c.tenant_id == tenant_id,
                register_check.c.suppression_hash == contact_point.c.suppression_hash,
                register_check.c.listed,
            ),
        )
        .where(
            contact_point.c.tenant_id == tenant_id,
            contact_point.c.type == "phone",
            contact_point.c.state == "open",
        )
    )


def _found(remedy: Remedy, message: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "remedy": remedy.remedy_id,
        "says": remedy.says,
        "act": remedy.act,
        "message": None if message is None else dict(message),
    }
