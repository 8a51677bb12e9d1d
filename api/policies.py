"""Policies in force: packs, rules, sentences."""

import json
from typing import Any

import marshmallow as ma
from flask import Response

from api.rooms import Room
from api.runtime import reply, request_snapshot
from api.shapes import Answer, Listing
from governance.errors import NotFoundError
from governance.policy import service as policies
from governance.policy import store
from governance.policy.compiled import CompiledPolicy
from governance.policy.model import CheckedPack
from governance.work import Snapshot

room = Room("policies", description="The rules in force, as text and as sentences.")


class PackReply(Answer):
    """A pack: its rules with a sentence for each, and the cases that prove it."""

    pack = ma.fields.String(required=True)
    digest = ma.fields.String(required=True)
    rules = ma.fields.List(ma.fields.Dict(), required=True)


@room.get("/v1/policies", scope="policies:read")
@room.answers(200, Listing)
def list_packs() -> Response:
    """List the packs in force, and the digest of all of them."""
    with request_snapshot() as snapshot:
        policy = policies.active(snapshot.connection, snapshot.tenant_id)
        items = [_summary(pack) for pack in policy.packs]
        return reply({"digest": policy.digest, "items": items, "next": None})


@room.get("/v1/policies/<pack>", scope="policies:read")
@room.answers(200, PackReply)
def get_pack(pack: str) -> Response:
    """Give a pack: its text, rules, sentences and cases."""
    with request_snapshot() as snapshot:
        policy = policies.active(snapshot.connection, snapshot.tenant_id)
        found = next((each for each in policy.packs if each.name == pack), None)
        if found is None:
            raise NotFoundError("There is no pack of this name in force.")
        return reply(
            {
                **_summary(found),
                "digest": policy.digest,
                "rules": _rules(policy, found),
                "text": _text(snapshot, policy, found),
            }
        )


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
        }
        for rule in pack.rules
    ]


def _text(snapshot: Snapshot, policy: CompiledPolicy, pack: CheckedPack) -> dict[str, Any]:
    """The pack's own document, and its cases beside it, as they were adopted."""
    kept = store.document(snapshot.connection, policy.digest)
    documents: dict[str, Any] = {} if kept is None else json.loads(kept)["documents"]
    stem = pack.file.removesuffix(".yaml")
    return {name: text for name, text in documents.items() if name in (pack.file, f"{stem}.cases.yaml")}
