"""Shadows: a draft decided beside what is in force on the checks that go on, differences counted.

A check knows nothing of a shadow. Every decision is kept with its facts before it is answered; a job reads
what was kept, some seconds behind, and decides it again. So a shadow can neither slow an answer nor change
it, whatever goes wrong in it, and it sees the checks of every process.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping

from governance.clock import wire
from governance.decisions import shadow_store
from governance.decisions.replay import ALLOWED, APART, DENIED, Comparison, Differences, kept_decisions
from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.policy import service as policies
from governance.policy import store as policy_store
from governance.policy.compiled import compile_policy
from governance.policy.drafting import StoredDraft
from governance.policy.model import CheckedPolicies
from governance.work import Snapshot, Work

RUNNING, ENDED, STOPPED, FAILED = "running", "ended", "stopped", "failed"
LONGEST = timedelta(days=30)
BEHIND = timedelta(seconds=5)
"""How far a shadow stays behind, so that decisions that are still being written are not passed over."""

MOST_AT_ONCE = 5_000
_MOST_RUNNING = 5
_SUMS = ("decided", *APART)


def start(work: Work, stored: StoredDraft, checked: CheckedPolicies, until: datetime) -> dict[str, Any]:
    """Let a draft be decided beside what is in force until an instant; its counts begin anew.

    `checked` is the whole policy that the draft would make. Raises InvalidError for an instant that is past
    or more than 30 days away, ConflictError `too-many-shadows` if five packs have one already.
    """
    if not work.now < until <= work.now + LONGEST:
        complaint = f"Give an instant later than now and at most {LONGEST.days} days away."
        raise InvalidError(complaint, fields={"until": [complaint]})
    others = [
        row for row in shadow_store.running(work.connection, work.tenant_id) if row["pack"] != stored.pack
    ]
    if len(others) >= _MOST_RUNNING:
        raise ConflictError(
            f"{_MOST_RUNNING} drafts are decided beside already; stop one of them first.",
            reason="too-many-shadows",
        )
    compiled = compile_policy(checked)
    policy_store.keep_document(work.connection, compiled.digest, checked.canonical)
    event = work.record(
        "policy.shadow_started",
        facts={"pack": stored.pack, "draft": stored.digest, "digest": compiled.digest, "until": wire(until)},
    )
    values = {
        "draft": stored.digest,
        "digest": compiled.digest,
        "state": RUNNING,
        "started_by": work.actor.ref,
        "started_at": work.now,
        "until": until,
        "cursor": "",
        "counts": {},
        "event_id": event.id,
    }
    shadow_store.put(work.connection, work.tenant_id, stored.pack, values)
    return get(work, stored.pack)


def stop(work: Work, pack: str) -> dict[str, Any]:
    """Stop a shadow; what it counted stays to be read. Raises NotFoundError, ConflictError `not-running`."""
    row = _row(work, pack)
    if row["state"] != RUNNING:
        raise ConflictError("This shadow does not run any more.", reason="not-running")
    work.record("policy.shadow_stopped", facts={"pack": pack, "digest": row["digest"]})
    _update(work, row, {"state": STOPPED, "stopped_at": work.now})
    return get(work, pack)


def get(snap: Snapshot, pack: str) -> dict[str, Any]:
    """What the newest shadow of a pack has counted; raises NotFoundError if there never was one."""
    row = _row(snap, pack)
    counts: dict[str, Any] = row["counts"]
    found = Differences(
        Counter(counts.get("counts", {})), _read(counts.get("rules", [])), _read(counts.get("countries", []))
    )
    return {
        "pack": pack,
        "draft": row["draft"],
        "digest": row["digest"],
        "state": row["state"],
        "started_by": row["started_by"],
        "started_at": wire(row["started_at"]),
        "until": wire(row["until"]),
        "counted_until": None if row["counted_until"] is None else wire(row["counted_until"]),
        "because": row["because"],
        **{name: counts.get(name, 0) for name in _SUMS},
        **found.document(),
        "samples": counts.get("samples", {DENIED: [], ALLOWED: []}),
    }


def advance(snap: Snapshot, row: RowMapping) -> dict[str, Any] | None:
    """Take the next decisions of a running shadow; gives the columns to write, None if there are none.

    At most `MOST_AT_ONCE`; `more` says that others wait. Reads only.
    """
    horizon = min(row["until"], snap.now - BEHIND)
    if row["counted_until"] is not None and horizon <= row["counted_until"]:
        return None
    compared = Comparison(snap, policies.by_digest(snap.connection, row["digest"]))
    _continue(compared, row["counts"])
    cursor, read = row["cursor"], 0
    for kept in kept_decisions(
        snap, since=row["started_at"], after=cursor, before=horizon, limit=MOST_AT_ONCE
    ):
        compared.take(kept)
        cursor, read = kept.id, read + 1
    values: dict[str, Any] = {"cursor": cursor, "counts": _written(compared)}
    if read < MOST_AT_ONCE:
        values["counted_until"] = horizon
        if horizon >= row["until"]:
            values |= {"state": ENDED, "stopped_at": row["until"]}
    return values


def note(work: Work, row: RowMapping, values: dict[str, Any]) -> None:
    """Write down how far a shadow has come; no event but at its end: it says nothing about a person."""
    if values.get("state") in (ENDED, FAILED):
        facts = {"pack": row["pack"], "digest": row["digest"], "state": str(values["state"])}
        work.record("policy.shadow_ended", facts=dict(facts))
        _update(work, row, values)
    else:
        with work.bookkeeping():
            _update(work, row, values)


def _update(work: Work, row: RowMapping, values: dict[str, Any]) -> None:
    shadow_store.update(work.connection, work.tenant_id, row["pack"], row["event_id"], values)


def _row(snap: Snapshot, pack: str) -> RowMapping:
    row = shadow_store.find(snap.connection, snap.tenant_id, pack)
    if row is None:
        raise NotFoundError("No draft of this pack was ever decided beside what is in force.")
    return row


def _continue(compared: Comparison, counts: dict[str, Any]) -> None:
    """Let a comparison go on from what was counted before."""
    for name in _SUMS:
        setattr(compared, name, counts.get(name, 0))
    compared.found = Differences(
        Counter(counts.get("counts", {})),
        _read(counts.get("rules", [])),
        _read(counts.get("countries", [])),
        counts.get("samples", {DENIED: [], ALLOWED: []}),
    )


def _written(compared: Comparison) -> dict[str, Any]:
    """What was counted, as it is kept: as many numbers as there are rules and countries, and 40 samples."""
    return {
        **{name: getattr(compared, name) for name in _SUMS},
        "counts": dict(compared.found.counts),
        "rules": [[*key, count] for key, count in sorted(compared.found.rules.items())],
        "countries": [[*key, count] for key, count in sorted(compared.found.countries.items())],
        "samples": compared.found.samples,
    }


def _read(rows: list[list[Any]]) -> Counter[tuple[str, str]]:
    return Counter({(kind, name): count for kind, name, count in rows})
