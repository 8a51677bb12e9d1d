"""Use cases of policies: adopt a set of documents, and read what is in force in a snapshot."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from threading import Lock

from sqlalchemy.engine import Connection

from governance.errors import NotReadyError
from governance.policy import activation, store, texts
from governance.policy.changes import all_new, differences
from governance.policy.compiled import CompiledPolicy, compile_policy
from governance.policy.complaints import PolicyError
from governance.policy.documents import Node
from governance.policy.loader import INVARIANTS, check_documents, load_documents, read_documents
from governance.policy.model import Problem
from governance.policy.proof import prove
from governance.work import Work

SHIPPED = Path(__file__).resolve().parents[2] / "policies"
"""The policies that come with the service: candidates until they are adopted."""


class PolicyCache:
    """Compiled policies by digest. A digest names one text for ever, so nothing in here goes stale.

    Which digest is active is never kept: that is read in the snapshot of each check.
    """

    def __init__(self, size: int = 32) -> None:
        self._held: OrderedDict[str, CompiledPolicy] = OrderedDict()
        self._size = size
        self._lock = Lock()

    def get(self, digest: str) -> CompiledPolicy | None:
        """Give the compiled policy of a digest, None if it is not held."""
        return self._held.get(digest)

    def put(self, policy: CompiledPolicy) -> CompiledPolicy:
        """Hold a compiled policy; the one held longest makes room."""
        with self._lock:
            self._held[policy.digest] = policy
            while len(self._held) > self._size:
                self._held.popitem(last=False)
        return policy


_CACHE = PolicyCache()


def shipped_documents(directory: Path | None = None) -> dict[str, Node]:
    """Read the shipped policies, with those of `directory` added or put in the place of the same name.

    Raises PolicyError if a file cannot be read, or if `directory` brings invariants of its own: what no
    policy may allow is no policy.
    """
    if directory is not None and (directory / INVARIANTS).exists():
        raise PolicyError([Problem(INVARIANTS, 0, "these come with the service; move the file elsewhere")])
    return read_documents(SHIPPED) if directory is None else read_documents(SHIPPED, directory)


def adopt(work: Work, *, documents: Mapping[str, Node]) -> str:
    """Check and prove documents, run their cases and put them in force from the next check on.

    Gives the digest. Raises PolicyError with every complaint and every counter-example to what no policy may
    allow; then nothing changes. Adopting what is in force already is recorded again: somebody confirmed it. A
    change that waits for its day is called off.
    """
    checked = check_documents(documents)
    prove(checked)
    compiled = compile_policy(checked)
    present = activation.settle(work)
    before = None if present is None else by_digest(work.connection, present.digest)
    store.keep_document(work.connection, compiled.digest, checked.canonical)
    event_id = activation.activate(
        work,
        activation.Activation(
            kind=activation.ADOPTED,
            digest=compiled.digest,
            before=None if before is None else before.digest,
            changes=all_new(compiled) if before is None else differences(before, compiled),
        ),
        counted={"packs": len(compiled.packs), "rules": len(compiled.rules)},
    )
    texts.keep(work, documents, event_id)
    return _CACHE.put(compiled).digest


def active(
    connection: Connection, tenant_id: str, now: datetime, cache: PolicyCache = _CACHE
) -> CompiledPolicy:
    """Give the policy in force in the caller's snapshot at its `now`; the digest is read on every call.

    Raises NotReadyError if the tenant has adopted none.
    """
    digest = store.active_digest(connection, tenant_id, now)
    if digest is None:
        raise NotReadyError("No policies are in force for this tenant; run 'governance policies adopt'.")
    return cache.get(digest) or by_digest(connection, digest, cache)


def by_digest(connection: Connection, digest: str, cache: PolicyCache = _CACHE) -> CompiledPolicy:
    """Give the compiled policy of any digest that was ever adopted, for replaying past decisions.

    Raises NotReadyError if its text is not stored or is not what the digest names.
    """
    held = cache.get(digest)
    if held is not None:
        return held
    text = store.document(connection, digest)
    compiled = None if text is None else compile_policy(load_documents(text))
    if compiled is None or compiled.digest != digest:
        raise NotReadyError(f"The policy text of {digest} is missing or changed; restore it from a backup.")
    return cache.put(compiled)
