"""Opt-outs of rows that were refused: whatever else is wrong with a row, a no in it is taken.

Only of people who are known already, or were until they were erased (by an address too, of those and of who
is being erased): of somebody new a refused row leaves
nothing behind, and to nobody who is not there a message goes.
"""

from collections.abc import Sequence

from governance.consent import service as consent
from governance.consent.service import ImportedAct
from governance.imports import buried
from governance.imports.model import ImportMapping, ImportRow, RowError, read_opt_outs
from governance.imports.reading import Row
from governance.imports.taking import act_of
from governance.subjects import service as subjects
from governance.work import Work

TAKEN = " The opt-outs that it reports were taken all the same."

Refused = tuple[int, Row | None, RowError]
"""A row's number, the row as far as it could be read into columns, and what is wrong with it."""


def rescued(
    work: Work, mapping: ImportMapping, wrong: Sequence[Refused], counts: dict[str, int]
) -> list[Refused]:
    """Take the opt-outs of refused rows, add to the counts, and say so beside what was wrong."""
    found: list[Refused] = []
    for number, raw, problem in wrong:
        taken = raw is not None and _take(work, read_opt_outs(mapping, number, raw), counts)
        found.append((number, raw, _told(problem) if taken else problem))
    return found


def _take(work: Work, row: ImportRow, counts: dict[str, int]) -> bool:
    """Record the noes of a row; whether there were any and all of them could be."""
    person = None
    if row.suppressions or row.consents:
        person = subjects.find(work, row.external_id)
        person = person or subjects.frozen_as(work, buried.addresses(work, row))
    if person is None or person.erased:
        return buried.keep_noes(work, row, counts)
    ref = subjects.lock(work, person.subject_ref).subject_ref
    points = subjects.points(work, ref)
    acts = [
        ImportedAct(ref, None, "suppressed", scope=rule.scope, channel=rule.channel or None)
        for rule in row.suppressions
    ]
    acts += [act_of(ref, points, reported) for reported in row.consents]
    outcomes = consent.record_many(work, acts)
    for act, outcome in zip(acts, outcomes, strict=True):
        if outcome.refusal is None:
            counts["suppressions" if act.status == "suppressed" else "consents"] += 1
    return all(outcome.refusal is None for outcome in outcomes)


def _told(problem: RowError) -> RowError:
    return RowError(problem.sentence + TAKEN, column=problem.column, value=problem.value, text=problem.text)
