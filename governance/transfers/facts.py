"""The facts of the transfers gate: the person whose data are to go, the register, who lives where.

The register is small and read as a whole, anew in every snapshot: nothing remembers an allowed transfer.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.subjects.store import subject
from governance.transfers import store
from governance.transfers.model import Person, Register


def register(connection: Connection, tenant_id: str, tenant_country: str | None) -> Register:
    """Mechanisms, flows and counted people as this transaction sees them.

    A number that was never counted is counted now: a law that goes by it must not be passed over.
    """
    mechanisms = store.mechanisms(connection, tenant_id)
    flows = tuple(store.flows(connection, tenant_id))
    return Register(
        mechanisms={each.mechanism_id: each for each in mechanisms},
        flows=flows,
        people=store.people(connection, tenant_id),
        tenant_country=tenant_country,
    )


def person(connection: Connection, tenant_id: str, subject_ref: str | None) -> Person:
    """What is so about a person now; of nobody (None, or a reference that leads nowhere) nothing is known."""
    if subject_ref is None:
        return Person(False)
    row = connection.execute(
        sa.select(
            subject.c.country,
            subject.c.region,
            subject.c.restricted,
            subject.c.erasure_pending,
            subject.c.erased,
        ).where(subject.c.tenant_id == tenant_id, subject.c.subject_ref == subject_ref)
    ).one_or_none()
    return Person(False) if row is None else Person(True, subject_ref, *row)


def count_people(connection: Connection, tenant_id: str, country: str) -> int:
    """How many people live in a country, as far as they are recorded and neither erased nor merged away."""
    statement = sa.select(sa.func.count()).where(*_living(tenant_id), subject.c.country == country)
    return int(connection.execute(statement).scalar_one())


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
