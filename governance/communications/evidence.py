"""The evidence of one message, in one file: what was known, asked, decided and done, and the proof of it.

The file is a ZIP: the message with its outcomes, the decision with its facts, the whole policy it was made
by, the consent events with what the person saw and did, the notices, the ledger's leaves with their inclusion
proofs, a signed checkpoint, and a manifest of all their digests, signed with the same key. `evidence_check`
verifies it without this service.
"""

import base64
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import rfc8785

from governance.clock import wire
from governance.communications import store
from governance.communications.evidence_check import FORMAT, MANIFEST, digest
from governance.communications.messages import Message
from governance.consent import notice_store
from governance.consent.projection import ConsentEvent
from governance.consent.store import events_of
from governance.decisions import service as decisions
from governance.decisions.keeping import evidence_of
from governance.errors import NotFoundError, UnreadableError
from governance.ledger import service as ledger
from governance.ledger.note import Signer, sign_note
from governance.ledger.store import entry_of
from governance.policy import service as policies
from governance.policy.store import document as policy_document
from governance.subjects import service as subjects
from governance.vault.model import EVIDENCE, evidence_place, unpack_evidence
from governance.vault.service import Vault
from governance.work import Snapshot, Work

_EPOCH = (1980, 1, 1, 0, 0, 0)


def find(snap: Snapshot, message: str) -> Message:
    """The message of our reference, else of the caller's `message_id`; NotFoundError."""
    found = store.find_by_ref(snap.connection, snap.tenant_id, message)
    found = found or store.find(snap.connection, snap.tenant_id, message)
    if found is None:
        raise NotFoundError("There is no message with this id.")
    return found


def gather(work: Work, message: str, signer: Signer) -> bytes:
    """Make the evidence of a message, named by our reference or by the caller's `message_id`: a ZIP.

    It shows what is sealed for claims, so that it was asked for is recorded first, and lies in the ledger
    that the checkpoint signs. Raises NotFoundError if there is no such message.
    """
    found = find(work, message)
    facts = {"message": found.message_ref}
    work.record("communications.evidence_disclosed", subject_ref=found.subject_ref, facts=facts)
    work.seal()
    note = ledger.checkpoint(work, signer)
    files: dict[str, bytes] = {"checkpoint.txt": note.encode(), "key.txt": f"{signer.vkey}\n".encode()}
    outcomes = store.outcomes(work.connection, work.tenant_id, [found.message_ref])
    files["message.json"] = written(
        found.document()
        | {"commercial": found.commercial, "event_id": found.event_id}
        | {"outcomes": [each.document() | {"event_id": each.event_id} for each in outcomes]}
    )
    decision = decisions.find(work, found.decision_id)
    files["decision.json"] = evidence_of(decision)
    said = _consents(work, found)
    events = [found.event_id, *(each.event_id for each in outcomes), *(each.event_id for each in said)]
    files |= _policy(work, decision.policy, decision.body or {})
    files |= sealed_acts(work, said)
    texts, told = notice_texts(work, said)
    files |= texts
    files |= ledger_files(work, list(dict.fromkeys([*events, *told])))
    return zipped(files, FORMAT, signer)


def _consents(work: Work, message: Message) -> list[ConsentEvent]:
    """What the person had said by then that may speak about the message, in order."""
    person = subjects.find_by_ref(work, message.subject_ref)
    refs = dict.fromkeys((message.subject_ref, message.subject_ref if person is None else person.subject_ref))
    said: dict[str, ConsentEvent] = {}
    for ref in refs:
        for event in events_of(work.connection, work.tenant_id, ref):
            if (
                event.recorded_at <= message.authorised_at
                and event.purpose in ("", message.purpose)
                and event.channel in ("", message.channel)
            ):
                said.setdefault(event.event_id, event)
    return list(said.values())


def _policy(work: Work, policy: str, body: Mapping[str, Any]) -> dict[str, bytes]:
    """The policy as it was compiled, and in sentences the rules that spoke."""
    compiled = policies.by_digest(work.connection, policy)
    sentences = compiled.text()
    spoke = {*body.get("permits", ()), *(each["rule"] for each in body.get("reasons", ()))}
    rules = [
        {
            "rule": rule.id,
            "effect": rule.effect.value,
            "sentence": sentences.get(rule.id),
            "because": rule.because,
            "cites": list(rule.cites),
            "source": list(rule.source),
            "verified": rule.verified,
        }
        for pack in compiled.packs
        for rule in pack.rules
        if rule.id in spoke
    ]
    return {
        "policy/policy.json": policy_document(work.connection, policy) or b"",
        "policy/rules-that-spoke.json": written(rules),
    }


def sealed_acts(work: Work, said: list[ConsentEvent]) -> dict[str, bytes]:
    """What was sealed with each act, with the salt of its commitment; without those whose key is gone."""
    files: dict[str, bytes] = {}
    vault = work.resource(Vault)
    for event in said:
        entry = entry_of(work.connection, work.tenant_id, event.event_id)
        if entry is None or entry.payload is None or entry.subject_ref is None:
            continue
        place = evidence_place(event.event_id)
        try:
            packed = vault.reveal(work.tenant_id, entry.subject_ref, EVIDENCE, place, entry.payload)
            salt, payload = unpack_evidence(packed)
        except UnreadableError:
            continue
        files[f"consent/{event.event_id}.json"] = written(
            {
                "event_id": event.event_id,
                "tenant_id": work.tenant_id,
                "subject_ref": entry.subject_ref,
                "salt": salt.hex(),
                "payload": base64.b64encode(payload).decode(),
                "readable": json.loads(payload),
            }
        )
    return files


def notice_texts(work: Work, said: list[ConsentEvent]) -> tuple[dict[str, bytes], list[str]]:
    """The texts of the notices that the acts name, and the events by which they were put."""
    files: dict[str, bytes] = {}
    told: list[str] = []
    for event in said:
        if event.notice_id is None or event.notice_version is None:
            continue
        for text in notice_store.notices(
            work.connection, work.tenant_id, event.notice_id, event.notice_version
        ):
            if event.notice_language in (None, text.language):
                files[f"notices/{text.event_id}.{text.language}.txt"] = text.text.encode()
                told.append(text.event_id)
    return files, told


def ledger_files(work: Work, event_ids: list[str]) -> dict[str, bytes]:
    """The leaves of these events, byte for byte, and the proof that each lies in the signed tree."""
    files: dict[str, bytes] = {}
    size, _ = ledger.head(work.connection, work.tenant_id)
    proofs: dict[str, list[str]] = {}
    for event_id in event_ids:
        entry = ledger.entry(work.connection, work.tenant_id, event_id)
        path = ledger.inclusion(work.connection, work.tenant_id, entry.position, size)
        files[f"ledger/{entry.position}.json"] = entry.leaf
        proofs[str(entry.position)] = [each.hex() for each in path]
    files["ledger/proofs.json"] = written({"size": size, "proofs": proofs, "made_at": wire(work.now)})
    return files


def written(value: Any) -> bytes:
    """A value as canonical JSON."""
    return rfc8785.dumps(value)


def zipped(unsigned: Mapping[str, bytes], form: str, signer: Signer) -> bytes:
    """The files in a ZIP with a manifest of their digests, signed."""
    lines = [form, *(f"{digest(unsigned[name])} {name}" for name in sorted(unsigned))]
    files = {**unsigned, MANIFEST: sign_note("".join(f"{line}\n" for line in lines), signer).encode()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()
