"""Sends events to webhooks: at least once, under an id that never changes, in the order of the ledger.

A batch is: take the lease; read what is due in one snapshot; send, with no transaction open; write down what
happened and how far the webhook is, if the lease is still ours. Killed anywhere in between, the batch is sent
again under the same ids. An event that fails is tried again later and does not hold up those behind it.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from governance.clock import Clock
from governance.egress import signatures
from governance.egress.addresses import Target, read_target
from governance.egress.client import Egress
from governance.egress.model import Attempt
from governance.errors import InvalidError
from governance.events import Actor, Fact
from governance.ids import random_bytes
from governance.ledger import service as ledger
from governance.ledger.model import Entry
from governance.outbox import abroad, leases, service, store
from governance.outbox.leases import Lease
from governance.outbox.model import (
    ACTIVE,
    DEAD,
    DELIVERED,
    MEDIA_TYPE,
    PENDING,
    UNDELIVERED,
    Delivery,
    next_try,
    pause,
)
from governance.settings import Settings
from governance.work import Snapshot, Work, Workplace

WORKER = Actor("job:deliver-webhooks", "job")
BATCH = 50
SCAN = 500
SENDERS = 4
MOST_BATCHES = 20
IN_A_ROW = 5
"""So many failures in a row, and the receiver is left alone for a while."""

KEEP_DELIVERED = timedelta(days=7)
KEEP_DEAD = timedelta(days=90)

_BUDGET = 40.0
"""Seconds of sending after which a batch ends: well before its lease does."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One event to be sent: its entry and body, and what was tried before, if anything."""

    entry: Entry
    body: bytes
    tried: Delivery | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What is due for one webhook. `scanned`: the last position looked at; `target` None: not allowed."""

    target: Target | None
    secrets: Sequence[bytes]
    parcels: Sequence[Parcel]
    scanned: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What was tried of a batch, and the failures in a row at its end."""

    done: Sequence[tuple[Parcel, Attempt]]
    in_a_row: int


def run_due(opener: Workplace, egress: Egress) -> int:
    """Send what is due to all webhooks of all tenants; returns how many events were acknowledged.

    Safe in several threads and processes at once. Slow receivers hold up nobody but themselves, until all
    senders of this call are busy with one.
    """
    due: list[tuple[str, str]] = []
    for tenant_id in opener.tenant_ids(active=True):
        with opener.snapshot(tenant_id, WORKER) as snap:
            size, _ = ledger.head(snap.connection, tenant_id)
            found = leases.waiting(snap.connection, tenant_id, size, snap.now)
        due += [(tenant_id, webhook_id) for webhook_id in found]
    if not due:
        return 0
    with ThreadPoolExecutor(min(SENDERS, len(due)), thread_name_prefix="webhooks") as pool:
        return sum(pool.map(lambda each: serve(opener, egress, *each), due))


def serve(opener: Workplace, egress: Egress, tenant_id: str, webhook_id: str) -> int:
    """Send to one webhook until nothing is due or its turn is over; returns how many were acknowledged."""
    count = 0
    for _ in range(MOST_BATCHES):
        opener.heed()
        acknowledged = deliver_batch(opener, egress, tenant_id, webhook_id)
        if acknowledged is None:
            break
        count += acknowledged
    return count


def deliver_batch(opener: Workplace, egress: Egress, tenant_id: str, webhook_id: str) -> int | None:
    """Send one batch; returns how many were acknowledged, None if there is nothing to do (for us)."""
    with opener.work(tenant_id, WORKER) as work, work.bookkeeping():
        owner = work.new_id("wrk")
        held = leases.claim(work.connection, tenant_id, webhook_id, owner, work.now)
    if held is None:
        return None
    with opener.snapshot(tenant_id, WORKER) as snap:
        batch = _read(snap, held)
    if batch is None:
        _give_back(opener, tenant_id, held)
        return None
    sent = _send(batch, egress, opener.clock)
    with opener.work(tenant_id, WORKER) as work:
        if not _settle(work, held, batch, sent):
            return None
    return sum(attempt.delivered for _, attempt in sent.done)


def forget_old(opener: Workplace) -> int:
    """Forget deliveries that are long past (a week; 90 days if given up); returns how many."""
    count = 0
    for tenant_id in opener.tenant_ids():
        with opener.work(tenant_id, WORKER) as work, work.bookkeeping():
            count += store.prune(
                work.connection, tenant_id, delivered=work.now - KEEP_DELIVERED, dead=work.now - KEEP_DEAD
            )
    return count


def _read(snap: Snapshot, held: Lease) -> Batch | None:
    """Read what is due: first what is to be tried again, then what is new; None if there is nothing."""
    connection, tenant_id = snap.connection, snap.tenant_id
    found = store.find(connection, tenant_id, held.webhook_id)
    if found is None or found.state != ACTIVE:
        return None
    # Abroad more is looked through: what has to wait must not stand before an opt-out.
    most = BATCH if found.country is None else SCAN
    again = store.due(connection, tenant_id, held.webhook_id, snap.now, most)
    before = {each.position: each for each in again}
    may_go = abroad.may_go(snap, found)
    # What may not go abroad just now waits with its next try; what is new and may not go is left to the feed.
    waiting = (ledger.entry(connection, tenant_id, each.event_id) for each in again)
    entries = [entry for entry in waiting if may_go(entry)][:BATCH]
    scanned = held.position
    for entry in ledger.entries(connection, tenant_id, after=held.position, limit=SCAN):
        if found.wants(entry.kind) and may_go(entry):
            if len(entries) >= BATCH:
                break
            entries.append(entry)
        scanned = entry.position
    if not entries and scanned == held.position:
        return None
    try:
        target = read_target(found.url, snap.resource(Settings).webhook_allow)
    except InvalidError:  # the operator took back what was allowed
        target = None
    parcels = [
        Parcel(entry, service.body(event), before.get(entry.position))
        for entry, event in zip(entries, service.events(snap, entries), strict=True)
    ]
    return Batch(target, service.signing_secrets(snap, found), parcels, scanned)


def _send(batch: Batch, egress: Egress, clock: Clock) -> Sent:
    """Send parcel after parcel, until the receiver is gone, wants a rest, or fails again and again."""
    done: list[tuple[Parcel, Attempt]] = []
    if batch.target is None:
        return Sent([(each, Attempt(clock(), problem="address-refused")) for each in batch.parcels], IN_A_ROW)
    in_a_row, began = 0, time.monotonic()
    with egress.client(batch.target) as client:
        for parcel in batch.parcels:
            if time.monotonic() - began > _BUDGET:
                break
            headers = signatures.sign(batch.secrets, parcel.entry.event_id, clock(), parcel.body)
            attempt = client.post(parcel.body, {"Content-Type": MEDIA_TYPE, **headers})
            done.append((parcel, attempt))
            in_a_row = 0 if attempt.delivered else in_a_row + 1
            if attempt.gone or attempt.overloaded or in_a_row >= IN_A_ROW:
                break
    return Sent(done, in_a_row)


def _settle(work: Work, held: Lease, batch: Batch, sent: Sent) -> bool:
    """Write down what happened; False, and nothing written, if the lease was lost meanwhile."""
    connection, tenant_id = work.connection, work.tenant_id
    answered = any(attempt.delivered for _, attempt in sent.done)
    failures, resumes_at = _rest(work.now, held, sent, answered)
    with work.bookkeeping():
        if not leases.finish(
            connection,
            tenant_id,
            held,
            position=_reached(batch, sent),
            failures=failures,
            resumes_at=resumes_at,
        ):
            return False
        fates = [_fate(parcel, attempt) for parcel, attempt in sent.done]
        for fate in fates:
            store.put_delivery(connection, tenant_id, held.webhook_id, fate)
        if answered and held.failures and resumes_at is None:
            store.hurry(connection, tenant_id, held.webhook_id, work.now)
    dead = [fate.position for fate in fates if fate.state == DEAD]
    if dead:
        facts: dict[str, Fact] = {
            "webhook": held.webhook_id,
            "count": len(dead),
            "first_position": min(dead),
            "last_position": max(dead),
        }
        work.record(UNDELIVERED, facts=facts)
    if any(attempt.gone for _, attempt in sent.done):
        service.disable_gone(work, held.webhook_id)
    return True


def _reached(batch: Batch, sent: Sent) -> int:
    """Up to which position nothing is left that was never tried."""
    untried = batch.parcels[len(sent.done) :]
    new = [parcel.entry.position for parcel in untried if parcel.tried is None]
    return min(new) - 1 if new else batch.scanned


def _rest(now: datetime, held: Lease, sent: Sent, answered: bool) -> tuple[int, datetime | None]:
    """How often the receiver failed in a row of batches by now, and until when it is left alone."""
    last = sent.done[-1][1] if sent.done else None
    asked = last.retry_after if last is not None and last.overloaded else None
    if sent.in_a_row < IN_A_ROW:
        return 0 if answered else held.failures, asked
    failures = 1 if answered else held.failures + 1
    rest = now + pause(failures, _share())
    return failures, rest if asked is None else max(rest, asked)


def _fate(parcel: Parcel, attempt: Attempt) -> Delivery:
    """What became of an event by this attempt."""
    entry, tried = parcel.entry, parcel.tried
    fate = tried or Delivery(
        position=entry.position,
        event_id=entry.event_id,
        kind=entry.kind,
        recorded_at=entry.at,
        state=PENDING,
        attempts=0,
        first_tried_at=attempt.at,
        last_tried_at=attempt.at,
        next_at=None,
        problem=None,
        lag=None,
    )
    fate = replace(fate, attempts=fate.attempts + 1, last_tried_at=attempt.at, problem=attempt.code)
    if attempt.delivered:
        lag = max(attempt.at - entry.at, timedelta(0))
        return replace(fate, state=DELIVERED, next_at=None, lag=lag)
    due = next_try(fate.first_tried_at, fate.attempts, attempt, _share())
    return replace(fate, state=DEAD if due is None else PENDING, next_at=due)


def _give_back(opener: Workplace, tenant_id: str, held: Lease) -> None:
    with opener.work(tenant_id, WORKER) as work, work.bookkeeping():
        leases.finish(
            work.connection,
            tenant_id,
            held,
            position=held.position,
            failures=held.failures,
            resumes_at=None,
        )


def _share() -> float:
    """A random number from 0 to 1: spreads retries."""
    return int.from_bytes(random_bytes(4)) / 0xFFFFFFFF
