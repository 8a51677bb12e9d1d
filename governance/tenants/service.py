"""Use cases of the tenants."""

from collections.abc import Iterable
from dataclasses import replace

from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.tenants import store
from governance.tenants.model import ASKERS, Tenant, check_sectors, check_tenant_id
from governance.work import Snapshot, Work


def create(
    work: Work,
    *,
    name: str,
    country: str | None = None,
    postal_address: str | None = None,
    sectors: Iterable[str] = (),
) -> Tenant:
    """Create the tenant whose unit of work this is.

    Raises ConflictError if it exists, InvalidError if its id may not name a tenant or a sector is unknown.
    """
    declared = check_sectors(sectors)
    check_tenant_id(work.tenant_id)
    if store.find(work.connection, work.tenant_id) is not None:
        raise ConflictError(f"The tenant {work.tenant_id!r} exists already.", reason="tenant-exists")
    new = Tenant(work.tenant_id, work.tenant_ref, name, country, postal_address, work.now, declared)
    store.add(work.connection, new)
    work.record("tenant.created", facts={"country": country, "sectors": list(declared)})
    return new


def get(snap: Snapshot) -> Tenant:
    """The tenant of this view."""
    found = store.find(snap.connection, snap.tenant_id)
    if found is None:
        raise NotFoundError("This tenant does not exist; `governance tenant create` founds one.")
    return found


def declare_sectors(work: Work, sectors: Iterable[str]) -> Tenant:
    """Declare the sectors that the tenant works in, in place of those before; the next check knows them.

    Raises InvalidError for a sector that nobody has written rules for.
    """
    declared = check_sectors(sectors)
    before = get(work)
    store.set_sectors(work.connection, work.tenant_id, declared)
    work.record("tenant.sectors_declared", facts={"sectors": list(declared), "before": list(before.sectors)})
    return replace(before, sectors=declared)


def declare_askers(work: Work, askers: str) -> Tenant:
    """Declare on whose behalf may be asked (one of ASKERS); the next check knows it. Raises InvalidError."""
    if askers not in ASKERS:
        sentence = f"Give one of {', '.join(ASKERS)}."
        raise InvalidError(sentence, fields={"askers": [sentence]})
    before = get(work)
    store.set_askers(work.connection, work.tenant_id, askers)
    work.record("tenant.askers_declared", facts={"askers": askers, "before": before.askers})
    return replace(before, askers=askers)
