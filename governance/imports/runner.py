"""Drives a run to its end, a batch to a transaction. Killed at any line, it goes on where it was."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import islice

from governance.imports import service
from governance.imports.mapping import MappingError, read_mapping
from governance.imports.reading import rows
from governance.imports.runs import ImportRun
from governance.work import Snapshot, Work

OpenWork = Callable[[], AbstractContextManager[Work]]
OpenSnapshot = Callable[[], AbstractContextManager[Snapshot]]


def run_lines(
    open_work: OpenWork,
    run: ImportRun,
    lines: Iterable[str],
    *,
    progress: Callable[[ImportRun], None] = lambda _: None,
) -> ImportRun:
    """Take in the lines of a file, from where the run stands; returns the ended run.

    Raises MappingError, and ends the run as failed, for columns that the file has not.
    """
    mapping = read_mapping(run.mapping_name, run.mapping_text)
    try:
        numbered = rows(mapping, run.mapping_name, lines)
        numbered = ((number, row) for number, row in numbered if number > run.position)
        while batch := list(islice(numbered, service.BATCH)):
            with open_work() as work:
                run = service.take(work, run, mapping, batch)
            progress(run)
    except MappingError as problem:
        with open_work() as work:
            service.end(work, run.import_id, problem=problem.message)
        raise
    with open_work() as work:
        return service.end(work, run.import_id)


def run_kept(open_work: OpenWork, open_snapshot: OpenSnapshot, import_id: str) -> ImportRun | None:
    """Take in an uploaded file, unless somebody else does; returns the ended run."""
    with open_work() as work:
        if not service.claim(work, import_id):
            return None
    with open_snapshot() as snapshot:
        run = service.get(snapshot, import_id)
        content = b"".join(service.kept_file(snapshot, import_id))
    try:
        return run_lines(open_work, run, _lines(content))
    except MappingError:
        with open_snapshot() as snapshot:
            return service.get(snapshot, import_id)


def _lines(content: bytes) -> Iterator[str]:
    """The lines of a file, with their ends; what is no UTF-8 becomes lone surrogates."""
    for line in content.splitlines(keepends=True):
        yield line.decode("utf-8", "surrogateescape")
