"""Use cases of the outbox: the feed, and the webhooks as they are set up. Sending is in `delivery`."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from governance.decisions.record import DecisionRecord
from governance.egress import signatures
from governance.egress.addresses import Target, read_target
from governance.egress.client import Egress, RefusedError
from governance.errors import InvalidError, NotFoundError
from governance.ids import random_bytes
from governance.ledger import service as ledger
from governance.ledger.model import Entry
from governance.outbox import abroad, leases, store
from governance.outbox.model import (
    ACTIVE,
    DELIVERY_STATES,
    DISABLED,
    LONGEST_OVERLAP,
    Delivery,
    Summary,
    Webhook,
    check_types,
    check_webhook_id,
    cloud_event,
)
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.transfers.disclosures import Recipient
from governance.vault.model import OPERATIONAL, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work

_KEEPER = "outbox"
"""In place of a person: the tenant's secrets of webhooks lie under one key."""


@dataclass(frozen=True, slots=True)
class PutOutcome:
    """A webhook as it is now; `secret` only if it was just made."""

    webhook: Webhook
    created: bool
    secret: str | None


def feed(snap: Snapshot, *, after: int, limit: int) -> list[dict[str, Any]]:
    """The events at positions greater than `after` as CloudEvents, in the order of the ledger."""
    return events(snap, ledger.entries(snap.connection, snap.tenant_id, after=after, limit=limit))


def feed_abroad(
    snap: Snapshot, recipients: Collection[Recipient], *, after: int, limit: int, door: str
) -> tuple[list[dict[str, Any]], Sequence[DecisionRecord]]:
    """The feed as those abroad may read it, and the decisions to log before they do.

    Of an event that may not go there its place, kind and time are left, with the codes of the reasons: the
    feed has no gaps, and nothing in it tells of whom it was.
    """
    entries = ledger.entries(snap.connection, snap.tenant_id, after=after, limit=limit)
    stays = abroad.withheld(snap, entries, recipients, door)
    return [_left(each, stays.codes) for each in events(snap, entries)], stays.records


def _left(event: dict[str, Any], codes: Mapping[int, Sequence[str]]) -> dict[str, Any]:
    """What is left of an event where it may not go."""
    position = event["data"]["position"]
    if position not in codes:
        return event
    data = {"position": position, "facts": {}, "external_id": None, "withheld": list(codes[position])}
    return {name: each for name, each in event.items() if name != "subject"} | {"data": data}


def events(snap: Snapshot, entries: Collection[Entry]) -> list[dict[str, Any]]:
    """Write ledger entries as CloudEvents, with the CRM's ids of their persons as they are now."""
    refs = {entry.subject_ref for entry in entries if entry.subject_ref is not None}
    ids = subjects.external_ids(snap, refs)
    return [
        cloud_event(entry, tenant_ref=snap.tenant_ref, external_id=ids.get(entry.subject_ref or ""))
        for entry in entries
    ]


def body(event: dict[str, Any]) -> bytes:
    """Write a CloudEvent as the body of a request."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def look_up(settings: Settings, egress: Egress, url: str) -> Target:
    """Read a webhook's URL and see that it does not lead inside; InvalidError. Not inside a transaction."""
    target = read_target(url, settings.webhook_allow)
    try:
        egress.check(target)
    except RefusedError:
        raise InvalidError(
            "Webhooks go to public https addresses only.",
            fields={"url": ["This name leads to an address that is not on the public internet."]},
        ) from None
    return target


def put(
    work: Work,
    webhook_id: str,
    *,
    target: Target,
    types: Iterable[str],
    state: str,
    country: str | None = None,
) -> PutOutcome:
    """Create or replace a webhook. A new one begins with what happens from now on, and gets a secret.

    One that is switched on again goes on where it stopped; nothing in between is lost.
    """
    wanted = check_types(list(types))
    before = store.find(work.connection, work.tenant_id, check_webhook_id(webhook_id), lock=True)
    if before is None:
        return _create(work, webhook_id, target.url, wanted, state, country)
    because = None if state == ACTIVE else before.because or "asked"
    after = replace(
        before,
        url=target.url,
        types=wanted,
        state=state,
        because=because,
        updated_at=work.now,
        country=country,
    )
    if replace(after, updated_at=before.updated_at) == before:
        return PutOutcome(before, created=False, secret=None)
    event = work.record("webhook.changed", facts=_facts(after))
    values: dict[str, Any] = {
        "url": after.url,
        "types": list(after.types),
        "state": after.state,
        "because": after.because,
        "country": after.country,
        "updated_at": after.updated_at,
        "event_id": event.id,
    }
    if after.state == ACTIVE and (before.state, before.url) != (after.state, after.url):
        store.forget_troubles(work.connection, work.tenant_id, webhook_id, work.now)
    store.change(work.connection, work.tenant_id, webhook_id, values)
    return PutOutcome(after, created=False, secret=None)


def get(snap: Snapshot, webhook_id: str) -> Webhook:
    """The webhook of this id; NotFoundError."""
    found = store.find(snap.connection, snap.tenant_id, webhook_id)
    if found is None:
        raise NotFoundError("There is no webhook with this id.")
    return found


def every(snap: Snapshot) -> list[Webhook]:
    """All webhooks, by id."""
    return store.every(snap.connection, snap.tenant_id)


def delete(work: Work, webhook_id: str) -> None:
    """Remove a webhook with its secrets and all that waits for it; NotFoundError."""
    get(work, webhook_id)
    store.remove(work.connection, work.tenant_id, webhook_id)
    work.record("webhook.deleted", facts={"webhook": webhook_id})


def rotate(work: Work, webhook_id: str, *, overlap: timedelta) -> Webhook:
    """Make a new secret; for `overlap` the one before signs too. `secret` reveals it; NotFoundError."""
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise InvalidError("The secrets overlap too long.", fields={"overlap": ["At most seven days."]})
    before = store.find(work.connection, work.tenant_id, webhook_id, lock=True)
    if before is None:
        raise NotFoundError("There is no webhook with this id.")
    present, _ = store.secrets(work.connection, work.tenant_id, webhook_id)
    after = replace(
        before,
        secret_version=before.secret_version + 1,
        previous_until=work.now + overlap if overlap else None,
        updated_at=work.now,
    )
    event = work.record(
        "webhook.secret_rotated", facts={"webhook": webhook_id, "version": after.secret_version}
    )
    values = {
        "secret_version": after.secret_version,
        "secret_sealed": _sealed(work, after, random_bytes(signatures.SECRET_BYTES)),
        "previous_sealed": present if overlap else None,
        "previous_until": after.previous_until,
        "updated_at": after.updated_at,
        "event_id": event.id,
    }
    store.change(work.connection, work.tenant_id, webhook_id, values)
    return after


def secret(snap: Snapshot, found: Webhook) -> str:
    """The present secret as its receiver is given it: for the answer that made it, and its repeats."""
    return signatures.write_secret(signing_secrets(snap, found)[0])


def signing_secrets(snap: Snapshot, found: Webhook) -> list[bytes]:
    """The secrets that sign now, the newest first."""
    present, previous = store.secrets(snap.connection, snap.tenant_id, found.webhook_id)
    sealed = [(found.secret_version, present)]
    if previous is not None and found.previous_until is not None and found.previous_until > snap.now:
        sealed.append((found.secret_version - 1, previous))
    vault = snap.resource(Vault)
    return [
        vault.reveal(snap.tenant_id, _KEEPER, OPERATIONAL, _place(found.ref, version), ciphertext)
        for version, ciphertext in sealed
    ]


def deliveries(
    snap: Snapshot, webhook_id: str, *, state: str | None, before: int, limit: int
) -> list[Delivery]:
    """What was sent to a webhook, is to be sent again or was given up; the newest first. NotFoundError."""
    get(snap, webhook_id)
    return store.deliveries(
        snap.connection, snap.tenant_id, webhook_id, state=state, before=before, limit=limit
    )


def summary(snap: Snapshot, webhook_id: str) -> Summary:
    """How a webhook is doing, and how long it takes until all systems have acknowledged."""
    connection, tenant_id = snap.connection, snap.tenant_id
    position, resumes_at = leases.position_of(connection, tenant_id, webhook_id)
    counts = store.counts(connection, tenant_id, webhook_id)
    return Summary(
        counts={state: counts.get(state, 0) for state in DELIVERY_STATES},
        behind=ledger.head(connection, tenant_id)[0] - 1 - position,
        resumes_at=resumes_at if resumes_at is not None and resumes_at > snap.now else None,
        lag=store.lag(connection, tenant_id, webhook_id),
        lag_of_all=store.lag_of_all(connection, tenant_id),
    )


def disable_gone(work: Work, webhook_id: str) -> None:
    """Switch a webhook off whose receiver said that it is gone for good (410)."""
    found = store.find(work.connection, work.tenant_id, webhook_id, lock=True)
    if found is None or found.state == DISABLED:
        return
    after = replace(found, state=DISABLED, because="gone", updated_at=work.now)
    event = work.record("webhook.disabled", facts=_facts(after))
    values = {"state": DISABLED, "because": "gone", "updated_at": work.now, "event_id": event.id}
    store.change(work.connection, work.tenant_id, webhook_id, values)


def _create(
    work: Work, webhook_id: str, url: str, types: tuple[str, ...], state: str, country: str | None
) -> PutOutcome:
    made = Webhook(
        webhook_id=webhook_id,
        ref=work.new_id("whk"),
        url=url,
        types=types,
        state=state,
        because=None if state == ACTIVE else "asked",
        secret_version=1,
        previous_until=None,
        created_at=work.now,
        updated_at=work.now,
        country=country,
    )
    raw = random_bytes(signatures.SECRET_BYTES)
    event = work.record("webhook.created", facts=_facts(made))
    store.add(work.connection, work.tenant_id, made, _sealed(work, made, raw), event.id)
    size, _ = ledger.head(work.connection, work.tenant_id)
    store.add_cursor(work.connection, work.tenant_id, webhook_id, size - 1)
    return PutOutcome(made, created=True, secret=signatures.write_secret(raw))


def _facts(found: Webhook) -> dict[str, Any]:
    """What the ledger keeps: never the URL, which may hold a token of the receiver's."""
    return {
        "webhook": found.webhook_id,
        "state": found.state,
        "because": found.because,
        "types": list(found.types),
        "country": found.country,
    }


def _place(ref: str, version: int) -> Place:
    return Place("webhook", "secret_sealed", f"{ref}/{version}")


def _sealed(work: Work, found: Webhook, raw: bytes) -> bytes:
    vault = work.resource(Vault)
    return vault.seal(work.tenant_id, _KEEPER, OPERATIONAL, _place(found.ref, found.secret_version), raw)
