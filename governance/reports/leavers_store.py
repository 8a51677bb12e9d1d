"""What belongs to some actors and is not finished: holds, tasks, requests, and approvals either way."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.communications.override_store import policy_override
from governance.erasure.model import OPEN as OPEN_ERASURES
from governance.erasure.model import UNDO_WINDOW
from governance.erasure.tables import erasure
from governance.ledger.store import ledger_entry
from governance.policy.change_store import policy_proposal
from governance.retention.disposition_store import APPROVED, EXECUTING, PROPOSED
from governance.retention.model import ACTIVE
from governance.retention.run_store import disposition, retention_run
from governance.retention.store import legal_hold
from governance.rights.model import OPEN_STATES
from governance.rights.tables import rights_request
from governance.systems.store import system_task
from governance.systems.task_store import OPEN
from governance.tenants.store import tenant_deletion

Rows = list[dict[str, Any]]
MOST = 500
"""So many of a kind are listed."""


class Belongings:
    """Reads what belongs to whoever acts under one of some names (`refs`)."""

    def __init__(self, connection: Connection, tenant_id: str, refs: Collection[str], now: datetime) -> None:
        self._connection = connection
        self._tenant_id = tenant_id
        self._refs = sorted(refs)
        self._now = now

    def active_holds(self) -> Rows:
        """Holds in force that they placed: `id`, `since`."""
        of = legal_hold.c
        return self._rows(
            [of.hold_id.label("id"), of.placed_at.label("since")], of.placed_by, of.state == ACTIVE
        )

    def open_tasks(self) -> Rows:
        """Open tasks of connected systems that are theirs: `id`, `system`, `due_at`."""
        of = system_task.c
        return self._rows(
            [of.task_id.label("id"), of.system_id.label("system"), of.due_at], of.owner, of.state == OPEN
        )

    def open_requests(self) -> Rows:
        """Open rights requests that they see to, or took in where nobody does: `id`, `type`, `due_at`."""
        of = rights_request.c
        seen_to = sa.func.coalesce(of.owner, of.opened_by)
        return self._rows([of.request_id.label("id"), of.type, of.due_at], seen_to, of.state.in_(OPEN_STATES))

    def waiting_runs(self) -> Rows:
        """Retention runs that they started and that wait for an approval: `id`, `since`."""
        of = retention_run.c
        return self._rows(
            [of.run_id.label("id"), of.created_at.label("since")],
            of.started_by,
            of.dry_run.is_(False),
            of.finished_at.is_(None),
            of.decided_by.is_(None),
        )

    def waiting_dispositions(self) -> Rows:
        """Runs of theirs with dispositions that wait for a decision: `id` of the run, `since`, `count`."""
        here, run = disposition.c, retention_run.c
        query = (
            sa.select(
                here.run_id.label("id"),
                sa.func.min(here.proposed_at).label("since"),
                sa.func.count().label("count"),
            )
            .join(retention_run, sa.and_(run.tenant_id == here.tenant_id, run.run_id == here.run_id))
            .where(here.tenant_id == self._tenant_id, here.state == PROPOSED, run.started_by.in_(self._refs))
            .group_by(here.run_id)
        )
        return self._ran(query)

    def waiting_erasures(self) -> Rows:
        """Erasures that they ordered and whose undo window a second person may end: `id`, `since`."""
        of = erasure.c
        return self._rows(
            [of.erasure_id.label("id"), of.ordered_at.label("since")],
            of.ordered_by,
            of.status == UNDO_WINDOW,
            of.undo_until > self._now,
            of.request_id.is_(None),
        )

    def waiting_overrides(self) -> Rows:
        """Overrides that they asked for and nobody has decided about: `id`, `since`, `rule`."""
        of = policy_override.c
        columns = [of.override_id.label("id"), of.requested_at.label("since"), of.rule]
        return self._rows(columns, of.requested_by, of.state == "requested", of.expires_at > self._now)

    def waiting_proposals(self) -> Rows:
        """Changes of policy that they proposed and nobody has decided about: `id`, `since`, `pack`."""
        of = policy_proposal.c
        columns = [of.proposal_id.label("id"), of.proposed_at.label("since"), of.pack]
        return self._rows(columns, of.proposed_by, of.state == "open")

    def waiting_deletions(self) -> Rows:
        """The deletion of the tenant, if they asked for it and it waits for approval: `id`, `since`."""
        of = tenant_deletion.c
        columns = [of.deletion_id.label("id"), of.asked_at.label("since")]
        return self._rows(columns, of.asked_by, of.state == "asked")

    def approved_runs(self) -> Rows:
        """Retention runs that they approved and that go on: `id`, `since`."""
        of = retention_run.c
        return self._rows(
            [of.run_id.label("id"), of.decided_at.label("since")],
            of.decided_by,
            of.finished_at.is_(None),
            of.status == "approving",
        )

    def approved_dispositions(self) -> Rows:
        """Runs with dispositions that they approved and that are not carried out: `id`, `since`, `count`."""
        of = disposition.c
        columns: list[Any] = [of.run_id.label("id"), sa.func.min(of.changed_at).label("since")]
        query = (
            sa.select(*columns, sa.func.count().label("count"))
            .where(
                of.tenant_id == self._tenant_id,
                of.state.in_((APPROVED, EXECUTING)),
                of.decided_by.in_(self._refs),
            )
            .group_by(of.run_id)
        )
        return self._ran(query)

    def approved_erasures(self) -> Rows:
        """Erasures whose undo window they ended and that go on: `id`, `since`."""
        of, entry = erasure.c, ledger_entry.c
        said = sa.and_(
            entry.tenant_id == of.tenant_id,
            entry.subject_ref == of.subject_ref,
            entry.kind == "erasure.approved",
            entry.at >= of.ordered_at,
        )
        query = (
            sa.select(of.erasure_id.label("id"), sa.func.min(entry.at).label("since"))
            .join(ledger_entry, said)
            .where(
                of.tenant_id == self._tenant_id,
                of.status.in_(sorted(OPEN_ERASURES)),
                entry.actor_ref.in_(self._refs),
            )
            .group_by(of.erasure_id)
        )
        return self._ran(query)

    def approved_overrides(self) -> Rows:
        """Overrides that they approved and that are in force: `id`, `since`, `rule`, `until`."""
        of = policy_override.c
        columns = [
            of.override_id.label("id"),
            of.decided_at.label("since"),
            of.rule,
            of.expires_at.label("until"),
        ]
        return self._rows(columns, of.decided_by, of.state == "approved", of.expires_at > self._now)

    def approved_deletions(self) -> Rows:
        """The deletion of the tenant, if they approved it and its grace runs: `id`, `since`, `until`."""
        of = tenant_deletion.c
        columns = [of.deletion_id.label("id"), of.approved_at.label("since"), of.due_at.label("until")]
        return self._rows(columns, of.approved_by, of.state == "approved")

    def scheduled_activations(self) -> Rows:
        """Changes of policy of theirs that come into force by themselves.

        `id`, `pack`, `activate_at`, `proposed` and `approved` (whether it was one of them).
        """
        of = policy_proposal.c
        query = sa.select(
            of.proposal_id.label("id"),
            of.pack,
            of.activate_at,
            of.proposed_by.in_(self._refs).label("proposed"),
            of.decided_by.in_(self._refs).label("approved"),
        ).where(
            of.tenant_id == self._tenant_id,
            of.state == "scheduled",
            of.activate_at > self._now,
            sa.or_(of.proposed_by.in_(self._refs), of.decided_by.in_(self._refs)),
        )
        return self._ran(query)

    def _rows(
        self, columns: Sequence[Any], whose: sa.ColumnElement[Any], *which: sa.ColumnElement[bool]
    ) -> Rows:
        table = columns[0].element.table
        return self._ran(
            sa.select(*columns).where(table.c.tenant_id == self._tenant_id, whose.in_(self._refs), *which)
        )

    def _ran(self, query: sa.Select[Any]) -> Rows:
        found = self._connection.execute(query.order_by(sa.text("id")).limit(MOST)).mappings()
        return [dict(each) for each in found]
