"""Whom a screening asks about: ids are looked up when it is queued, and once more when it runs.

People are kept by reference. Between queueing and running a record may be merged into another, and an id that
led to nobody may have become somebody's: the run asks about whoever is meant by then.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from governance.communications import screening_store as store
from governance.communications.id_files import FAULTS, SENTENCES, IdFile
from governance.communications.screening import CHUNK_PEOPLE, MAX_IDS, Audience, Screening
from governance.communications.selection import EVERYONE, Selection
from governance.errors import InvalidError, NotFoundError
from governance.subjects.model import check_external_id
from governance.subjects.store import subject
from governance.work import Snapshot, Work

Member = TypeVar("Member")
_LOOKUP = 500
_SHOWN = 20
"""So many lines of a file without any id are named in its refusal."""


def read_file(file: IdFile) -> Audience:
    """The audience that a file names; InvalidError, with its first lines, if it holds no id at all."""
    if not file.ids:
        lines = [f"Line {number}: {SENTENCES[fault]}" for number, fault in file.rejected[:_SHOWN]]
        raise InvalidError("The file holds no id.", fields={"file": lines or ["The file is empty."]})
    if len(file.ids) > MAX_IDS:
        raise InvalidError("The file holds too many ids.", fields={"file": [f"Send up to {MAX_IDS} a file."]})
    return Audience("ids", ids=file.ids, duplicates=file.duplicates)


def stored(whom: Audience, file: IdFile | None) -> dict[str, Any]:
    """The audience as it is kept and shown: of a list also what was not an id of its own."""
    if whom.kind != "ids":
        return whom.document()
    counted = {"duplicates": whom.duplicates, "rejected": 0 if file is None else len(file.rejected)}
    return {**whom.document(), **counted}


def keep_rejected(work: Work, screening_id: str, rejected: Sequence[tuple[int, str]]) -> None:
    """Keep which lines of a file hold no id, and what is wrong with each."""
    for number, part in enumerate(_parts(rejected, CHUNK_PEOPLE)):
        lines = [line for line, _ in part]
        faults = [FAULTS.index(fault) for _, fault in part]
        store.add_rejected(work.connection, work.tenant_id, screening_id, number, lines, faults)


def rejected(snap: Snapshot, screening_id: str) -> Iterator[dict[str, Any]]:
    """The lines of an uploaded file that hold no id: `{"line", "fault", "because"}`, in order.

    Raises NotFoundError before the first is asked for.
    """
    if store.find(snap.connection, snap.tenant_id, screening_id, snap.now) is None:
        raise NotFoundError("There is no screening with this id.")
    return (
        {"line": line, "fault": FAULTS[fault], "because": SENTENCES[FAULTS[fault]]}
        for line, fault in store.rejected_lines(snap.connection, snap.tenant_id, screening_id)
    )


def check_ids(ids: Sequence[str]) -> None:
    """See that every id has the form of a CRM's id; InvalidError names the place of each that has not."""
    wrong: dict[str, list[str]] = {}
    for place, external in enumerate(ids):
        try:
            check_external_id(external)
        except InvalidError as problem:
            wrong[f"audience.ids.{place}"] = [problem.message]
    if wrong:
        raise InvalidError(
            f"{len(wrong)} of the ids cannot be ids of the CRM; nothing was queued. Correct them, or send the"
            " ids as a file, of which the other lines are taken.",
            fields=wrong,
        )


def keep_ids(work: Work, screening_id: str, ids: Sequence[str]) -> None:
    """Keep an audience of ids: the references of people, once each, and the ids that lead to nobody."""
    found = references(work, ids)
    strangers = sorted(external for external in ids if external not in found)
    number = 0
    for known, members in ((True, sorted(set(found.values()))), (False, strangers)):
        for part in _parts(members, CHUNK_PEOPLE):
            store.add_members(
                work.connection, work.tenant_id, screening_id, number, known=known, members=part
            )
            number += 1


def selections(snap: Snapshot, kept: Screening) -> tuple[Iterator[Selection], list[str]]:
    """Whom to pass over, in the order of references, and the ids that still lead to nobody."""
    document = kept.audience
    if "filter" in document:
        chosen: Mapping[str, Sequence[str]] = document["filter"]
        selection = Selection(tuple(chosen.get("relationship", ())), tuple(chosen.get("country", ())))
        return iter((selection,)), []
    if "ids" not in document:
        return iter((EVERYONE,)), []
    listed = _listed(snap, kept.screening_id, known=False)
    arrived = references(snap, listed)
    strangers = [external for external in listed if external not in arrived]
    moved = _moved(snap, kept.screening_id)
    if not arrived and not moved:
        parts: Iterator[Sequence[str]] = store.members(
            snap.connection, snap.tenant_id, kept.screening_id, known=True
        )
    else:
        people = {moved.get(ref, ref) for ref in _listed(snap, kept.screening_id, known=True)}
        parts = _parts(sorted(people | set(arrived.values())), CHUNK_PEOPLE)
    return (Selection(subject_refs=part) for part in parts), strangers


def references(snap: Snapshot, ids: Sequence[str]) -> dict[str, str]:
    """External id to reference of those that are known; a merged record leads to its survivor."""
    found: dict[str, str] = {}
    for part in _parts(ids, _LOOKUP):
        rows = snap.connection.execute(
            sa.select(
                subject.c.external_id, sa.func.coalesce(subject.c.merged_into, subject.c.subject_ref)
            ).where(subject.c.tenant_id == snap.tenant_id, subject.c.external_id.in_(part))
        )
        found.update((external, ref) for external, ref in rows)
    return found


def _moved(snap: Snapshot, screening_id: str) -> dict[str, str]:
    """The people of an audience of ids that were merged since it was queued, and into whom."""
    found: dict[str, str] = {}
    for members in store.members(snap.connection, snap.tenant_id, screening_id, known=True):
        for part in _parts(members, _LOOKUP):
            rows = snap.connection.execute(
                sa.select(subject.c.subject_ref, subject.c.merged_into).where(
                    subject.c.tenant_id == snap.tenant_id,
                    subject.c.subject_ref.in_(part),
                    subject.c.merged_into.is_not(None),
                )
            )
            found.update((ref, into) for ref, into in rows)
    return found


def _listed(snap: Snapshot, screening_id: str, *, known: bool) -> list[str]:
    parts = store.members(snap.connection, snap.tenant_id, screening_id, known=known)
    return [member for part in parts for member in part]


def _parts(members: Sequence[Member], size: int) -> Iterator[Sequence[Member]]:
    for start in range(0, len(members), size):
        yield members[start : start + size]
