"""A batch of rows becomes people, opt-outs, consents and happenings: each row whole, or not at all.

What is left of a row that was refused is its opt-outs (`opt_outs`).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from governance.consent import service as consent
from governance.consent.service import ImportedAct
from governance.errors import GovernanceError
from governance.imports import buried
from governance.imports.model import Choice, ImportMapping, ImportRow, RowConsent, RowError, latest_column
from governance.imports.reading import Row
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier, read_identifier
from governance.subjects.model import CHANNEL_POINT_TYPE, ContactPoint
from governance.subjects.service import NewSubject, PutOutcome, SubjectChange
from governance.work import Work

Readable = tuple[ImportRow, Row]
"""What a row says, and the row as it came."""

Refusals = dict[int, GovernanceError]


def take_rows(
    work: Work, mapping: ImportMapping, rows: Sequence[Readable], counts: dict[str, int]
) -> list[tuple[Readable, RowError]]:
    """Take in rows and add to the counts; gives the rows that were refused, of which nothing was done.

    A row is refused as a whole: a person whose opt-out could not be recorded must not be there without it.
    So the batch is tried behind a savepoint, and again without the rows of which a part was refused.
    """
    waiting = list(rows)
    wrong: list[tuple[Readable, RowError]] = []
    while True:
        mark, attempt = work.mark(), dict(counts)
        savepoint = work.connection.begin_nested()
        refused, undone = _try(work, waiting, attempt)
        out = refused | undone
        wrong += [(waiting[at], _refused(mapping, waiting[at], refusal)) for at, refusal in out.items()]
        if not undone:
            savepoint.commit()
            counts.update(attempt)
            return wrong
        savepoint.rollback()
        work.rewind(mark)
        waiting = [row for at, row in enumerate(waiting) if at not in out]


def _try(work: Work, rows: Sequence[Readable], counts: dict[str, int]) -> tuple[Refusals, Refusals]:
    """Write what the rows say; gives which were refused at once, and which must be undone."""
    refused: Refusals = {}
    taken: dict[int, str] = {}
    outcomes = subjects.put_many(work, [_new_subject(read) for read, _ in rows])
    for at, outcome in enumerate(outcomes):
        if outcome.refusal is not None:
            refused[at] = outcome.refusal
            continue
        counts[_counted_as(outcome)] += 1
        if outcome.blocked:
            buried.keep_noes(work, rows[at][0], counts)
        else:
            taken[at] = outcome.subject_ref
    return refused, _consequences(work, {at: (rows[at][0], ref) for at, ref in taken.items()}, counts)


def _counted_as(outcome: PutOutcome) -> str:
    if outcome.blocked:
        return "blocked"
    return "created" if outcome.created else "updated" if outcome.changed else "unchanged"


def _consequences(work: Work, taken: Mapping[int, tuple[ImportRow, str]], counts: dict[str, int]) -> Refusals:
    """Opt-outs, consents and happenings of the rows that were taken in; gives the rows that cannot be so."""
    refused: Refusals = {}
    acts: list[tuple[int, ImportedAct]] = []
    for at, (row, subject_ref) in taken.items():
        if not (row.suppressions or row.consents or row.events):
            continue
        points = subjects.points(work, subject_ref) if row.identifiers else []
        for rule in row.suppressions:
            counts["suppressions"] += 1
            if rule.scope == "undeliverable" and _close(work, subject_ref, points, rule.channel):
                continue
            channel = rule.channel or None
            acts.append((at, ImportedAct(subject_ref, None, "suppressed", scope=rule.scope, channel=channel)))
        for reported in row.consents:
            counts["consents"] += 1
            acts.append((at, act_of(subject_ref, points, reported)))
        for happened in row.events:
            counts["events"] += 1
            only = _only_point(points, happened.channel)
            try:
                subjects.record_event(
                    work,
                    subject_ref,
                    event=happened.event,
                    occurred_at=happened.occurred_at,
                    product_family=happened.product_family,
                    point_ref=None if only is None else only.point_ref,
                    opt_out_offered=happened.opt_out_offered,
                )
            except GovernanceError as refusal:
                refused[at] = refusal
    outcomes = consent.record_many(work, [act for _, act in acts]) if acts else []
    for (at, _), outcome in zip(acts, outcomes, strict=True):
        if outcome.refusal is not None:
            refused[at] = outcome.refusal
    return refused


def _new_subject(row: ImportRow) -> NewSubject:
    change = SubjectChange(
        identifiers=[Identifier(kind, value, subscriber=who) for kind, value, who in row.identifiers]
        if row.identifiers
        else subjects.ABSENT,
        relationship=row.relationship,
        acquired=row.acquired,
        acquired_at=row.acquired_at if row.acquired_at is not None else subjects.ABSENT,
        **_attributes(row),
    )
    return NewSubject(row.external_id, change)


def _attributes(row: ImportRow) -> dict[str, Any]:
    values: dict[str, Any] = dict(row.attributes)
    if "birth_date" in values:
        values["birth_date"] = date.fromisoformat(values["birth_date"])
    return values


def _close(work: Work, subject_ref: str, points: Sequence[ContactPoint], channel: str) -> bool:
    """Mark the person's addresses of a channel undeliverable; False if none is known."""
    reached = [point for point in points if not channel or point.type == CHANNEL_POINT_TYPE.get(channel)]
    for point in reached:
        if point.state == "open":
            subjects.set_point_state(work, subject_ref, point.point_ref, "undeliverable")
    return bool(reached)


def act_of(subject_ref: str, points: Sequence[ContactPoint], reported: RowConsent) -> ImportedAct:
    """The act that a row reports, on the contact point of its channel if the person has just one."""
    reached = _open_points(points, reported.channel)
    only = _only_point(points, reported.channel)
    return ImportedAct(
        subject_ref,
        reported.purpose,
        reported.status,
        method=reported.method,
        channel=reported.channel or None,
        topic=reported.topic or None,
        point_ref=only.point_ref if only else None,
        suppression_hash=only.suppression_hash if only else None,
        open_points=tuple(point.point_ref for point in reached),
        occurred_at=reported.occurred_at,
    )


def _open_points(points: Sequence[ContactPoint], channel: str) -> list[ContactPoint]:
    kind = CHANNEL_POINT_TYPE.get(channel)
    return [point for point in points if point.type == kind and point.state == "open"]


def _only_point(points: Sequence[ContactPoint], channel: str) -> ContactPoint | None:
    """The contact point that a channel must mean: the open one, if there is just one."""
    reached = _open_points(points, channel)
    return reached[0] if len(reached) == 1 else None


def _refused(mapping: ImportMapping, row: Readable, refusal: GovernanceError) -> RowError:
    """Say in which column of the file the value stands that the domain refused."""
    read, raw = row
    fields = ["relationship"] if getattr(refusal, "reason", "") == "use-transition" else []
    fields += getattr(refusal, "fields", {})
    column = _column(mapping, read, raw, fields[0] if fields else "")
    return RowError(refusal.message, column=column, value=raw[column] if column else "")


def _column(mapping: ImportMapping, read: ImportRow, raw: Row, field: str) -> str:
    """The column that a refused field (`attributes.country`, `identifiers`, …) was read from, or ''."""
    if field == "identifiers":
        return _bad_identifier(mapping, read, raw)
    name = field.rpartition(".")[2]
    if name == "id":
        return mapping.external_id
    if name in ("acquired_at", "occurred_at"):
        return latest_column(mapping, name, raw)
    choices = {**mapping.attributes, "relationship": mapping.relationship, "acquired": mapping.acquired}
    source = choices.get(name)
    return source.column if isinstance(source, Choice) else ""


def _bad_identifier(mapping: ImportMapping, read: ImportRow, raw: Row) -> str:
    country = read.attributes.get("country")
    for one in mapping.identifiers:
        text = raw[one.column].strip()
        try:
            if text:
                read_identifier(Identifier(one.type, text, subscriber=one.subscriber), country)
        except GovernanceError:
            return one.column
    return ""
