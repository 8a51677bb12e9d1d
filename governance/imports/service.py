"""Use cases of the imports: begin, take in a batch of rows, end, look."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from governance.consent.model import SALE_SHARING
from governance.errors import NotFoundError
from governance.imports import opt_outs, store
from governance.imports.mapping import MappingError, read_mapping
from governance.imports.model import ImportMapping, RowError, read_row
from governance.imports.reading import Row
from governance.imports.runs import ImportRun, no_counts, run_of
from governance.imports.taking import Readable, take_rows
from governance.policy.complaints import nearest
from governance.policy.model import Problem
from governance.purposes import service as purposes
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
    _check_purposes(work, mapping_name, read_mapping(mapping_name, mapping_text))
    store.queue_for(work.connection, work.tenant_id, file_sha256)
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
    """Take in a batch of rows; a bad row is kept with what is wrong with it, loses no opt-out, stops none.

    Rows that the run has passed already are left out, so that a batch may safely be given twice, and two
    that drive the same run do no harm.
    """
    stored = _locked(work, run.import_id)
    if stored["state"] != "running":
        return run_of(stored)
    counts = dict(stored["counts"])
    fresh = [(number, row) for number, row in batch if number > stored["position"]]
    if not fresh:
        return run_of(stored)
    wrong: list[tuple[int, Row | None, RowError]] = []
    good: list[Readable] = []
    for number, row in fresh:
        try:
            if isinstance(row, RowError):
                raise row
            good.append((read_row(mapping, number, row), row))
        except RowError as problem:
            wrong.append((number, None if isinstance(row, RowError) else row, problem))
    wrong += [(read.number, raw, problem) for (read, raw), problem in take_rows(work, mapping, good, counts)]
    wrong = opt_outs.rescued(work, mapping, wrong, counts)
    counts["failed"] += len(wrong)
    counts["rows"] += len(fresh)
    position = fresh[-1][0]
    _keep_errors(work, run.import_id, wrong)
    values = {"position": position, "counts": counts, "lease_until": work.now + LEASE}
    with work.bookkeeping():
        store.update(work.connection, work.tenant_id, run.import_id, values)
    return run_of({**stored, **values})


def end(work: Work, import_id: str, *, problem: str | None = None) -> ImportRun:
    """End a run: completed, or failed with a sentence. The uploaded file, if any, is forgotten.

    A run that has ended already stays as it ended.
    """
    run = run_of(_locked(work, import_id))
    if run.state != "running":
        return run
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
    """What was wrong with rows, in order: `{row, column, detail, value, values, text}`.

    `values` is the row as it came, or `text` if it could not be read into columns.
    """
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
                "text": kept["text"] or None,
            }
        )
    return found


def waiting(snapshot: Snapshot) -> list[str]:
    """Ids of kept files that nobody takes in at present."""
    return store.waiting(snapshot.connection, snapshot.tenant_id, snapshot.now)


def _locked(work: Work, import_id: str) -> Mapping[str, Any]:
    """The stored run, which nobody else changes until the work ends; raises NotFoundError."""
    stored = store.find(work.connection, work.tenant_id, import_id, lock=True)
    if stored is None:
        raise NotFoundError("There is no such import.")
    return stored


def _check_purposes(snapshot: Snapshot, file: str, mapping: ImportMapping) -> None:
    """Raise MappingError for consents to a purpose that is not in the catalogue."""
    named = {rule.purpose: rule.line for rule in reversed(mapping.consents) if rule.purpose != SALE_SHARING}
    unknown = {name: line for name, line in named.items() if purposes.find(snapshot, name) is None}
    if unknown:
        known = [each.purpose_id for each in purposes.every(snapshot)]
        raise MappingError(
            Problem(file, line, f"unknown purpose '{name}'{nearest(name, known)}")
            for name, line in unknown.items()
        )


def _keep_errors(work: Work, import_id: str, wrong: Sequence[tuple[int, Row | None, RowError]]) -> None:
    if not wrong:
        return
    vault = work.resource(Vault)
    rows = []
    for number, raw, problem in wrong:
        told = {"row": raw, "value": problem.value, "text": problem.text}
        kept = json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")
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
