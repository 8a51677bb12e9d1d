"""Trying a draft: its cases and the proof, replay over kept decisions, and beside the checks that go on."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.rooms import Room
from api.runtime import Reply, act, reply, request_snapshot
from api.shapes import Answer, Instant, Shape, Whole
from governance.decisions import replay as replays
from governance.decisions import shadows
from governance.policy import drafting
from governance.policy.compiled import compile_policy
from governance.work import Work

room = Room("policy-trials", description="What a draft would have answered.")


class TriedReply(Answer):
    """What the cases come to, and the proof of what no policy may ever allow."""

    ok = ma.fields.Boolean(
        required=True, metadata={"description": "Whether the draft could be proposed as it stands."}
    )
    cases = ma.fields.Integer(required=True)
    failed = ma.fields.List(ma.fields.Dict(), required=True)
    problems = ma.fields.List(ma.fields.Dict(), required=True)
    invariants = ma.fields.Integer(
        required=True, metadata={"description": "So many things that no policy may allow were looked at."}
    )
    counter_examples = ma.fields.List(
        ma.fields.Dict(),
        required=True,
        metadata={
            "description": "Questions that the draft would answer as no policy may: `sentence`, `file`, "
            "`line`, `invariant`, `cites`, `facts`. Empty: proved, over all facts at all instants."
        },
    )


class Apart(Answer):
    """Decisions that were read and are not compared, by why."""

    erased = ma.fields.Integer(required=True, metadata={"description": "Nothing is kept of them any more."})
    not_decided_by_policy = ma.fields.Integer(
        required=True,
        metadata={
            "description": "Searches, and questions that retention schedules and legal holds answer "
            "(data.erase): these rules do not decide them."
        },
    )
    facts_not_kept = ma.fields.Integer(
        required=True,
        metadata={"description": "About the tenant's own resources, whose properties are not kept."},
    )
    not_reproduced = ma.fields.Integer(
        required=True,
        metadata={
            "description": "The policy that made them no longer says the same, or failed then: not 0 is a "
            "defect; say so to whoever runs the service."
        },
    )


class ReplayBody(Shape):
    """Which decisions: the newest ones since an instant."""

    since = Instant(load_default=None, allow_none=True)
    limit = Whole(1, replays.MOST_DECISIONS, load_default=10_000)


class ReplayReply(Apart):
    """What a draft and the policy in force answer differently, on the facts as they were kept."""

    read = ma.fields.Integer(required=True)
    decided = ma.fields.Integer(required=True)
    newly_denied = ma.fields.Integer(required=True)
    newly_allowed = ma.fields.Integer(required=True)
    by_rule = ma.fields.List(ma.fields.Dict(), required=True)
    by_country = ma.fields.List(ma.fields.Dict(), required=True)
    samples = ma.fields.Dict(required=True)


class ShadowBody(Shape):
    """Until when."""

    until = Instant(required=True, metadata={"description": "At most 30 days away."})


class ShadowReply(Apart):
    """What a draft answered differently on the checks that went on."""

    state = ma.fields.String(required=True)
    until = ma.fields.String(required=True)
    counted_until = ma.fields.String(required=True, allow_none=True)
    decided = ma.fields.Integer(required=True)
    newly_denied = ma.fields.Integer(required=True)
    newly_allowed = ma.fields.Integer(required=True)
    by_rule = ma.fields.List(ma.fields.Dict(), required=True)
    by_country = ma.fields.List(ma.fields.Dict(), required=True)


@room.post("/v1/policies/<pack>/draft/test", scope="policies:write", effect=False)
@room.answers(200, TriedReply)
def test_draft(pack: str) -> Response:
    """Run the cases of the draft and all in force, which must hold; prove what no policy may ever allow."""
    with request_snapshot() as snapshot:
        stored = drafting.get(snapshot, pack)
        tried = drafting.try_cases(snapshot, pack)
    return reply(
        {
            "ok": tried.holds,
            "draft": stored.digest,
            "cases": len(tried.results),
            "own": sum(result.pack == pack for result in tried.results),
            "failed": [
                {
                    "pack": result.pack,
                    "case": result.name,
                    "own": result.pack == pack,
                    "file": where.file,
                    "line": where.line,
                    "sentence": where.sentence,
                }
                for result, where in zip(tried.failed, tried.failures, strict=True)
            ],
            "problems": [
                {"file": one.file, "line": one.line, "sentence": one.sentence} for one in tried.problems
            ],
            "invariants": tried.proof.invariants,
            "counter_examples": [
                {**example.document(), "file": where.file, "line": where.line}
                for example, where in zip(tried.proof.found, tried.broken, strict=True)
            ],
        }
    )


@room.post("/v1/policies/<pack>/draft/replay", scope="policies:write", effect=False)
@room.body(ReplayBody)
@room.answers(200, ReplayReply)
def replay(body: Mapping[str, Any], pack: str) -> Response:
    """Decide kept decisions again by the draft and by what is in force: newly denied, newly allowed.

    At most 100,000, the newest first; samples are ids of decisions.
    """
    with request_snapshot() as snapshot:
        stored, checked = drafting.candidate(snapshot, pack)
        found = replays.replay(snapshot, compile_policy(checked), since=body["since"], limit=body["limit"])
    return reply({"draft": stored.digest, **found})


@room.post("/v1/policies/<pack>/draft/shadow", scope="policies:write")
@room.body(ShadowBody)
@room.answers(201, ShadowReply)
def start_shadow(body: Mapping[str, Any], pack: str) -> Response:
    """Let the draft as it stands be decided beside what is in force; it changes and slows no answer."""
    with request_snapshot() as snapshot:
        stored, checked = drafting.candidate(snapshot, pack)

    def effect(work: Work) -> Reply:
        return Reply(201, shadows.start(work, stored, checked, body["until"]), kept={"pack": pack})

    return act(effect, again=lambda work, _: Reply(201, shadows.get(work, pack)))


@room.post("/v1/policies/<pack>/draft/shadow/stop", scope="policies:write")
@room.answers(200, ShadowReply)
def stop_shadow(pack: str) -> Response:
    """Stop it; what was counted stays to be read."""
    return act(
        lambda work: Reply(200, shadows.stop(work, pack), kept={"pack": pack}),
        again=lambda work, _: Reply(200, shadows.get(work, pack)),
    )


@room.get("/v1/policies/<pack>/draft/shadow", scope="policies:read")
@room.answers(200, ShadowReply)
def get_shadow(pack: str) -> Response:
    """Say what the newest shadow of a pack has counted, some seconds behind, by rule and country."""
    with request_snapshot() as snapshot:
        return reply(shadows.get(snapshot, pack))
