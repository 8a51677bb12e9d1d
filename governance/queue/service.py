"""Use cases of the queue: offer what is due, claim it, keep it, finish it.

Each works on a connection inside a transaction that the caller opens, so that the effect of a piece of work
and its completion can be one commit. A True that becomes False is a lease that was lost: roll back.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.clock import wire
from governance.queue import standing_store, store
from governance.queue.model import LEASE, Claim, Miss, Offered, Standing, slot_at, slots_after

CATCH_UP = 500
"""So many slots are queued at most by one offer, if each of them counts."""

KEEP_DULL = timedelta(hours=1)
KEEP_DONE = timedelta(days=7)
KEEP_FAILED = timedelta(days=30)


def is_due(connection: Connection, kind: str, every: timedelta, now: datetime) -> bool:
    """Whether the newest slot of the timetable was offered by nobody yet. Takes no lock."""
    latest = store.latest(connection, kind)
    return latest is None or latest < slot_at(now, every)


def offer(
    connection: Connection, kind: str, every: timedelta, now: datetime, *, each: bool = False
) -> Offered:
    """Queue what is due by the timetable: the whole multiples of `every` (whole seconds) since 1970.

    Any number of schedulers may offer the same: a slot is queued once. Slots that nobody offered in time are
    all stood for by the newest one; and a slot that comes while an earlier one of its kind waits for a worker
    is stood for by that. With `each` every slot is queued, `CATCH_UP` at a time: call until nothing is.
    """
    newest = slot_at(now, every)
    store.add_kind(connection, kind)
    latest = store.lock_latest(connection, kind)
    count = 1 if latest is None else slots_after(latest, newest, every)
    if count <= 0:
        return Offered()
    if each:
        first = newest - (count - 1) * every
        due = [first + number * every for number in range(min(count, CATCH_UP))]
        queued = store.add_slots(connection, kind, [(wire(at), at) for at in due])
        offered, newest = Offered(queued=queued), due[-1]
    elif store.stand_for(connection, kind, count, now):
        offered = Offered(missed=count - 1, overlapped=1)
    else:
        queued = store.add_slots(connection, kind, [(wire(newest), newest)], stands_for=count)
        offered = Offered(queued=queued, missed=count - 1)
    seconds = every // timedelta(seconds=1)
    store.set_offered(connection, kind, seconds, newest, offered.missed, offered.overlapped)
    return offered


def put(connection: Connection, kind: str, slot: str, due_at: datetime) -> bool:
    """Queue one piece of work under a name of its own; False, nothing written, if it was queued before.

    The name is an id or an instant, never personal data. It is remembered for `KEEP_DONE` after its end.
    """
    store.add_kind(connection, kind)
    return store.add_slots(connection, kind, [(slot, due_at)]) == 1


def claimable(connection: Connection, kinds: Collection[str], now: datetime) -> bool:
    """Whether `claim` would find something. Takes no lock: ask before opening a transaction that writes."""
    return bool(kinds) and store.claimable(connection, kinds, now)


def claim(
    connection: Connection,
    kind: str | Collection[str],
    now: datetime,
    lease: timedelta = LEASE,
    *,
    owner: str,
    slot: str | None = None,
) -> Claim | None:
    """Take what has been due longest of a kind or of some; None if nothing is free.

    Commit at once, then work: the claim holds for `lease` and is stretched by `renew`. `owner` is an id of
    whoever works; `slot` asks for this very one.
    """
    kinds = [kind] if isinstance(kind, str) else list(kind)
    return store.take(connection, kinds, owner, now, now + lease, slot=slot) if kinds else None


def renew(connection: Connection, claim: Claim, now: datetime, lease: timedelta = LEASE) -> bool:
    """Give a sign of life; False if the claim is no longer ours."""
    return store.renew(connection, claim, now + lease)


def holds(connection: Connection, claim: Claim) -> bool:
    """Whether the claim is ours still, and will be until this transaction ends.

    The fence of an effect: ask in the transaction that has the effect, and roll back on False.
    """
    return store.holds(connection, claim)


def complete(connection: Connection, claim: Claim, *, now: datetime, done: int = 0) -> bool:
    """Finish the slot, having done so many things; False, nothing written, if the claim is no longer ours.

    In the transaction of an effect it makes the effect happen once and no more, whoever is killed or paused
    wherever. Safe to repeat.
    """
    return store.finish(connection, claim, now, done) or store.is_finished(connection, claim)


def fail(
    connection: Connection, claim: Claim, next_at: datetime | None, *, now: datetime, problem: str = "failed"
) -> bool:
    """Note a failed attempt: try again at `next_at`, or give the slot up (None). False if it is not ours.

    `problem` is the kind of error, never its message.
    """
    return store.fail(connection, claim, now, next_at, problem)


def release(connection: Connection, claim: Claim, *, now: datetime) -> bool:
    """Give the slot back unfinished, for anyone to go on with at once. False if it is not ours."""
    return store.release(connection, claim, now)


def running(connection: Connection, now: datetime) -> dict[str, int]:
    """How many slots of each kind are under a lease; kinds without any are left out."""
    return store.running(connection, now)


def standings(
    connection: Connection,
    now: datetime,
    *,
    timetable: Mapping[str, int] | None = None,
    since: datetime | None = None,
) -> list[Standing]:
    """How every kind of work is getting on, by name; also what stands in `timetable` (seconds) and never was.

    What no scheduler ever offered is due since the first instant of the timetable after `since`, when there
    began to be something to do; None: there is nothing yet.
    """
    wanted = timetable or {}
    open_slots = {row.kind: row for row in standing_store.unfinished(connection, now)}
    totals = {row.kind: row for row in standing_store.totals(connection)}
    found = [
        _standing(connection, row, open_slots.get(row.kind), totals.get(row.kind), now)
        for row in standing_store.kinds(connection)
    ]
    known = {each.kind for each in found}
    found += [Standing.never(kind) for kind in wanted if kind not in known]
    waiting = [_since(each, wanted.get(each.kind), since, now) for each in found]
    return sorted(waiting, key=lambda each: each.kind)


def _since(found: Standing, every: int | None, since: datetime | None, now: datetime) -> Standing:
    """What no scheduler ever offered, with its first instant and how long that has been due."""
    if found.next_at is not None or every is None or since is None:
        return found
    first = slot_at(since, timedelta(seconds=every)) + timedelta(seconds=every)
    return replace(found, every_seconds=every, next_at=first, lag=max(found.lag, now - first))


def _standing(
    connection: Connection,
    kind: sa.Row[Any],
    slots: sa.Row[Any] | None,
    totals: sa.Row[Any] | None,
    now: datetime,
) -> Standing:
    next_at = None
    if kind.latest is not None and kind.every_seconds:
        next_at = kind.latest + timedelta(seconds=kind.every_seconds)
    last = None
    if totals is not None and totals.ended is not None:
        last = standing_store.ended(connection, kind.kind, totals.ended)
    waits = [at for at in (slots.oldest if slots else None, next_at) if at is not None]
    return Standing(
        kind=kind.kind,
        every_seconds=kind.every_seconds,
        next_at=next_at,
        last_started_at=last.started_at if last else None,
        last_ended_at=last.ended_at if last else None,
        last_done=last.done if last else None,
        last_problem=last.problem if last else None,
        runs=kind.runs + (totals.runs if totals else 0),
        failures=kind.failures + (totals.failures if totals else 0),
        given_up=kind.given_up + (totals.given_up if totals else 0),
        missed=kind.missed,
        overlapped=kind.overlapped,
        backlog=slots.due if slots else 0,
        running=slots.running if slots else 0,
        running_since=slots.since if slots else None,
        lag=max([timedelta(0), *(now - at for at in waits)]),
    )


def missed(connection: Connection, since: datetime, *, limit: int = 200) -> list[Miss]:
    """The runs due since an instant that stood for slots that were missed or overlapped, newest first.

    Runs are forgotten `KEEP_DONE` after their end; the counters of `standings` are kept.
    """
    return [
        Miss(row.kind, row.slot, row.due_at, row.started_at, row.stands_for)
        for row in standing_store.misses(connection, since, limit)
    ]


def sweep(connection: Connection, now: datetime) -> int:
    """Forget slots that were finished long ago; how many. What was done is not offered again by that."""
    return standing_store.prune(
        connection, dull=now - KEEP_DULL, done=now - KEEP_DONE, failed=now - KEEP_FAILED
    )
