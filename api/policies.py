"""Policies in force: packs, rules, sentences; what was in force before, and the way back to it."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.policy_drafts import refused
from api.rooms import Room
from api.runtime import Reply, act, page, read_cursor, reply, request_snapshot, request_work
from api.shapes import Answer, Listing, Page, Shape, Text
from governance.clock import wire
from governance.errors import NotFoundError
from governance.policy import activation, change_store, changing, history, store, texts
from governance.policy import service as policies
from governance.policy.changing import Refused
from governance.policy.compiled import CompiledPolicy
from governance.policy.documents import Node, from_canonical
from governance.policy.drafts import files_of
from governance.policy.model import CheckedPack
from governance.work import Snapshot, Work

room = Room("policies", description="The rules in force, as text and as sentences.")


class PacksReply(Listing):
    """The packs in force, what comes into force next, and what is being written."""

    digest = ma.fields.String(required=True)
    since = ma.fields.String(required=True)
    next_change = ma.fields.Dict(required=True, allow_none=True)
    drafts = ma.fields.List(ma.fields.Dict(), required=True)


class PackReply(Answer):
    """A pack: its rules with a sentence for each, and the cases that prove it."""

    pack = ma.fields.String(required=True)
    digest = ma.fields.String(required=True)
    rules = ma.fields.List(ma.fields.Dict(), required=True)
    cases = ma.fields.List(ma.fields.Dict(), required=True)
    text = ma.fields.Dict(required=True, metadata={"description": "Path of each file → what it says."})
    source = ma.fields.Dict(
        required=True,
        metadata={
            "description": "The files as they were written, with comments and lines, in the form in which a "
            "draft is sent: `draft`, or `policy` and `cases`."
        },
    )
    as_written = ma.fields.Boolean(
        required=True,
        metadata={"description": "false: it came into force before texts were kept; `source` was made anew."},
    )
    approved_by = ma.fields.String(required=True, allow_none=True)


class RollbackBody(Shape):
    """Why one goes back."""

    reason = Text(2000, load_default=None, allow_none=True)


class ReviewBody(Shape):
    """What somebody else found, looking at it afterwards."""

    note = Text(2000, required=True)


class VersionReply(Answer):
    """A version, with what it changed in sentences."""

    id = ma.fields.String(required=True)
    digest = ma.fields.String(required=True)
    kind = ma.fields.String(required=True)
    changes = ma.fields.Dict(required=True, allow_none=True)
    review = ma.fields.String(required=True, allow_none=True)


@room.get("/v1/policies", scope="policies:read")
@room.answers(200, PacksReply)
def list_packs() -> Response:
    """List the packs in force, the digest of all of them, and what is about to change."""
    with request_snapshot() as snapshot:
        policy = policies.active(snapshot.connection, snapshot.tenant_id, snapshot.now)
        items = [_summary(pack) for pack in policy.packs]
        drafts = [
            {"pack": row["pack"], "digest": row["digest"], "state": changing.state_of(row["state"])}
            for row in change_store.drafts(snapshot.connection, snapshot.tenant_id)
        ]
        since, coming = _standing(snapshot)
        return reply(
            {
                "digest": policy.digest,
                "since": since,
                "next_change": coming,
                "drafts": drafts,
                "items": items,
                "next": None,
            }
        )


@room.get("/v1/policies/<pack>", scope="policies:read")
@room.answers(200, PackReply)
def get_pack(pack: str) -> Response:
    """Give a pack: its text, rules, sentences and cases, who approved it, and when."""
    with request_snapshot() as snapshot:
        policy = policies.active(snapshot.connection, snapshot.tenant_id, snapshot.now)
        found = next((each for each in policy.packs if each.name == pack), None)
        if found is None:
            raise NotFoundError("There is no pack of this name in force.")
        documents = _documents(snapshot, policy)
        files = files_of(pack, documents)
        source, as_written = texts.of_pack(snapshot, pack, documents)
        return reply(
            {
                **_summary(found),
                "digest": policy.digest,
                **_approval(snapshot, pack),
                "rules": _rules(policy, found),
                "cases": _cases(files),
                "text": {name: tree.plain() for name, tree in files.items()},
                "source": source,
                "as_written": as_written,
            }
        )


@room.get("/v1/policies/<pack>/versions", scope="policies:read")
@room.query(Page)
@room.answers(200, Listing)
def list_versions(query: Mapping[str, Any], pack: str) -> Response:
    """List what was ever in force and changed this pack, the newest first, with its changes in sentences."""
    with request_snapshot() as snapshot:
        found = history.versions(snapshot, pack)
        if not _is_known(snapshot, pack, found):
            raise NotFoundError("There never was a pack of this name in force.")
        use = f"policy-versions:{pack}"
        cursor = read_cursor(snapshot, use, query.get("after"))
        if cursor is not None:
            place = next((n for n, each in enumerate(found) if each["id"] == cursor[0]), len(found))
            found = found[place + 1 :]
        limit = query["limit"]
        return reply(page(snapshot, use, found[: limit + 1], limit, lambda item: [item["id"]]))


@room.post("/v1/policies/<pack>/rollback", scope="policies:approve")
@room.body(RollbackBody)
@room.refuses(412)
@room.answers(200, VersionReply)
def roll_back(body: Mapping[str, Any], pack: str) -> Response:
    """Go back to what a pack said before its newest change, from the next check on, in every process.

    One person may do it; somebody else has to look at it afterwards (`review`).
    """
    with request_work() as work:
        activation.settle(work)
    with request_snapshot() as snapshot:
        back = history.way_back(snapshot, pack)

    def effect(work: Work) -> Reply:
        made = history.roll_back(work, pack, back, body["reason"])
        return Reply(200, made, kept={"id": made["id"], "digest": made["digest"]})

    return act(effect)


@room.post("/v1/policies/<pack>/rollback/review", scope="policies:approve")
@room.body(ReviewBody)
@room.answers(200, VersionReply)
def review(body: Mapping[str, Any], pack: str) -> Response:
    """Say what was found when looking at a rollback afterwards; whoever went back is refused: 403."""

    def effect(work: Work) -> Reply | Response:
        made = history.review(work, pack, body["note"])
        if isinstance(made, Refused):
            return refused(made)
        return Reply(200, made, kept={"id": made["id"], "digest": made["digest"]})

    return act(effect)


def _standing(snapshot: Snapshot) -> tuple[str, dict[str, Any] | None]:
    """Since when what is in force is, and what comes next."""
    row = store.active_row(snapshot.connection, snapshot.tenant_id)
    assert row is not None
    if row.next_at is None:
        return wire(row.since), None
    if row.is_due(snapshot.now):
        return wire(row.next_at), None
    return wire(row.since), {
        "at": wire(row.next_at),
        "digest": row.next_digest,
        "proposal": row.next_proposal,
    }


def _summary(pack: CheckedPack) -> dict[str, Any]:
    return {
        "pack": pack.name,
        "title": pack.title,
        "file": pack.file,
        "actions": list(pack.actions),
        "layer": str(pack.layer),
        "covers": list(pack.covers),
        "because": pack.because,
        "cites": list(pack.cites),
        "verified": pack.verified,
        "rule_count": len(pack.rules),
    }


def _approval(snapshot: Snapshot, pack: str) -> dict[str, Any]:
    """Who proposed and approved what a pack says, and since when it says so."""
    row = history.newest(snapshot, pack)
    if row is None:
        return {"approved_by": None, "proposed_by": None, "since": None, "notes": None}
    return {
        "approved_by": row["adopted_by"],
        "proposed_by": row["proposed_by"],
        "since": wire(row["adopted_at"]),
        "notes": row["notes"],
    }


def _rules(policy: CompiledPolicy, pack: CheckedPack) -> list[dict[str, Any]]:
    sentences = policy.text()
    return [
        {
            "rule": rule.id,
            "effect": str(rule.effect),
            "code": rule.code or None,
            "sentence": sentences.get(rule.id, rule.because),
            "because": rule.because,
            "remedy": rule.remedy or None,
            "cites": list(rule.cites),
            "source": list(rule.source),
            "verified": rule.verified,
            "obligations": list(rule.obligations),
            "overridable": rule.overridable,
            "review_by": None if rule.review_by is None else rule.review_by.isoformat(),
        }
        for rule in pack.rules
    ]


def _documents(snapshot: Snapshot, policy: CompiledPolicy) -> dict[str, Node]:
    kept = store.document(snapshot.connection, policy.digest)
    return {} if kept is None else from_canonical(kept)


def _cases(files: Mapping[str, Node]) -> list[Any]:
    """The cases that lie beside a pack, as they are written; each with the time at which it is asked."""
    found: list[Any] = []
    for name, tree in files.items():
        said: Any = tree.plain()
        if name.endswith(".cases.yaml"):
            found += [{"now": said.get("now"), **case} for case in said["cases"]]
    return found


def _is_known(snapshot: Snapshot, pack: str, found: list[dict[str, Any]]) -> bool:
    """Whether a pack is or was in force: a first adoption touches all packs there were."""
    if any(each["changes"] is not None for each in found):
        return True
    policy = policies.active(snapshot.connection, snapshot.tenant_id, snapshot.now)
    return any(each.name == pack for each in policy.packs)
