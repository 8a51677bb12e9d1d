"""The audit trail: ledger entries, checkpoints, proofs, the export; and what was decided."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import marshmallow as ma
from flask import Response

from api.disclosures import disclose, disclose_anybody, of_those_named
from api.rooms import Room
from api.runtime import (
    page,
    page_from,
    read_cursor,
    reply,
    request_snapshot,
    request_work,
    streamed,
    this_runtime,
)
from api.shapes import Answer, Instant, Listing, Page
from api.subject_documents import entry as entry_document
from governance.decisions import service as decisions
from governance.ledger import service as ledger
from governance.ledger.export import export_lines
from governance.ledger.part import part_lines
from governance.subjects import service as subjects
from governance.subjects.identifiers import check_external_id
from governance.work import Snapshot

room = Room("audit", description="The ledger, its proofs, and what was decided.")

SIGNER = "governance"
"""The name under which checkpoints are signed."""

_TEXT = {"type": "string"}
_MOST = 2**53 - 1


class InclusionQuery(ma.Schema):
    """Which entry, in a tree of which size."""

    position = ma.fields.Integer(required=True, validate=ma.validate.Range(0, _MOST))
    size = ma.fields.Integer(required=True, validate=ma.validate.Range(1, _MOST))


class ConsistencyQuery(ma.Schema):
    """From which size to which."""

    from_ = ma.fields.Integer(data_key="from", required=True, validate=ma.validate.Range(1, _MOST))
    to = ma.fields.Integer(required=True, validate=ma.validate.Range(1, _MOST))


class DecisionsQuery(Page):
    """Which decisions: of one person (the CRM's opaque id), between instants, with one answer."""

    subject = ma.fields.String(validate=ma.validate.Length(1, 128))
    from_ = Instant(data_key="from")
    to = Instant()
    decision = ma.fields.String(validate=ma.validate.OneOf(["allow", "deny"]))


class ExportQuery(ma.Schema):
    """A period, by when things were recorded; nothing: all."""

    from_ = Instant(data_key="from")
    to = Instant(metadata={"description": "Up to this instant, which is not included."})


class Proof(Answer):
    """A Merkle proof (RFC 9162): hashes in hexadecimal, from the leaf upwards."""

    hashes = ma.fields.List(ma.fields.String(), required=True)


class DecisionReply(Answer):
    """A decision with its question, facts, rules and answer."""

    id = ma.fields.String(required=True)
    decision = ma.fields.Boolean(required=True)


@room.get("/v1/audit/entries", scope="audit:read")
@room.query(Page)
@room.answers(200, Listing)
def list_entries(query: Mapping[str, Any]) -> Response:
    """List what was recorded, in the order of the ledger."""
    with request_snapshot() as snapshot:
        cursor = read_cursor(snapshot, "entries", query.get("after"))
        found = ledger.entries(
            snapshot.connection,
            snapshot.tenant_id,
            after=cursor[0] if cursor else -1,
            limit=query["limit"] + 1,
        )
        items = [entry_document(each) for each in found]
        return reply(page(snapshot, "entries", items, query["limit"], lambda item: [item["position"]]))


@room.get("/v1/audit/checkpoint", scope="audit:read")
@room.answers(200, _TEXT, content_type="text/plain", description="A C2SP signed note.")
def checkpoint() -> Response:
    """Give the signed head of the ledger as it is now."""
    return Response(_signed_head(), content_type="text/plain; charset=utf-8")


@room.get("/v1/audit/proofs/inclusion", scope="audit:read")
@room.query(InclusionQuery)
@room.answers(200, Proof)
def inclusion(query: Mapping[str, int]) -> Response:
    """Prove that an entry is in the tree of its first `size` entries."""
    with request_snapshot() as snapshot:
        at = (snapshot.connection, snapshot.tenant_id)
        hashes = ledger.inclusion(*at, query["position"], query["size"])
        [proven] = ledger.entries(*at, after=query["position"] - 1, limit=1)
        return reply(
            {
                "position": query["position"],
                "size": query["size"],
                "leaf_hash": proven.leaf_hash.hex(),
                "root": ledger.root_at(*at, query["size"]).hex(),
                "hashes": [each.hex() for each in hashes],
            }
        )


@room.get("/v1/audit/proofs/consistency", scope="audit:read")
@room.query(ConsistencyQuery)
@room.answers(200, Proof)
def consistency(query: Mapping[str, int]) -> Response:
    """Prove that the ledger of size `from` is the beginning of that of size `to`."""
    with request_snapshot() as snapshot:
        at = (snapshot.connection, snapshot.tenant_id)
        hashes = ledger.consistency(*at, query["from_"], query["to"])
        return reply(
            {
                "from": query["from_"],
                "to": query["to"],
                "from_root": ledger.root_at(*at, query["from_"]).hex(),
                "to_root": ledger.root_at(*at, query["to"]).hex(),
                "hashes": [each.hex() for each in hashes],
            }
        )


@room.get("/v1/audit/export", scope="audit:read")
@room.query(ExportQuery)
@room.answers(200, _TEXT, content_type="application/x-ndjson", description="One JSON document a line.")
@room.refuses(409)
def export(query: Mapping[str, Any]) -> Response:
    """Stream the whole ledger, or a period of it; the last line holds the checkpoint and the public key.

    `governance audit verify FILE` checks either offline. A period is proved to be whole: no entry of it is
    missing.
    """
    _signed_head()
    vkey = this_runtime().vault.checkpoint_signer(SIGNER).vkey

    def lines(snapshot: Snapshot) -> Iterator[bytes]:
        at = (snapshot.connection, snapshot.tenant_id)
        if not query:
            found = export_lines(*at, vkey=vkey)
        else:
            since = query.get("from_", datetime(1970, 1, 1, tzinfo=UTC))
            found = part_lines(*at, since=since, until=query.get("to", snapshot.now), vkey=vkey)
        return (line.encode() for line in found)

    return streamed(lines, "application/x-ndjson")


@room.get("/v1/decisions/<decision_id>", scope="audit:read", discloses=of_those_named("decisions"))
@room.answers(200, DecisionReply)
def get_decision(decision_id: str) -> Response:
    """Give a decision: what was asked, what was known, which rules spoke, what was answered."""
    with request_snapshot() as snapshot:
        found = decisions.find(snapshot, decision_id)
        disclose(snapshot, [found.subject_ref])
        return reply(found.document())


@room.get("/v1/decisions", scope="audit:read", discloses=of_those_named("decisions"))
@room.query(DecisionsQuery)
@room.answers(200, Listing)
@room.refuses(404)
def list_decisions(query: Mapping[str, Any]) -> Response:
    """List what was decided, newest first: checks and acts."""
    with request_snapshot() as snapshot:
        cursor = read_cursor(snapshot, "decisions", query.get("after"))
        subject = query.get("subject")
        ref = None if subject is None else subjects.get(snapshot, check_external_id(subject)).subject_ref
        if ref is None:
            disclose_anybody(snapshot)
        else:
            disclose(snapshot, [ref])
        answer = query.get("decision")
        found, more = decisions.page(
            snapshot,
            subject_ref=ref,
            since=query.get("from_"),
            until=query.get("to"),
            allowed=None if answer is None else answer == "allow",
            after=cursor[0] if cursor else None,
            limit=query["limit"],
        )
        return reply(page_from(snapshot, "decisions", [each.document() for each in found], more))


def _signed_head() -> str:
    """Sign the ledger's head, unless it is signed already."""
    signer = this_runtime().vault.checkpoint_signer(SIGNER)
    with request_work() as work:
        return ledger.checkpoint(work, signer)
