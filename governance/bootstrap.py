"""The composition root: settings become a runtime, and the runtime opens units of work."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from governance import migrations
from governance.access import service as access
from governance.access.parties import PARTIES
from governance.clock import Clock, system_clock
from governance.communications.abroad import Abroad
from governance.database import Writes, enter_tenant, for_reading, make_engine
from governance.decisions.service import DecisionLog
from governance.errors import ConflictError, NotFoundError, NotReadyError
from governance.events import Actor, Sealing
from governance.ids import IdMaker, system_ids
from governance.ledger import service as ledger
from governance.persons import Parties
from governance.policy import service as policies
from governance.purposes import service as purposes
from governance.settings import Settings
from governance.subjects.attesting import attest
from governance.systems.abroad import Onward
from governance.tenants import service as tenancy
from governance.tenants import store as tenants
from governance.tenants.model import ACTIVE, CLOSING, DELETED
from governance.transfers import handed as transfers
from governance.vault.keyring import keyring_engine
from governance.vault.service import Vault
from governance.work import Snapshot, Work

COMMAND_LINE = Actor("cli", "operator")


class HaltedError(Exception):
    """A job was told to stop between two batches: nothing is lost, another turn goes on with the rest."""


def _never() -> bool:
    return False


def _anyone(_connection: Connection) -> None:
    return None


@dataclass(slots=True)
class Runtime:
    """What one process needs to serve: engines, keys, clock. Made by `assemble`.

    A job gets one of its own: `halted` tells whether it is to stop, `fence` raises at the beginning of every
    unit of work that it opens once its lease is lost, so that whoever overslept changes nothing any more.
    """

    settings: Settings
    engine: Engine
    vault: Vault
    decision_log: DecisionLog
    clock: Clock = system_clock
    ids: IdMaker = system_ids
    halted: Callable[[], bool] = _never
    fence: Callable[[Connection], None] = _anyone
    resources: dict[type, object] = field(default_factory=dict)
    _refs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Say which long-lived things a unit of work may ask for."""
        self.resources = {
            Settings: self.settings,
            Vault: self.vault,
            DecisionLog: self.decision_log,
            Abroad: Abroad(transfers.sent_from),
            Onward: Onward(transfers.refusal_of_system),
            Parties: PARTIES,
        }

    @contextmanager
    def work(self, tenant_id: str, actor: Actor, *, closing: bool = False) -> Iterator[Work]:
        """Open a unit of work; commit it on leaving, roll all of it back on an error.

        Into a tenant that is being deleted only the deletion itself writes (`closing`).
        """
        with self.engine.connect() as plain:
            writes = Writes()
            connection = plain.execution_options(governance_writes=writes)
            with connection.begin():
                self.fence(connection)
                ref = self._ref(connection, tenant_id)
                with self._work(connection, writes, tenant_id, ref, actor) as work:
                    if not closing and tenants.state_of(connection, tenant_id) in (None, CLOSING):
                        raise NotFoundError("This tenant is being deleted, or is gone.")
                    yield work

    def heed(self) -> None:
        """Say that one batch is finished and the next not begun; raises HaltedError if the job is to stop.

        For jobs with many batches, so that a stop waits for one of them and not for all.
        """
        if self.halted():
            raise HaltedError

    @contextmanager
    def _work(
        self, connection: Connection, writes: Writes, tenant_id: str, ref: str, actor: Actor
    ) -> Iterator[Work]:
        enter_tenant(connection, tenant_id)
        work = Work(
            connection,
            tenant_id,
            ref,
            self.clock(),
            actor,
            self.ids,
            self.resources,
            sealer=_seal,
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
                ref = self._ref(connection, tenant_id)
                enter_tenant(connection, tenant_id)
                yield Snapshot(connection, tenant_id, ref, self.clock(), actor, self.ids, self.resources)

    def _ref(self, connection: Connection, tenant_id: str) -> str:
        # A tenant's ref never changes, so it may be remembered; nothing that decides may be.
        ref = self._refs.get(tenant_id)
        if ref is None:
            found = tenants.find(connection, tenant_id)
            if found is None:
                raise NotFoundError("This tenant does not exist; `governance tenant create` founds one.")
            ref = self._refs[tenant_id] = found.ref
        return ref

    def tenant_ids(self, *, active: bool = False) -> list[str]:
        """The ids of all tenants, for jobs that visit each; `active`: of those that are not suspended.

        Tenants whose deletion goes on are passed over.
        """
        with self.engine.connect() as plain, for_reading(plain).begin():
            return [
                tenant.tenant_id
                for tenant in tenants.every(plain)
                if tenant.state == ACTIVE or (not active and tenant.state != CLOSING)
            ]

    def forget(self, tenant_id: str) -> None:
        """Forget a tenant that was deleted."""
        self._refs.pop(tenant_id, None)

    def create_tenant(
        self,
        tenant_id: str,
        *,
        name: str,
        country: str | None,
        address: str | None,
        sectors: Sequence[str] = (),
    ) -> None:
        """Found a tenant: its row, the shipped catalogue, policies and roles, all in one transaction."""
        with self.engine.connect() as plain:
            writes = Writes()
            connection = plain.execution_options(governance_writes=writes)
            with connection.begin():
                ref = self.ids("tnt", self.clock())
                with self._work(connection, writes, tenant_id, ref, COMMAND_LINE) as work:
                    if any(each.state == DELETED for each in tenants.deletions(connection, tenant_id)):
                        raise ConflictError("A tenant of this id was deleted; use another.", reason="deleted")
                    tenancy.create(work, name=name, country=country, postal_address=address, sectors=sectors)
                    purposes.install_catalogue(work)
                    policies.adopt(work, documents=policies.shipped_documents(self.settings.policies_dir))
                    access.install_catalogue(work)

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()
        self.decision_log.close()
        self.vault.close()


def _seal(work: Work) -> list[Sealing]:
    """Let the ledger take what was recorded, and with it what the records that were touched have come to."""
    attest(work)
    return ledger.append(work)


def assemble(settings: Settings, *, clock: Clock = system_clock, ids: IdMaker = system_ids) -> Runtime:
    """Build the runtime of an installation that `initialise` has made.

    Raises NotReadyError with one sentence if the database, the keyring or the root key is missing or wrong.
    """
    vault = Vault.open(settings)
    engine = make_engine(settings.database_url)
    try:
        _check_schema(engine, settings)
        log = DecisionLog.open(settings)
    except BaseException:
        engine.dispose()
        vault.close()
        raise
    return Runtime(settings, engine, vault, log, clock, ids)


def _check_schema(engine: Engine, settings: Settings) -> None:
    path = engine.url.database
    if engine.dialect.name == "sqlite" and path and not os.path.exists(path):
        raise NotReadyError("There is no database yet; run `governance init` first.")
    try:
        with engine.connect() as connection:
            current = migrations.is_current(connection, migrations.MAIN)
    except SQLAlchemyError as problem:
        raise NotReadyError("The database cannot be reached; check GOVERNANCE_DATABASE_URL.") from problem
    if not current:
        raise NotReadyError(
            "The database has not the schema of this version; run `governance init` to bring it up to date."
        )


def initialise(settings: Settings) -> None:
    """Make or upgrade the stores: folder, root key, keyring, database, decision log. Safe to repeat.

    Never makes new keys for a database that has tenants (NotReadyError): nothing sealed could be read, and no
    suppression would be found again, so that people who opted out could be written to.
    """
    if Vault.is_new(settings) and _has_tenants(settings):
        raise NotReadyError(
            "The keyring of this database is missing; put it back from its backup or set "
            "GOVERNANCE_KEYRING_URL."
        )
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = os.umask(0o077)  # what is made here is for this user only
    try:
        for store, engine in (
            (migrations.KEYRING, keyring_engine(settings.keyring_url)),
            (migrations.MAIN, make_engine(settings.database_url)),
            (migrations.DECISION_LOG, make_engine(settings.decision_log_url)),
        ):
            _upgrade(store, engine)
        Vault.create(settings)
    finally:
        os.umask(before)


def _has_tenants(settings: Settings) -> bool:
    """Whether somebody uses this database already."""
    engine = make_engine(settings.database_url)
    path = engine.url.database
    if engine.dialect.name == "sqlite" and path and not os.path.exists(path):
        return False
    try:
        with engine.connect() as plain, for_reading(plain).begin():
            return sa.inspect(plain).has_table(tenants.tenant.name) and bool(tenants.every(plain))
    except SQLAlchemyError as problem:
        raise NotReadyError(
            "The main database cannot be reached; check GOVERNANCE_DATABASE_URL."
        ) from problem
    finally:
        engine.dispose()


def _upgrade(store: str, engine: Engine) -> None:
    try:
        migrations.upgrade(engine, store)
    except SQLAlchemyError as problem:
        what = store.replace("_", " ")
        raise NotReadyError(
            f"The {what} database cannot be reached; check its GOVERNANCE_…_URL."
        ) from problem
    finally:
        engine.dispose()
