"""How retention is shown: schedules, explanations, holds, dispositions. Written for officers to read."""

from typing import Any

from governance.clock import wire
from governance.errors import NotFoundError
from governance.policy.principles import OPEN, Weighed
from governance.policy.schedules import CLOCKS, RUNNING, ScheduleRule, Schedules
from governance.retention import holds, record_store, service, store
from governance.retention.disposition_store import Disposition
from governance.retention.model import OWN, REQUEST, Explained, Hold, RetentionVerdict
from governance.subjects import service as subjects
from governance.subjects.model import Subject
from governance.work import Snapshot

_MOST_RECORDS = 100

LOST = {
    "": "This rule wins.",
    "over": "Its time is over.",
    "shorter-duty": "Another duty keeps for longer.",
    "deletion-is-later": "The rule that deletes names a later day.",
    "keeping-beats-deleting": "A duty to keep beats a rule that deletes.",
    "less-specific": "A more specific rule deletes.",
    "longer-deletion": "Another rule deletes sooner.",
    "equal": "Another rule says the same.",
    "clock-not-started": "Its period has not begun.",
    "never-happened": "What it counts from never happened.",
    "state-absent": "What it keeps for does not last.",
    "on-request": "Policy that deletes later is no reason to keep what somebody wants erased.",
}
"""Why a rule lost, as a sentence."""


def rule_document(rule: ScheduleRule) -> dict[str, Any]:
    """A rule of a schedule."""
    return {
        "rule": rule.id,
        "schedule": rule.schedule,
        "demand": str(rule.demand),
        "period": None if rule.period is None else str(rule.period),
        "from": rule.clock,
        "to_end_of": rule.rounding,
        "while": rule.during,
        "sentence": f"{'Keep' if rule.demand == 'keep' else 'Delete after'}: {rule.says()}.",
        "data_classes": sorted(rule.data_classes),
        "purposes": sorted(rule.purposes),
        "stages": sorted(rule.stages),
        "places": sorted(rule.places),
        "systems": sorted(rule.systems),
        "then": None if rule.then is None else str(rule.then),
        "binding": rule.binding,
        "verified": rule.verified,
        "because": rule.because,
        "cites": list(rule.cites),
        "source": list(rule.source),
        "reviewed": rule.reviewed.isoformat(),
        "review_by": rule.review_by.isoformat(),
        "effective_from": None if rule.effective_from is None else rule.effective_from.isoformat(),
        "effective_until": None if rule.effective_until is None else rule.effective_until.isoformat(),
    }


def schedule_items(found: Schedules) -> list[dict[str, Any]]:
    """The schedules in force, each with its rules and phases."""
    return [
        {
            "schedule": each.name,
            "title": each.title,
            "owner": each.owner,
            "places": sorted(each.places),
            "phases": [
                {"id": one.id, "means": one.means, "because": one.because, "cites": list(one.cites)}
                for one in each.phases
            ],
            "rules": [rule_document(rule) for rule in each.rules],
        }
        for each in found.schedules
    ]


def verdict_document(said: RetentionVerdict) -> dict[str, Any]:
    """A verdict: what becomes of data, until when, who decided it."""
    return {
        "disposition": said.disposition,
        "phase": said.phase,
        "until": None if said.until is None else said.until.isoformat(),
        "free_from": None if said.free_from is None else said.free_from.isoformat(),
        "rule": said.rule,
        "because": said.because,
        "cites": list(said.cites),
        "binding": said.binding,
        "verified": said.verified,
        "held_by": list(said.held_by),
    }


def explanation(
    snap: Snapshot, person: Subject, data_class: str, *, system: str | None, record: str | None
) -> dict[str, Any]:
    """Why a class of a person's data (or one record) is still here, when it goes, and when on demand.

    Without a record: the class as if its newest data came into being now, then each registered record.
    """
    ref = person.subject_ref
    if record is not None:
        known = store.find_record(snap.connection, snap.tenant_id, system or "", record)
        if known is None or known.subject_ref not in subjects.group(snap, ref):
            raise NotFoundError("This person has no such registered record.")
    found = service.explain(snap, ref, data_class, system=system, record=record)
    asked = service.verdict(snap, ref, data_class, system=system, record=record, occasion=REQUEST)
    shown = {
        "subject": subjects.external_ids(snap, [ref]).get(ref),
        **weighing(found),
        "clocks": _clocks(found),
        "states": sorted(found.circumstances.states),
        "on_request": verdict_document(asked),
    }
    if record is not None:
        return {**shown, "system": system, "record": record}
    return {**shown, "records": _records(snap, person, data_class)}


def weighing(found: Explained) -> dict[str, Any]:
    """What becomes of data, the winner, what stands in the way, and every rule with why it lost."""
    return {
        "data_class": found.circumstances.data_class,
        "today": found.today.isoformat(),
        **verdict_document(found.verdict),
        "winner": None if found.outcome.winner is None else rule_document(found.outcome.winner),
        "blockers": _blockers(found),
        "rules": [_weighed(line) for line in found.outcome.weighed],
    }


def _records(snap: Snapshot, person: Subject, data_class: str) -> list[dict[str, Any]]:
    group = subjects.group(snap, person.subject_ref)
    known = record_store.of_subjects(snap.connection, snap.tenant_id, group, data_class)
    return [
        {
            "system": each.system,
            "record": each.record_id,
            "created_at": wire(each.created_at),
            **verdict_document(
                service.explain(
                    snap, person.subject_ref, data_class, system=each.system, record=each.record_id
                ).verdict
            ),
        }
        for each in known[:_MOST_RECORDS]
    ]


def _blockers(found: Explained) -> list[dict[str, Any]]:
    """What stands in the way of deleting today: holds first, then the duties in force."""
    on_hold = [{"kind": "hold", "id": hold.hold_id, "until": None} for hold in found.holds]
    duties = [
        {"kind": "duty", "id": line.rule.id, "until": _day(line)}
        for line in found.outcome.weighed
        if line.rule.demand == "keep"
        and line.until is not None
        and (line.until == OPEN or str(line.until) >= found.today.isoformat())
    ]
    return [*on_hold, *duties]


def _weighed(line: Weighed) -> dict[str, Any]:
    return {
        **rule_document(line.rule),
        "until": _day(line),
        "wins": not line.lost,
        "lost": line.lost or None,
        "why": LOST[line.lost],
    }


def _day(line: Weighed) -> str | None:
    return None if line.until is None or line.until == OPEN else str(line.until)


def _clocks(found: Explained) -> dict[str, str | None]:
    known = found.circumstances.clocks
    return {name: RUNNING if known[name] == RUNNING else str(known[name]) for name in CLOCKS if name in known}


def hold_document(snap: Snapshot, hold: Hold) -> dict[str, Any]:
    """A hold with its matter and reason in clear, for those who may read holds."""
    said = holds.told(snap, hold)
    ref = hold.scope.subject_ref
    scope: dict[str, Any]
    if ref is not None:
        scope = {"subject": subjects.external_ids(snap, [ref]).get(ref)}
        scope |= {name: values[0] for name, values in hold.scope.document().items()}
    elif hold.scope.kind == "data_class":
        scope = {"data_class": hold.scope.document()["data_class"][0]}
    else:
        scope = {"filter": hold.scope.document()}
    return {
        "id": hold.hold_id,
        "matter": said.matter,
        "reason": said.reason,
        "scope": scope,
        "state": hold.state,
        "placed_by": hold.placed_by,
        "placed_at": wire(hold.placed_at),
        "expires_at": None if hold.expires_at is None else wire(hold.expires_at),
        "closed_at": None if hold.closed_at is None else wire(hold.closed_at),
        "closed_by": hold.closed_by,
    }


def disposition_items(snap: Snapshot, found: list[Disposition]) -> list[dict[str, Any]]:
    """Dispositions, people under the CRM's own ids."""
    names = subjects.external_ids(snap, {each.subject_ref for each in found if each.subject_ref})
    return [
        {
            "id": each.disposition_id,
            "run": each.run_id,
            "system": each.system,
            "record": names.get(each.record_id) if each.system == OWN else each.record_id,
            "subject": names.get(each.subject_ref or ""),
            "data_class": each.data_class,
            "demand": each.demand,
            "rule": each.rule,
            "state": each.state,
            "because": each.because,
            "sentence": each.sentence,
            "outcome": each.outcome,
            "rows": each.rows_changed,
            "kept_until": each.kept_until,
            "proposed_at": wire(each.proposed_at),
            "changed_at": wire(each.changed_at),
            "decided_by": each.decided_by,
        }
        for each in found
    ]
