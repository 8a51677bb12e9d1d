"""Use cases of retention that other rooms call: what becomes of data, what holds it, and why.

Holds are in `holds`, registered records in `records`, runs in `runs`, dispositions in `dispositions`.
"""

from dataclasses import fields
from datetime import datetime

from governance.errors import InvalidError
from governance.policy import service as policies
from governance.policy.principles import weigh
from governance.policy.schedules import Schedules
from governance.retention import facts, holds, settings, store
from governance.retention.model import (
    OCCASIONS,
    REQUEST,
    SCHEDULE,
    Explained,
    Hold,
    Record,
    RetentionVerdict,
    Touched,
    verdict_of,
)
from governance.retention.standing import ConsentSpan, Standing
from governance.subjects import service as subjects
from governance.subjects.model import Subject
from governance.tenants import store as tenants
from governance.work import Snapshot

__all__ = ["REQUEST", "SCHEDULE", "explain", "holds_on", "schedules", "standing_of", "verdict"]


def verdict(
    snap: Snapshot,
    subject_ref: str | None,
    data_class: str,
    *,
    system: str | None = None,
    record: str | None = None,
    created_at: datetime | None = None,
    closed_at: datetime | None = None,
    occasion: str = REQUEST,
    time: datetime | None = None,
    standing: Standing | None = None,
    newest: datetime | None = None,
) -> RetentionVerdict:
    """Say whether data of a person may be deleted now.

    `occasion` `erasure` (somebody demands it): only holds and duties to keep stand in the way; `schedule`
    (nobody asked): also policy that deletes later. With `system` and `record` the registered record tells
    its dates; `created_at` and `closed_at` tell them for a row that is not registered; without either the
    answer is that for data that came into being just now. A `subject_ref` of None is a record of nobody.
    `time`: the answer for then, if that is later; recorded state stays that of now. `standing`: what was
    known of the person, in place of what the row says by now; `newest`: when the newest data came about.
    """
    found = explain(
        snap,
        subject_ref,
        data_class,
        system=system,
        record=record,
        created_at=created_at,
        closed_at=closed_at,
        occasion=occasion,
        time=time,
        standing=standing,
        newest=newest,
    )
    return found.verdict


def explain(
    snap: Snapshot,
    subject_ref: str | None,
    data_class: str,
    *,
    system: str | None = None,
    record: str | None = None,
    created_at: datetime | None = None,
    closed_at: datetime | None = None,
    occasion: str = SCHEDULE,
    time: datetime | None = None,
    standing: Standing | None = None,
    newest: datetime | None = None,
) -> Explained:
    """Say why data is still here and when it goes: all rules, the winner, the holds. See `verdict`."""
    if occasion not in OCCASIONS:
        complaint = f"This is one of {', '.join(OCCASIONS)}."
        raise InvalidError(complaint, fields={"occasion": [complaint]})
    at = snap.now if time is None else max(snap.now, time)
    person = standing or (None if subject_ref is None else subjects.find_by_ref(snap, subject_ref))
    known = _record(snap, person, data_class, system, record, created_at, closed_at)
    controller = tenants.find(snap.connection, snap.tenant_id)
    place = facts.place_of(
        None if known is None else known.jurisdiction,
        None if controller is None else controller.country,
        None if person is None else person.country,
        None if person is None else person.region,
    )
    group = () if person is None else subjects.group(snap, person.subject_ref)
    asked = facts.circumstances(
        person,
        _consents(snap, group, at) if standing is None else standing.consents,
        known,
        data_class=data_class if known is None else known.data_class,
        system=system,
        place=place,
        now=newest or snap.now,
        financial_year_end=settings.get(snap).financial_year_end,
    )
    today = place.today(at)
    outcome = weigh(schedules(snap).rules, asked, today, on_request=occasion == REQUEST)
    covering = holds.on(
        snap,
        Touched(
            subject_ref=None if person is None else person.subject_ref,
            stage=asked.stage,
            country=None if person is None else person.country,
            data_class=asked.data_class,
            system=system,
            group=group,
        ),
    )
    return Explained(verdict_of(outcome, covering), outcome, asked, covering, today)


def holds_on(
    snap: Snapshot, subject_ref: str, *, data_class: str | None = None, system: str | None = None
) -> tuple[Hold, ...]:
    """The legal holds in force on a person's data: of one class or system, or (None) on any of it."""
    person = subjects.get_by_ref(snap, subject_ref)
    thing = Touched(
        subject_ref=person.subject_ref,
        stage=person.stage_relationship,
        country=person.country,
        data_class=data_class,
        system=system,
        group=subjects.group(snap, person.subject_ref),
    )
    return holds.on(snap, thing)


def schedules(snap: Snapshot) -> Schedules:
    """The retention schedules in force."""
    return policies.active(snap.connection, snap.tenant_id, snap.now).retention


def standing_of(snap: Snapshot, subject_ref: str) -> Standing:
    """What is known of a person now; NotFoundError for nobody."""
    person = subjects.get_by_ref(snap, subject_ref)
    group = subjects.group(snap, person.subject_ref)
    span = facts.spans_together(facts.consent_spans(snap.connection, snap.tenant_id, group, snap.now))
    named = {
        each.name: getattr(person, each.name)
        for each in fields(Standing)
        if each.name not in ("consent_in_force", "consent_ended_at")
    }
    return Standing(**named, consent_in_force=span.in_force, consent_ended_at=span.ended_at)


def _record(
    snap: Snapshot,
    person: Subject | Standing | None,
    data_class: str,
    system: str | None,
    record: str | None,
    created_at: datetime | None,
    closed_at: datetime | None,
) -> Record | None:
    """The registered record that is meant, or one made up of what the caller knows."""
    if system is not None and record is not None:
        found = store.find_record(snap.connection, snap.tenant_id, system, record)
        if found is not None:
            return found
    if created_at is None:
        return None
    return Record(
        system=system or "",
        record_id=record or "",
        subject_ref=None if person is None else person.subject_ref,
        data_class=data_class,
        purpose=None,
        jurisdiction=None,
        created_at=created_at,
        closed_at=closed_at,
    )


def _consents(snap: Snapshot, group: tuple[str, ...], at: datetime) -> ConsentSpan:
    """The consents of a person and of the records merged into it, as they are at an instant."""
    return facts.spans_together(facts.consent_spans(snap.connection, snap.tenant_id, group, at))
