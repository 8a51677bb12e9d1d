"""Tells controllers how their requests stand (8.5): signed, to every callback, until it is taken.

A batch is: note which requests stand differently than was told; read what is due; send, with no transaction
open; write down what happened. Killed anywhere in between, a status is told again, never left out.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol

from governance.egress.addresses import Target, read_target
from governance.egress.client import Egress
from governance.egress.model import Attempt
from governance.errors import InvalidError, NotReadyError
from governance.events import Actor, Fact
from governance.ids import random_bytes
from governance.opendsr import service, store
from governance.opendsr.model import Report
from governance.opendsr.signing import Signer, signer
from governance.outbox.model import next_try
from governance.settings import Settings
from governance.work import Snapshot, Workplace

WORKER = Actor("job:report-opendsr", "job")
BATCH = 50


class Opener(Workplace, Protocol):
    """What a worker needs of the runtime: how the installation is set up, too."""

    @property
    def settings(self) -> Settings:
        """How the installation is set up."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A report with its body and where it goes; `target` None: nobody may or can be called there any more."""

    report: Report
    target: Target | None
    body: bytes


Alone = Callable[[], AbstractContextManager[None]]
"""Does one piece: what fails in it is noted and left for the next time, and the rest goes on."""


def run_due(opener: Opener, egress: Egress, alone: Alone = nullcontext) -> int:
    """Note changes and send what is due, for all tenants; gives how many reports were taken.

    `alone`: within which each request and each report is done. Without a usable certificate nothing is sent,
    and what is due waits.
    """
    try:
        signs = signer(opener.settings)
    except NotReadyError:
        signs = None
    count = 0
    for tenant_id in opener.tenant_ids():
        _note(opener, tenant_id, alone)
        opener.heed()
        if signs is not None:
            count += _tell(opener, egress, signs, tenant_id, alone)
    return count


def _note(opener: Opener, tenant_id: str, alone: Alone) -> None:
    with opener.snapshot(tenant_id, WORKER) as snap:
        waiting = store.unfinished(snap.connection, tenant_id)
    for each in waiting:
        with alone(), opener.work(tenant_id, WORKER) as work:
            found = store.find(work.connection, tenant_id, each.client_id, each.subject_request_id)
            if found is not None:
                service.note(work, found)
        opener.heed()


def _tell(opener: Opener, egress: Egress, signs: Signer, tenant_id: str, alone: Alone) -> int:
    count, parcels = 0, []
    with opener.snapshot(tenant_id, WORKER) as snap:
        for each in store.due(snap.connection, tenant_id, snap.now, BATCH):
            with alone():
                parcels.append(_parcel(snap, each))
    for parcel in parcels:
        with alone():
            count += _told(opener, signs, egress, tenant_id, parcel)
        opener.heed()
    return count


def _told(opener: Opener, signs: Signer, egress: Egress, tenant_id: str, parcel: Parcel) -> bool:
    """Send one report and write what became of it; gives whether it was taken."""
    attempt = _send(opener, egress, signs, parcel)
    fate = _fate(parcel, attempt)
    with opener.work(tenant_id, WORKER) as work:
        with work.bookkeeping():
            store.settle(work.connection, tenant_id, fate)
        if fate.state != "pending":
            facts: dict[str, Fact] = {
                "client": fate.client_id,
                "report": fate.report_id,
                "status": fate.status,
                "attempts": fate.attempts,
            }
            work.record("opendsr.reported" if attempt.delivered else "opendsr.undelivered", facts=facts)
    return attempt.delivered


def _parcel(snap: Snapshot, report: Report) -> Parcel:
    found = service.get(snap, report.client_id, report.subject_request_id)
    urls = service.callbacks(snap, found)
    if report.number >= len(urls):
        return Parcel(report, None, b"")
    url = urls[report.number]
    told = {**service.document(snap, found, report.status), "status_callback_url": url}
    try:
        target = read_target(url, snap.resource(Settings).webhook_allow)
    except InvalidError:  # the operator took back what was allowed
        target = None
    return Parcel(report, target, json.dumps(told, separators=(",", ":")).encode())


def _send(opener: Opener, egress: Egress, signs: Signer, parcel: Parcel) -> Attempt:
    if parcel.target is None:
        return Attempt(opener.clock(), problem="address-refused")
    headers = {"Content-Type": "application/json", **signs.headers(parcel.body)}
    with egress.client(parcel.target) as client:
        return client.post(parcel.body, headers)


def _fate(parcel: Parcel, attempt: Attempt) -> Report:
    """What became of a report by this attempt: taken, to be tried again, or given up after 72 hours."""
    tried = replace(parcel.report, attempts=parcel.report.attempts + 1, problem=attempt.code)
    if attempt.delivered:
        return replace(tried, state="delivered", next_at=None)
    share = int.from_bytes(random_bytes(4)) / 0xFFFFFFFF
    due = None if attempt.gone else next_try(tried.created_at, tried.attempts, attempt, share)
    return replace(tried, state="dead" if due is None else "pending", next_at=due)
