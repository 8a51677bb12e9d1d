"""The composition root: settings become a runtime, and the runtime opens units of work."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection, Engine

from governance.clock import Clock, system_clock
from governance.database import Writes, enter_tenant, for_reading
from governance.errors import NotFoundError
from governance.events import Actor
from governance.ids import IdMaker, system_ids
from governance.ledger import service as ledger
from governance.settings import Settings
from governance.tenants import store as tenants
from governance.tenants.model import Tenant
from governance.vault.service import Vault
from governance.work import Snapshot, Work


@dataclass(slots=True)
class Runtime:
    """What one process needs to serve: engines, keys, clock. Made by `assemble`."""

    settings: Settings
    engine: Engine
    vault: Vault
    clock: Clock = system_clock
    ids: IdMaker = system_ids
    resources: dict[type, object] = field(default_factory=dict)

    @contextmanager
    def work(self, tenant_id: str, actor: Actor) -> Iterator[Work]:
        """Open a unit of work; commit it on leaving, roll all of it back on an error."""
        with self.engine.connect() as plain:
            writes = Writes()
            connection = plain.execution_options(governance_writes=writes)
            with connection.begin():
                tenant = self._tenant(connection, tenant_id)
                enter_tenant(connection, tenant_id)
                work = Work(
                    connection,
                    tenant_id,
                    tenant.ref,
                    self.clock(),
                    actor,
                    self.ids,
                    self.resources,
                    sealer=ledger.append,
                    writes=writes,
                )
                yield work
                work.seal()

    @contextmanager
    def snapshot(self, tenant_id: str, actor: Actor) -> Iterator[Snapshot]:
        """Open one consistent view that began after this call; nothing can be written through it."""
        with self.engine.connect() as plain:
            connection = for_reading(plain)
            with connection.begin():
                tenant = self._tenant(connection, tenant_id)
                enter_tenant(connection, tenant_id)
                yield Snapshot(
                    connection, tenant_id, tenant.ref, self.clock(), actor, self.ids, self.resources
                )

    def _tenant(self, connection: Connection, tenant_id: str) -> Tenant:
        found = tenants.find(connection, tenant_id)
        if found is None:
            raise NotFoundError("This tenant does not exist; create it with `governance init`.")
        return found

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()
        self.vault.close()
