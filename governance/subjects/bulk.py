"""Creating and updating hundreds of data subjects in one transaction, for imports."""

from collections.abc import Sequence

from governance.errors import GovernanceError
from governance.subjects import point_store, store
from governance.subjects.model import NewSubject, PutOutcome, check_external_id
from governance.subjects.puts import Arrival, blocked, create, prepare, put, tombstones_of, update_known
from governance.subjects.tombstones import being_erased
from governance.work import Work


def put_many(work: Work, rows: Sequence[NewSubject]) -> list[PutOutcome]:
    """Put some hundred people in one transaction, an outcome per row in the same order; meant for imports.

    A row that cannot be taken gets an outcome with its `refusal` and stops no other. The database is asked
    once for all ids that are known; who is new is inserted in bulk. An id that comes twice is put in order.
    """
    outcomes: dict[int, PutOutcome] = {}
    known = store.find_many(work.connection, work.tenant_id, {row.external_id for row in rows})
    plain = {each.external_id: each for each in known.values() if not (each.erased or each.merged_into)}
    points = point_store.of_many(
        work.connection, work.tenant_id, [each.subject_ref for each in plain.values()]
    )
    arrivals: dict[int, Arrival] = {}
    seen: set[str] = set()
    later: list[int] = []
    for number, row in enumerate(rows):
        if row.external_id in seen or (row.external_id in known and row.external_id not in plain):
            later.append(number)
            continue
        seen.add(row.external_id)
        try:
            check_external_id(row.external_id)
            checked = row.change.checked(work.now)
            if (current := plain.get(row.external_id)) is None:
                arrivals[number] = prepare(work, row.external_id, checked)
            else:
                outcomes[number] = update_known(work, current, points.get(current.subject_ref, []), checked)
        except GovernanceError as error:
            outcomes[number] = PutOutcome("", created=False, changed=False, refusal=error)
    outcomes |= _create_many(work, arrivals)
    for number in sorted({*later, *(set(range(len(rows))) - outcomes.keys())}):
        outcomes[number] = _put_or_refuse(work, rows[number])
    return [outcomes[number] for number in range(len(rows))]


def _create_many(work: Work, arrivals: dict[int, Arrival]) -> dict[int, PutOutcome]:
    """Create whom no tombstone bars, and who has no address of somebody being erased.

    If another transaction came first, nobody gets an outcome here.
    """
    barred = tombstones_of(work, list(arrivals.values()))
    values = [value.blind_index for each in arrivals.values() for value in each.values]
    frozen = point_store.frozen(work.connection, work.tenant_id, values, lock=True)
    shut = {
        number
        for number, each in arrivals.items()
        if each.external_id not in barred and any(value.blind_index in frozen for value in each.values)
    }
    welcome = {
        number: each
        for number, each in arrivals.items()
        if number not in shut and each.external_id not in barred
    }
    outcomes = {
        number: blocked(work, *barred[each.external_id])
        for number, each in arrivals.items()
        if each.external_id in barred
    }
    refused = PutOutcome("", created=False, changed=False, refusal=being_erased())
    outcomes |= dict.fromkeys(shut, refused)
    if welcome and create(work, list(welcome.values())):
        outcomes |= {number: PutOutcome(each.subject_ref, created=True) for number, each in welcome.items()}
    return outcomes


def _put_or_refuse(work: Work, row: NewSubject) -> PutOutcome:
    try:
        return put(work, row.external_id, row.change)
    except GovernanceError as error:
        return PutOutcome("", created=False, changed=False, refusal=error)
