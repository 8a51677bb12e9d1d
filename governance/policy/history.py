"""Use cases of what was in force: its versions in sentences, going back, and the look at that afterwards.

Going back needs one person with `policies:approve`: what it restores was in force before, and whoever finds
a bad rule at night must not have to wait. It is proved like any change, and it stays on the list of what
somebody else has to look at until that person has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import RowMapping

from governance import persons
from governance.clock import wire
from governance.errors import ConflictError, NotFoundError, StaleError
from governance.policy import activation, change_store, drafting, service, store
from governance.policy.activation import ACTIVATED, ADOPTED, ROLLED_BACK, Activation
from governance.policy.changes import Changes, differences
from governance.policy.changing import Refused
from governance.policy.compiled import compile_policy
from governance.policy.documents import Node
from governance.policy.drafts import files_of
from governance.policy.loader import check_documents
from governance.policy.proof import prove
from governance.work import Snapshot, Work

DUE, DONE = "due", "done"

Version: TypeAlias = RowMapping | dict[str, Any]
"""A row of `policy_version`, or what will be one once it is written down."""


@dataclass(frozen=True, slots=True)
class WayBack:
    """What going back with a pack comes to, checked and proved over `base`; `undone` is what it ends."""

    base: str
    undone: str
    digest: str
    text: bytes
    changes: Changes


def versions(snap: Snapshot, pack: str) -> list[dict[str, Any]]:
    """Everything that was ever in force and changed a pack, the newest first, with what changed in sentences.

    The first adoption has no `changes`: all was new. `in_force` is what the pack says now: the newest.
    """
    found = [row for row in _until_now(snap) if _touches(row, pack)]
    return [_document(row, pack, in_force=place == 0) for place, row in enumerate(found)]


def newest(snap: Snapshot, pack: str) -> Version | None:
    """The version that last changed a pack: who proposed and approved what it says."""
    return next((row for row in _until_now(snap) if _touches(row, pack)), None)


def way_back(snap: Snapshot, pack: str) -> WayBack:
    """Work out what going back with a pack means: the newest change of it that was not undone is undone.

    Other packs stay as they are in force; if none changed since, the digest is the one from before. Raises
    ConflictError `nothing-to-roll-back`, PolicyError if what would come of it is none or cannot be proved.
    """
    rows = store.versions(snap.connection, snap.tenant_id)
    undone = next((row for row in rows if _may_be_undone(row, pack)), None)
    if undone is None:
        raise ConflictError("There is no earlier version of this pack.", reason="nothing-to-roll-back")
    base, in_force = drafting.documents_in_force(snap)
    was = drafting.documents_of(snap, undone["before"])
    became = drafting.documents_of(snap, undone["digest"])
    documents = dict(in_force)
    for path in _changed(undone, pack, was, became):
        if path in was:
            documents[path] = was[path]
        else:
            documents.pop(path, None)
    checked = check_documents(documents)
    prove(checked)
    compiled = compile_policy(checked)
    present = service.active(snap.connection, snap.tenant_id, snap.now)
    if compiled.digest == base:
        raise ConflictError("What was before says the same.", reason="nothing-to-roll-back")
    return WayBack(
        base, undone["event_id"], compiled.digest, checked.canonical, differences(present, compiled)
    )


def roll_back(work: Work, pack: str, back: WayBack, reason: str | None = None) -> dict[str, Any]:
    """Go back; in force from the next check on, and to be looked at by somebody else afterwards.

    Gives the version. Raises StaleError if another policy came into force since `back` was worked out.
    """
    present = activation.settled(work)
    if present.digest != back.base:
        raise StaleError("Another policy has just come into force; look again what going back means.")
    store.keep_document(work.connection, back.digest, back.text)
    event_id = activation.activate(
        work,
        Activation(
            kind=ROLLED_BACK,
            digest=back.digest,
            before=present.digest,
            changes=back.changes,
            pack=pack,
            notes=reason,
        ),
    )
    store.update_version(work.connection, work.tenant_id, back.undone, {"undone_by": event_id})
    return _version(work, event_id, pack)


def review(work: Work, pack: str, note: str) -> dict[str, Any] | Refused:
    """Say that the newest going back was looked at by somebody else; whoever went back is refused.

    Raises NotFoundError if there is nothing to look at.
    """
    store.active_row(work.connection, work.tenant_id, lock=True)
    rows = store.versions(work.connection, work.tenant_id)
    due = next((row for row in rows if row["pack"] == pack and _review(row) == DUE), None)
    if due is None:
        raise NotFoundError("No going back of this pack waits to be looked at.")
    same = "Whoever went back cannot review it; ask somebody else."
    why_not = persons.not_second(work, due["adopted_by"], otherwise=same)
    if why_not is not None:
        facts = {"pack": pack, "version": due["event_id"], "because": persons.CODE}
        work.record("policy.review_refused", facts=dict(facts))
        return Refused(persons.CODE, why_not)
    work.record("policy.reviewed", facts={"pack": pack, "version": due["event_id"]})
    values = {"reviewed_by": work.actor.ref, "reviewed_at": work.now, "review_note": note}
    store.update_version(work.connection, work.tenant_id, due["event_id"], values)
    return _version(work, due["event_id"], pack)


def unreviewed(snap: Snapshot) -> list[dict[str, Any]]:
    """The times that somebody went back and nobody else has looked at it yet, the newest first."""
    rows = store.versions(snap.connection, snap.tenant_id)
    return [
        {
            "pack": row["pack"],
            "version": row["event_id"],
            "by": row["adopted_by"],
            "at": wire(row["adopted_at"]),
        }
        for row in rows
        if _review(row) == DUE
    ]


def _version(snap: Snapshot, event_id: str, pack: str) -> dict[str, Any]:
    return next(each for each in versions(snap, pack) if each["id"] == event_id)


def _until_now(snap: Snapshot) -> list[Version]:
    """Every version until now, the newest first, whether or not a job has written the last one down.

    A scheduled change decides from its instant on. Until it is written down its event, which would name the
    version, is not there: it bears the id of its proposal.
    """
    rows: list[Version] = list(store.versions(snap.connection, snap.tenant_id))
    active = store.active_row(snap.connection, snap.tenant_id)
    if active is None or active.next_proposal is None or not active.is_due(snap.now):
        return rows
    proposal = change_store.find_proposal(snap.connection, snap.tenant_id, active.next_proposal)
    assert proposal is not None
    come = {
        "event_id": active.next_proposal,
        "digest": active.next_digest,
        "adopted_at": active.next_at,
        "adopted_by": proposal["decided_by"],
        "kind": ACTIVATED,
        "pack": proposal["pack"],
        "before": active.digest,
        "proposed_by": proposal["proposed_by"],
        "notes": proposal["notes"],
        "changes": proposal["changes"],
        "undone_by": None,
        "reviewed_by": None,
        "reviewed_at": None,
        "review_note": None,
    }
    return [come, *rows]


def _touches(row: Version, pack: str) -> bool:
    return row["changes"] is None or pack in row["changes"] or row["pack"] == pack


def _may_be_undone(row: RowMapping, pack: str) -> bool:
    if row["kind"] == ROLLED_BACK or row["undone_by"] is not None or row["before"] is None:
        return False
    return row["pack"] == pack or (row["kind"] == ADOPTED and pack in (row["changes"] or {}))


def _changed(row: RowMapping, pack: str, was: dict[str, Node], became: dict[str, Node]) -> list[str]:
    """Give the files that a version changed: all of a draft's, of an adoption's those of the pack."""
    if row["pack"] == pack:
        names = was.keys() | became.keys()
    else:
        names = files_of(pack, was).keys() | files_of(pack, became).keys()
    return [name for name in sorted(names) if _plain(was.get(name)) != _plain(became.get(name))]


def _plain(node: Node | None) -> object:
    return None if node is None else node.plain()


def _review(row: Version) -> str | None:
    if row["kind"] != ROLLED_BACK:
        return None
    return DUE if row["reviewed_at"] is None else DONE


def _document(row: Version, pack: str, *, in_force: bool) -> dict[str, Any]:
    """A version as it is answered, with what changed of one pack."""
    changes = row["changes"]
    return {
        "id": row["event_id"],
        "digest": row["digest"],
        "before": row["before"],
        "kind": row["kind"],
        "in_force": in_force,
        "since": wire(row["adopted_at"]),
        "approved_by": row["adopted_by"],
        "proposed_by": row["proposed_by"],
        "notes": row["notes"],
        "changes": None if changes is None else changes.get(pack),
        "undone_by": row["undone_by"],
        "review": _review(row),
        "reviewed_by": row["reviewed_by"],
        "reviewed_at": None if row["reviewed_at"] is None else wire(row["reviewed_at"]),
        "review_note": row["review_note"],
    }
