"""How long an erasure must spare data that tell their own date: registered records, and rows of systems."""

from datetime import date, datetime

from governance.policy.schedules import FINANCIAL_YEAR, WHOLE_YEAR, Demand
from governance.retention import record_store, service
from governance.retention.model import KEEP, REQUEST, Explained
from governance.retention.standing import Standing
from governance.subjects import service as subjects
from governance.systems.own_dates import OwnDates, Term
from governance.work import Snapshot

_CREATED = "record_created"
_MOST = 1000
"""Of more registered records of one class and person the rest is kept like data that tell no date."""


def of_class(
    snap: Snapshot,
    subject_ref: str,
    data_class: str,
    *,
    system: str,
    standing: Standing | None,
    newest: datetime,
) -> OwnDates:
    """What keeps data of a class in a system by their own dates, when somebody demands that they go."""
    found = service.explain(
        snap,
        subject_ref,
        data_class,
        system=system,
        occasion=REQUEST,
        standing=standing,
        newest=newest,
    )
    terms, least = _terms(found)
    return OwnDates(terms, least, of_records(snap, subject_ref, data_class, system=system, standing=standing))


def of_records(
    snap: Snapshot, subject_ref: str, data_class: str, *, system: str, standing: Standing | None
) -> dict[str, tuple[date | None, str]]:
    """Of a person's registered records the first day on which nothing keeps them, and why; None: none does.

    A record of which nobody knows the day yet is not named.
    """
    records: dict[str, tuple[date | None, str]] = {}
    for each in record_store.of_subjects(
        snap.connection, snap.tenant_id, subjects.group(snap, subject_ref), data_class
    ):
        if each.system != system or len(records) == _MOST:
            continue
        said = service.verdict(
            snap,
            subject_ref,
            data_class,
            system=system,
            record=each.record_id,
            occasion=REQUEST,
            standing=standing,
        )
        if said.disposition != KEEP:
            records[each.record_id] = (None, "")
        elif said.free_from is not None:
            records[each.record_id] = (said.free_from, said.because)
    return records


def _terms(found: Explained) -> tuple[tuple[Term, ...], date | None]:
    """The duties that run from a record's own date, and the first day on which no other duty keeps it."""
    terms: list[Term] = []
    least: date | None = None
    month, day = found.circumstances.financial_year_end
    ends = {WHOLE_YEAR: "12-31", FINANCIAL_YEAR: f"{month:02}-{day:02}"}
    for rule, until in ((each.rule, each.until) for each in found.outcome.weighed):
        if rule.demand is not Demand.KEEP or not isinstance(until, date):
            continue
        if rule.clock == _CREATED and rule.period is not None:
            terms.append(Term(str(rule.period), ends.get(rule.rounding or "", rule.rounding)))
        elif least is None or until >= least:
            least = date.fromordinal(until.toordinal() + 1)
    return tuple(dict.fromkeys(terms)), least
