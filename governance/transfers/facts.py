"""The facts of the transfers gate: the person whose data are to go, the register, who lives where.

The register is small and read as a whole, anew in every snapshot: nothing remembers an allowed transfer.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.consent import store as consents
from governance.consent.model import Cell
from governance.consent.model import Question as Asked
from governance.consent.resolving import resolve
from governance.consent.tables import consent_state
from governance.purposes import catalogue
from governance.purposes import service as purposes
from governance.settings import Settings
from governance.subjects.store import subject
from governance.transfers import store
from governance.transfers.model import EVERYBODY, GONE, PLACELESS, Person, Register
from governance.work import Snapshot

_STANDING = (
    subject.c.country,
    subject.c.region,
    subject.c.restricted,
    subject.c.erasure_pending,
    subject.c.erased,
)
"""What `Person` takes after its reference, in its order."""

_LOOKUP = 500
_NOES, _OBJECTIONS = ("withdrawn", "refused"), ("marketing", "purpose")

YEAR = timedelta(days=366)
"""The longest that laws reckon back: twelve months (28 CFR 202.205); since 1 January is never longer."""


def register(snap: Snapshot, tenant_country: str | None) -> Register:
    """Mechanisms, flows and counted people as this transaction sees them.

    A number that was never counted is counted now: a law that goes by it must not be passed over.
    """
    connection, tenant_id = snap.connection, snap.tenant_id
    instruments = catalogue.transfer_instruments(snap.resource(Settings).policies_dir)
    mechanisms = store.mechanisms(connection, tenant_id)
    flows = tuple(store.flows(connection, tenant_id))
    return Register(
        mechanisms={each.mechanism_id: each for each in mechanisms},
        flows=flows,
        people=store.people(connection, tenant_id),
        tenant_country=tenant_country,
        consents=frozenset(name for name, of in instruments.items() if of.get("consent") is True),
    )


def agreed(snap: Snapshot, subject_ref: str, wanted: Iterable[str], now: datetime) -> frozenset[str]:
    """The purposes, of those that are wanted, to which a consent of the person stands at `now`.

    A no or an objection counts wherever it was said, a yes only as it was given: proven, confirmed, not run
    out, later than every no that it lifts (`consent.resolving.resolve`).
    """
    cells = tuple(consents.cells_of(snap.connection, snap.tenant_id, subject_ref).values())
    return frozenset(each for each in wanted if cells and _agreed(snap, cells, each, now))


def _agreed(snap: Snapshot, cells: Sequence[Cell], purpose_id: str, now: datetime) -> bool:
    purpose = purposes.find(snap, purpose_id)
    controller = "" if purpose is None else purpose.controller or ""
    asked = dict.fromkeys(
        Asked(purpose_id, controller, cell.channel, cell.topic, cell.point_ref or None)
        for cell in cells
        if cell.purpose in ("", purpose_id)
    )
    found = [resolve(cells, each, (), now) for each in (Asked(purpose_id, controller), *asked)]
    if any(each.status in _NOES or each.objection in _OBJECTIONS for each in found):
        return False
    return any(each.status == "granted" for each in found)


def person(connection: Connection, tenant_id: str, subject_ref: str | None) -> Person:
    """What is so about a person now; of nobody (None, or a reference that leads nowhere) nothing is known."""
    if subject_ref is None:
        return Person(False)
    row = connection.execute(
        sa.select(*_STANDING).where(subject.c.tenant_id == tenant_id, subject.c.subject_ref == subject_ref)
    ).one_or_none()
    return Person(False) if row is None else Person(True, subject_ref, *row)


def people(connection: Connection, tenant_id: str, subject_refs: Iterable[str]) -> dict[Person, int]:
    """The sorts of people among these, with how many of each; references that lead nowhere are a sort too."""
    found, unknown = _sorts(connection, tenant_id, subject.c.subject_ref, subject_refs)
    if unknown:
        found[Person(False)] += unknown
    return dict(found)


def people_by_id(connection: Connection, tenant_id: str, external_ids: Iterable[str]) -> dict[Person, int]:
    """The same by the CRM's ids; ids that nobody has here are left out."""
    found, _ = _sorts(connection, tenant_id, subject.c.external_id, external_ids)
    return dict(found)


def _sorts(
    connection: Connection, tenant_id: str, column: sa.ColumnElement[str], values: Iterable[str]
) -> tuple[Counter[Person], int]:
    """Sorts of people with their numbers, and how many values nobody has; read a chunk at a time."""
    found: Counter[Person] = Counter()
    unknown, rest = 0, iter(values)
    while some := set(islice(rest, _LOOKUP)):
        rows = connection.execute(
            sa.select(*_STANDING, sa.func.count())
            .where(subject.c.tenant_id == tenant_id, column.in_(sorted(some)))
            .group_by(*_STANDING)
        ).all()
        for row in rows:
            found[Person(True, None, *row[:-1])] += int(row[-1])
        unknown += len(some) - sum(int(row[-1]) for row in rows)
    return found, unknown


def everybody(connection: Connection, tenant_id: str) -> dict[Person, int]:
    """Everybody by where they live, in good standing, and somebody of whom that is not known in any case."""
    found: Counter[Person] = Counter({Person.living_in(None): 0})
    for country, region, number in residency(connection, tenant_id):
        found[Person(True, country=country, region=region)] += number
    return dict(found)


def consenting(snap: Snapshot, wanted: Iterable[str], among: Sequence[str] | None = None) -> list[str]:
    """References of people (`among` some) with a yes to these purposes, standing or not."""
    which = _with_a_yes(snap, wanted)
    if among is not None:
        which = which.where(consent_state.c.subject_ref.in_(among))
    return list(snap.connection.scalars(which.order_by(consent_state.c.subject_ref)))


def sorts(snap: Snapshot, wanted: Collection[str]) -> dict[Person, int]:
    """Everybody by where they live and their standing, without those who said yes to what is wanted."""
    query = sa.select(*_STANDING, sa.func.count()).where(
        subject.c.tenant_id == snap.tenant_id, subject.c.merged_into.is_(None)
    )
    if wanted:
        query = query.where(subject.c.subject_ref.not_in(_with_a_yes(snap, wanted)))
    rows = snap.connection.execute(query.group_by(*_STANDING))
    return {Person(True, None, *row[:-1]): int(row[-1]) for row in rows}


def alike(
    snap: Snapshot, like: Sequence[Person], wanted: Collection[str], after: str, limit: int
) -> list[tuple[Person, str]]:
    """People with their ids by reference: of these sorts, or with a yes to the purposes that are wanted."""
    countries = {each.country for each in like if each.country is not None}
    which: list[sa.ColumnElement[bool]] = [sa.false()]
    if countries:
        which.append(subject.c.country.in_(sorted(countries)))
    if any(each.country is None for each in like):
        which.append(subject.c.country.is_(None))
    if wanted:
        which.append(subject.c.subject_ref.in_(_with_a_yes(snap, wanted)))
    query = sa.select(subject.c.external_id, subject.c.subject_ref, *_STANDING).where(
        subject.c.tenant_id == snap.tenant_id,
        subject.c.merged_into.is_(None),
        subject.c.subject_ref > after,
        sa.or_(*which),
    )
    rows = snap.connection.execute(query.order_by(subject.c.subject_ref).limit(limit))
    return [(Person(True, row[1], *row[2:]), row[0]) for row in rows]


def _with_a_yes(snap: Snapshot, wanted: Iterable[str]) -> sa.Select[tuple[str]]:
    return (
        sa.select(consent_state.c.subject_ref)
        .where(
            consent_state.c.tenant_id == snap.tenant_id,
            consent_state.c.purpose.in_(sorted(wanted)),
            consent_state.c.pos_status == "granted",
        )
        .distinct()
    )


def count_people(connection: Connection, tenant_id: str, whose: str, now: datetime) -> int:
    """How many people live in a country, as far as they are recorded and neither erased nor merged away.

    `whose` may be one of ALL_OF instead of a country.
    """
    which: list[sa.ColumnElement[bool]] = list(_living(tenant_id))
    if whose == PLACELESS:
        which.append(subject.c.country.is_(None))
    elif whose == GONE:
        # What is left of an erased person is not written to any more, so this is when they were erased.
        which = [
            subject.c.tenant_id == tenant_id,
            subject.c.erased.is_(sa.true()),
            subject.c.updated_at > now - YEAR,
        ]
    elif whose != EVERYBODY:
        which.append(subject.c.country == whose)
    return int(connection.execute(sa.select(sa.func.count()).where(*which)).scalar_one())


def residency(
    connection: Connection, tenant_id: str, countries: Iterable[str] | None = None
) -> list[tuple[str | None, str | None, int]]:
    """How many people live in each country and region (None: not recorded), the most first."""
    counted = sa.func.count().label("people")
    query = sa.select(subject.c.country, subject.c.region, counted).where(*_living(tenant_id))
    if countries is not None:
        query = query.where(subject.c.country.in_(list(countries)))
    query = query.group_by(subject.c.country, subject.c.region).order_by(
        counted.desc(), subject.c.country, subject.c.region
    )
    return [(row[0], row[1], int(row[2])) for row in connection.execute(query)]


def _living(tenant_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        subject.c.tenant_id == tenant_id,
        subject.c.erased.is_(sa.false()),
        subject.c.merged_into.is_(None),
    )
