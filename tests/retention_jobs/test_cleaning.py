"""What runs out by itself is forgotten, and keys get a new epoch every week."""

from datetime import timedelta

import sqlalchemy as sa

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.callers import service as callers
from governance.callers.store import revoked_token, used_assertion
from governance.idempotency import service as idempotency
from governance.idempotency.store import idempotency_key
from governance.queue import service as queue
from governance.queue.store import queue_slot
from governance.vault import keyring
from governance.vault.model import OPERATIONAL, Place
from retention_jobs import forget_expired, rotate_keys
from tests.conftest import HandClock

EMAIL = Place("contact_point", "value", "pnt_1")


def count(runtime: Runtime, table: sa.Table) -> int:
    with runtime.engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_what_has_run_out_is_forgotten_and_nothing_else(any_runtime: Runtime, clock: HandClock) -> None:
    runtime, hour = any_runtime, timedelta(hours=1)
    for number in range(2):  # one of each that will have run out, one that will not
        with runtime.work("acme", COMMAND_LINE) as work:
            made = callers.create_client(work, name="crm", scopes=["evaluate"]).component
            callers.revoke_token(
                work, client_id=made.client_id, jti=f"jti-{number}", expires_at=work.now + hour
            )
            assertion = (f"assertion-{number}", work.now + hour)
            callers.note_token(
                work, client_id=made.client_id, jti="x", scopes=["evaluate"], assertion=assertion
            )
            attempt = idempotency.attempt(work, caller="c", key=f"key-{number}", request=b"")
            idempotency.remember(work, attempt, 201, {})
            queue.put(work.connection, "step", f"ers_{number}", work.now)
        with runtime.engine.connect() as connection, connection.begin():
            claim = queue.claim(connection, "step", clock(), owner="wrk_1")
            assert claim is not None
            assert queue.complete(connection, claim, now=clock())
        if number == 0:
            clock.forward(queue.KEEP_DONE + hour)
    tables = (revoked_token, used_assertion, idempotency_key, queue_slot)
    assert [count(runtime, table) for table in tables] == [2, 2, 2, 2]
    assert forget_expired.run(runtime) == 4
    assert [count(runtime, table) for table in tables] == [1, 1, 1, 1]
    assert forget_expired.run(runtime) == 0


def test_keys_get_a_new_epoch_every_week_and_the_old_one_is_destroyed(
    any_runtime: Runtime, clock: HandClock
) -> None:
    runtime, vault = any_runtime, any_runtime.vault
    refs = [f"sub_{number}" for number in range(20)]
    vault.ensure_keys("acme", refs)
    sealed = {ref: vault.seal("acme", ref, OPERATIONAL, EMAIL, ref.encode()) for ref in refs}

    def epochs() -> list[int]:
        with keyring.reading(vault._engine) as connection:
            query = sa.select(keyring.epoch_key.c.epoch).order_by(keyring.epoch_key.c.epoch)
            return list(connection.scalars(query))

    (first,) = epochs()
    with keyring.reading(vault._engine) as connection:
        opened_at = connection.scalar(sa.select(keyring.epoch_key.c.opened_at))
    assert opened_at is not None
    clock.at = opened_at + timedelta(days=7, seconds=-1)
    assert rotate_keys.run(runtime) == 0
    assert epochs() == [first]
    clock.forward(timedelta(seconds=1))
    assert rotate_keys.run(runtime) >= 40
    assert epochs() == [first + 1]
    assert rotate_keys.run(runtime) == 0
    assert all(vault.reveal("acme", ref, OPERATIONAL, EMAIL, sealed[ref]) == ref.encode() for ref in refs)
