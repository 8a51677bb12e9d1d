"""Ends this service's own data about people at its own term, as the retention schedules say.

Checks are emptied, messages and the decisions behind acts deleted, closed requests forgotten, proofs of
consents that ended long ago taken out of the ledger's payloads, refused rows of imports deleted. The evidence
key of somebody who was erased ends with its erasure (`probe_erasures`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from governance.bootstrap import Runtime
from governance.erasure import own_terms
from governance.events import Actor, Fact
from governance.imports import ending as imports
from governance.retention import own
from governance.retention.own import OldRow
from governance.rights import ending as rights
from governance.work import Snapshot, Work

ACTOR = Actor("job:end-own-data", "job")
_BATCH = 200


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of row: its data class in the schedules, how old ones are found, and how they end.

    `elsewhere`: it lies in another database, so it ends after it was told: a worker that dies in between
    tells it again, and leaves no end untold.
    """

    name: str
    data_class: str
    old: Callable[[Snapshot, datetime, str, int], list[OldRow]]
    end: Callable[[Work, Sequence[str]], None]
    elsewhere: bool = False


KINDS = (
    Kind("checks", "decisions", own_terms.checks, own_terms.end_checks, elsewhere=True),
    Kind("messages", "messages", own_terms.messages, own_terms.end_messages),
    Kind("acts", "decisions", own_terms.acts, own_terms.end_acts),
    Kind("requests", "rights_requests", rights.requests, rights.end_requests),
    Kind("proofs", "consent_proofs", own_terms.proofs, own_terms.end_proofs),
    Kind("import-errors", "import_errors", imports.errors, imports.end_errors),
)


def run(runtime: Runtime) -> int:
    """End what is over, a batch to a transaction; gives how many rows."""
    return sum(_end(runtime, tenant_id, kind) for tenant_id in runtime.tenant_ids() for kind in KINDS)


def _end(runtime: Runtime, tenant_id: str, kind: Kind) -> int:
    ended, after = 0, ""
    while True:
        runtime.heed()
        with runtime.snapshot(tenant_id, ACTOR) as snapshot:
            before = own.since(snapshot, kind.data_class)
            found = [] if before is None else kind.old(snapshot, before, after, _BATCH)
            over = own.over(snapshot, kind.data_class, found)
        if over:
            with runtime.work(tenant_id, ACTOR) as work:
                # A hold may have come meanwhile: what it covers now stays.
                still = set(own.over(work, kind.data_class, [each for each in found if each.row_id in over]))
                if still:
                    if not kind.elsewhere:
                        kind.end(work, sorted(still))
                    facts: dict[str, Fact] = {"kind": kind.name, "count": len(still)}
                    work.record("retention.own_data_ended", facts=facts)
                    ended += len(still)
            if still and kind.elsewhere:
                kind.end(work, sorted(still))
        if len(found) < _BATCH:
            return ended
        after = found[-1].row_id
