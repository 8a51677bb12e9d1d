"""Use cases of the imports: begin, take in a batch of rows, end, look."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from governance.consent import service as consent
from governance.consent.service import ImportedAct
from governance.errors import GovernanceError, NotFoundError
from governance.imports import store
from governance.imports.mapping import read_mapping
from governance.imports.model import ImportMapping, ImportRow, RowConsent, RowError, read_row
from governance.imports.reading import Row
from governance.imports.runs import ImportRun, no_counts, run_of
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import CHANNEL_POINT_TYPE, ContactPoint
from governance.subjects.service import NewSubject, PutOutcome, SubjectChange
from governance.vault.model import OPERATIONAL, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work

BATCH = 100
"""Rows in one transaction: with their opt-outs some 200 leaves, after which others get their turn."""
CHUNK = 262_144
"""Bytes of an uploaded file that are sealed together."""
LEASE = timedelta(seconds=60)


def begin(
    work: Work, *, mapping_name: str, mapping_text: str, file_sha256: str, total: int | None
) -> ImportRun:
    """Begin taking in a file, or go on with the unfinished run of the same file and mapping.

    `total` is the number of rows, where it is known. Raises MappingError for a mapping that cannot be used.
    """
    read_mapping(mapping_name, mapping_text)
    mapping_sha256 = sha256(mapping_text.encode()).hexdigest()
    unfinished = store.find_unfinished(work.connection, work.tenant_id, file_sha256, mapping_sha256)
    if unfinished is not None:
        return run_of(unfinished)
    run = ImportRun(
        work.new_id("imp"), "running", mapping_name, mapping_text, total, 0, no_counts(), None, work.now, None
    )
    store.add(
        work.connection,
        {
            "tenant_id": work.tenant_id,
            "import_id": run.import_id,
            "state": run.state,
            "mapping_name": mapping_name,
            "mapping_text": mapping_text,
            "file_sha256": file_sha256,
            "mapping_sha256": mapping_sha256,
            "total": total,
            "position": 0,
            "counts": run.counts,
            "started_at": run.started_at,
        },
    )
    work.record(
        "import.started",
        facts={"import": run.import_id, "file_sha256": file_sha256, "mapping_sha256": mapping_sha256},
    )
    return run


def keep_file(work: Work, import_id: str, content: bytes) -> None:
    """Keep an uploaded file, sealed, until it is taken in; nothing is done if it is kept already."""
    vault = work.resource(Vault)
    if store.chunk(work.connection, work.tenant_id, import_id, 0) is not None:
        return
    with work.bookkeeping():
        for number, start in enumerate(range(0, len(content), CHUNK)):
            piece = content[start : start + CHUNK]
            sealed = vault.seal(work.tenant_id, import_id, OPERATIONAL, _chunk(import_id, number), piece)
            store.add_chunk(work.connection, work.tenant_id, import_id, number, sealed)


def kept_file(snapshot: Snapshot, import_id: str) -> Iterator[bytes]:
    """Give an uploaded file, piece by piece."""
    vault = snapshot.resource(Vault)
    number = 0
    while (sealed := store.chunk(snapshot.connection, snapshot.tenant_id, import_id, number)) is not None:
        yield vault.reveal(snapshot.tenant_id, import_id, OPERATIONAL, _chunk(import_id, number), sealed)
        number += 1


def claim(work: Work, import_id: str) -> bool:
    """Take the lease of a kept file's run; whether it was free."""
    with work.bookkeeping():
        return store.claim(work.connection, work.tenant_id, import_id, work.now, work.now + LEASE)


def take(
    work: Work, run: ImportRun, mapping: ImportMapping, batch: Sequence[tuple[int, Row | RowError]]
) -> ImportRun:
    """Take in a batch of rows; a bad row is kept with what is wrong with it and stops no other.

    Rows that the run has passed already are left out, so that a batch may safely be given twice.
    """
    stored = store.find(work.connection, work.tenant_id, run.import_id, lock=True)
    if stored is None or stored["state"] != "running":
        raise NotFoundError("This import is not running.")
    counts = dict(stored["counts"])
    fresh = [(number, row) for number, row in batch if number > stored["position"]]
    if not fresh:
        return run_of(stored)
    wrong: list[tuple[int, Row | None, RowError]] = []
    good: list[tuple[ImportRow, Row]] = []
    for number, row in fresh:
        try:
            if isinstance(row, RowError):
                raise row
            good.append((read_row(mapping, number, row), row))
        except RowError as problem:
            wrong.append((number, None if isinstance(row, RowError) else row, problem))
    outcomes = subjects.put_many(work, [_new_subject(row) for row, _ in good])
    taken: list[tuple[ImportRow, str]] = []
    for (read, raw), outcome in zip(good, outcomes, strict=True):
        if outcome.refusal is not None:
            wrong.append((read.number, raw, _refused(outcome.refusal)))
            continue
        counts[_counted_as(outcome)] += 1
        if not outcome.blocked:
            taken.append((read, outcome.subject_ref))
    _consequences(work, taken, counts)
    counts["failed"] += len(wrong)
    counts["rows"] += len(fresh)
    position = fresh[-1][0]
    _keep_errors(work, run.import_id, wrong)
    values = {"position": position, "counts": counts, "lease_until": work.now + LEASE}
    with work.bookkeeping():
        store.update(work.connection, work.tenant_id, run.import_id, values)
    return run_of({**stored, **values})


def end(work: Work, import_id: str, *, problem: str | None = None) -> ImportRun:
    """End a run: completed, or failed with a sentence. The uploaded file, if any, is forgotten."""
    run = get(work, import_id)
    values: dict[str, Any] = {
        "state": "failed" if problem else "completed",
        "problem": problem,
        "total": run.position,
        "finished_at": work.now,
        "lease_until": None,
    }
    store.update(work.connection, work.tenant_id, import_id, values)
    store.drop_chunks(work.connection, work.tenant_id, import_id)
    work.record(
        "import.failed" if problem else "import.completed", facts={"import": import_id, **dict(run.counts)}
    )
    return get(work, import_id)


def get(snapshot: Snapshot, import_id: str) -> ImportRun:
    """The run of this id; raises NotFoundError."""
    row = store.find(snapshot.connection, snapshot.tenant_id, import_id)
    if row is None:
        raise NotFoundError("There is no such import.")
    return run_of(row)


def errors(snapshot: Snapshot, import_id: str, *, after: int = 0, limit: int = 50) -> list[dict[str, Any]]:
    """What was wrong with rows, in order: `{row, column, detail, values}`; `values` is the row as it came."""
    vault = snapshot.resource(Vault)
    found = []
    for row in store.errors(snapshot.connection, snapshot.tenant_id, import_id, after, limit):
        place = _error(import_id, row["row_number"])
        raw = vault.reveal(snapshot.tenant_id, import_id, OPERATIONAL, place, row["row_sealed"])
        kept = json.loads(raw)
        found.append(
            {
                "row": row["row_number"],
                "column": row["column_name"] or None,
                "detail": row["sentence"],
                "value": kept["value"] or None,
                "values": kept["row"],
            }
        )
    return found


def waiting(snapshot: Snapshot) -> list[str]:
    """Ids of kept files that nobody takes in at present."""
    return store.waiting(snapshot.connection, snapshot.tenant_id, snapshot.now)


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
        try:
            values["birth_date"] = datetime.fromisoformat(values["birth_date"]).date()
        except ValueError:
            values["birth_date"] = subjects.ABSENT
    return values


def _refused(refusal: GovernanceError) -> RowError:
    fields = "; ".join(sorted(getattr(refusal, "fields", {})))
    return RowError(refusal.message, column=fields)


def _counted_as(outcome: PutOutcome) -> str:
    if outcome.blocked:
        return "blocked"
    return "created" if outcome.created else "updated" if outcome.changed else "unchanged"


def _consequences(work: Work, taken: Sequence[tuple[ImportRow, str]], counts: dict[str, int]) -> None:
    """Opt-outs, consents and happenings of the rows that were taken in."""
    acts: list[ImportedAct] = []
    for row, subject_ref in taken:
        if not (row.suppressions or row.consents or row.events):
            continue
        points = subjects.points(work, subject_ref) if row.identifiers else []
        for rule in row.suppressions:
            counts["suppressions"] += 1
            if rule.scope == "undeliverable" and _close(work, subject_ref, points, rule.channel):
                continue
            acts.append(
                ImportedAct(subject_ref, None, "suppressed", scope=rule.scope, channel=rule.channel or None)
            )
        for reported in row.consents:
            counts["consents"] += 1
            acts.append(_act(subject_ref, points, reported))
        for event, occurred_at in row.events:
            counts["events"] += 1
            subjects.record_event(work, subject_ref, event=event, occurred_at=occurred_at)
    if acts:
        consent.record_many(work, acts)


def _close(work: Work, subject_ref: str, points: Sequence[ContactPoint], channel: str) -> bool:
    """Mark the person's addresses of a channel undeliverable; False if none is known."""
    reached = [point for point in points if not channel or point.type == CHANNEL_POINT_TYPE.get(channel)]
    for point in reached:
        if point.state == "open":
            subjects.set_point_state(work, subject_ref, point.point_ref, "undeliverable")
    return bool(reached)


def _act(subject_ref: str, points: Sequence[ContactPoint], reported: RowConsent) -> ImportedAct:
    kind = CHANNEL_POINT_TYPE.get(reported.channel)
    reached = [point for point in points if point.type == kind and point.state == "open"]
    only = reached[0] if len(reached) == 1 else None
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


def _keep_errors(work: Work, import_id: str, wrong: Sequence[tuple[int, Row | None, RowError]]) -> None:
    if not wrong:
        return
    vault = work.resource(Vault)
    rows = []
    for number, raw, problem in wrong:
        kept = json.dumps({"row": raw, "value": problem.value}).encode("utf-8", "backslashreplace")
        place = _error(import_id, number)
        rows.append(
            {
                "tenant_id": work.tenant_id,
                "import_id": import_id,
                "row_number": number,
                "sentence": problem.sentence,
                "column_name": problem.column,
                "row_sealed": vault.seal(work.tenant_id, import_id, OPERATIONAL, place, kept),
            }
        )
    with work.bookkeeping():
        store.add_errors(work.connection, rows)


def _chunk(import_id: str, number: int) -> Place:
    return Place("import_chunk", "sealed", f"{import_id}:{number}")


def _error(import_id: str, number: int) -> Place:
    return Place("import_error", "row_sealed", f"{import_id}:{number}")
