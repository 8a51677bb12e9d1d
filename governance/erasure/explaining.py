"""Why something of an erased person is still kept: by the sealed facts of the case and what its steps say.

Nothing in it says who the person was: no id, no dates of the relationship, no states.
"""

from typing import Any

from governance.erasure import frozen, service
from governance.erasure.model import IS_HELD, Erasure
from governance.errors import NotFoundError
from governance.retention import record_store, store, views
from governance.retention import service as retention
from governance.retention.model import REQUEST, Record
from governance.subjects import service as subjects
from governance.systems.model import KEPT_UNTIL
from governance.work import Snapshot

_MOST_RECORDS = 100


def explanation(
    snap: Snapshot, subject_ref: str, data_class: str, *, system: str | None, record: str | None
) -> dict[str, Any]:
    """Why a class of data of an erased person, or one registered record, is still here, and when it goes.

    NotFoundError if nobody erased them, or no such record is registered any more.
    """
    cases = [each for each in service.of_subject(snap, subject_ref) if each.fence_at is not None]
    if not cases:
        raise NotFoundError("There is no such data subject.")
    refs = subjects.group(snap, subject_ref)
    one: Record | None = None
    if record is not None:
        one = store.find_record(snap.connection, snap.tenant_id, system or "", record)
        if one is None or one.subject_ref not in refs:
            raise NotFoundError("This person has no such registered record.")
        data_class = one.data_class
    known = frozen.read(snap, cases[0])
    shown: dict[str, Any] = {"subject": None, "erased": True, "data_class": data_class}
    if known.standing is not None:
        found = retention.explain(
            snap,
            subject_ref,
            data_class,
            system=system,
            record=record,
            occasion=REQUEST,
            standing=known.standing,
            newest=known.newest,
        )
        shown |= views.weighing(found)
    shown["erasures"] = [_case(each, data_class, system) for each in cases]
    if one is not None:
        return {**shown, "system": system, "record": record}
    records = record_store.of_subjects(snap.connection, snap.tenant_id, refs, data_class)
    return {
        **shown,
        "records": [{"system": each.system, "record": each.record_id} for each in records[:_MOST_RECORDS]],
    }


def _case(erasure: Erasure, data_class: str, system: str | None) -> dict[str, Any]:
    """What a case keeps of a class, and until when."""
    return {
        "id": erasure.erasure_id,
        "status": erasure.status,
        "kept": [
            {
                "system": step.system,
                "outcome": part.outcome,
                "rows": part.rows,
                "until": None if part.until is None else part.until.isoformat(),
                "rule": part.rule,
                "because": part.because,
            }
            for step in erasure.steps
            if system is None or step.system == system
            for part in (*step.parts, *step.kept)
            if part.data_class == data_class and part.outcome in (KEPT_UNTIL, IS_HELD)
        ],
    }
