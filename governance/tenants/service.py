"""Use cases of the tenants."""

from governance.errors import ConflictError
from governance.tenants import store
from governance.tenants.model import Tenant, check_tenant_id
from governance.work import Work


def create(work: Work, *, name: str, country: str | None = None, postal_address: str | None = None) -> Tenant:
    """Create the tenant whose unit of work this is.

    Raises ConflictError if it exists, InvalidError if its id may not name a tenant.
    """
    check_tenant_id(work.tenant_id)
    if store.find(work.connection, work.tenant_id) is not None:
        raise ConflictError(f"The tenant {work.tenant_id!r} exists already.", reason="tenant-exists")
    new = Tenant(work.tenant_id, work.tenant_ref, name, country, postal_address, work.now)
    store.add(work.connection, new)
    work.record("tenant.created", facts={"country": country})
    return new
