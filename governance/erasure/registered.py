"""What becomes of a person's registered records when an erasure ends them, keeps them, or does not know them.

What an erasure keeps until a day goes by its own later pass, never by a sweep; what it ended is watched no
longer; what it asked nobody about, or nobody found, is nobody's from then on and goes by the sweep.
"""

from collections.abc import Mapping

from governance.erasure.model import IS_HELD, Erasure, Step
from governance.events import Fact
from governance.retention import record_store
from governance.retention.dispositions import GONE
from governance.retention.model import Record
from governance.subjects import service as subjects
from governance.systems.model import ANONYMISED, ERASED, KEPT_UNTIL
from governance.work import Snapshot, Work


def ended(work: Work, erasure: Erasure, step: Step, said: Mapping[str, str]) -> None:
    """Forget the records that a step ended; `said`: what the system answered about single records."""
    whole = {part.data_class for part in step.parts if part.outcome in (ERASED, ANONYMISED)} - _kept(step)
    gone = [
        each
        for each in _of_person(work, erasure)
        if each.system == step.system and (each.data_class in whole or said.get(each.record_id) in GONE)
    ]
    for each in gone:
        record_store.remove(work.connection, work.tenant_id, each.system, each.record_id)
    _say(work, erasure, "retention.records_ended", gone)


def let_go(work: Work, erasure: Erasure) -> None:
    """Leave to the sweep what a closed case neither ended nor keeps; the person is not known any more.

    Nobody was asked about it, or a system found no such data under the person.
    """
    kept = {(step.system, each) for step in erasure.steps for each in _kept(step)}
    rest = [each for each in _of_person(work, erasure) if (each.system, each.data_class) not in kept]
    for each in rest:
        record_store.set_free(work.connection, work.tenant_id, each.system, each.record_id)
    _say(work, erasure, "retention.records_set_free", rest)


def _kept(step: Step) -> frozenset[str]:
    return frozenset(
        part.data_class for part in (*step.parts, *step.kept) if part.outcome in (KEPT_UNTIL, IS_HELD)
    )


def _of_person(snap: Snapshot, erasure: Erasure) -> list[Record]:
    refs = subjects.group(snap, erasure.subject_ref)
    return record_store.of_subjects(snap.connection, snap.tenant_id, refs)


def _say(work: Work, erasure: Erasure, kind: str, records: list[Record]) -> None:
    if records:
        systems = sorted({each.system for each in records})
        facts: dict[str, Fact] = {"erasure": erasure.erasure_id, "systems": systems, "records": len(records)}
        work.record(kind, subject_ref=erasure.subject_ref, facts=facts)
