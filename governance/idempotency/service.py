"""Use cases of idempotency: ask whether an effect happened, remember that it did."""

from collections.abc import Mapping
from dataclasses import dataclass

from governance.errors import ConflictError, InvalidError
from governance.idempotency import store
from governance.idempotency.model import KEPT_FOR, Outcome
from governance.vault.service import Vault
from governance.work import Work


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request under a key, in keyed hashes: neither key nor body can be read from them."""

    key_mac: str
    request_mac: str


def attempt(work: Work, *, caller: str, key: str, request: bytes) -> Attempt:
    """Name a request: keys are a caller's own, `request` is method, path and body."""
    vault = work.resource(Vault)
    return Attempt(
        vault.mac(work.tenant_id, "idempotency-key", f"{caller}\n{key}".encode()).hex(),
        vault.mac(work.tenant_id, "idempotency-request", request).hex(),
    )


def recall(work: Work, this: Attempt) -> Outcome | None:
    """The outcome of this very request if it had its effect already, else None: go ahead.

    Call it before anything is read or written. Raises InvalidError if the key belongs to another request,
    ConflictError `still-running` if that request is under way in another transaction.
    """
    if not store.try_lock(work.connection, this.key_mac):
        raise ConflictError(
            "A request with this Idempotency-Key is still running; repeat it a little later.",
            reason="still-running",
        )
    found = store.find(work.connection, work.tenant_id, this.key_mac)
    if found is None:
        return None
    request_mac, outcome = found
    if outcome.recorded_at + KEPT_FOR <= work.now:
        return None
    if request_mac != this.request_mac:
        raise InvalidError("This Idempotency-Key was used for another request; use a new key.")
    return outcome


def remember(work: Work, this: Attempt, status: int, kept: Mapping[str, object]) -> None:
    """Keep the outcome in the transaction of its effect, over one too old to be recalled.

    Refusals are not remembered: they had no effect.
    """
    outcome = Outcome(status, kept, work.now)
    with work.bookkeeping():
        store.remove(work.connection, work.tenant_id, this.key_mac)
        store.add(work.connection, work.tenant_id, this.key_mac, this.request_mac, outcome)


def sweep(work: Work) -> int:
    """Forget the keys that are too old to be recalled; how many. For the clock's door."""
    with work.bookkeeping():
        return store.sweep(work.connection, work.tenant_id, work.now - KEPT_FOR)
