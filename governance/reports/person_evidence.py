"""Everything that can be proved about one person, in one file that verifies offline.

The file is a ZIP: every entry of the ledger about the person with its inclusion proof, what was sealed with
consents, the notices that were shown, the messages with the decisions behind them, a signed checkpoint and a
signed manifest. `check_person_evidence` verifies it with public keys only.
"""

from dataclasses import dataclass

from governance.clock import wire
from governance.communications import store as messages
from governance.communications.evidence import ledger_files, notice_texts, sealed_acts, written, zipped
from governance.communications.evidence_check import (
    Doubt,
    check_consents,
    check_ledger,
    check_manifest,
    check_notices,
    digest,
    read_files,
    read_object,
)
from governance.consent.store import events_of
from governance.decisions import service as decisions
from governance.decisions.keeping import evidence_of
from governance.errors import ConflictError, NotFoundError
from governance.ledger import service as ledger
from governance.ledger.note import NoteError, Signer, parse_vkey, verify_checkpoint
from governance.subjects import service as subjects
from governance.work import Work

FORMAT = "governance-person-evidence/1"
MOST_ENTRIES = 4_000
_MUST = frozenset({"checkpoint.txt", "key.txt", "person.json", "ledger/proofs.json"})


def gather(work: Work, external_id: str, signer: Signer) -> bytes:
    """Make the evidence of a person, named by the CRM's id: a ZIP. That it was asked for is recorded first.

    Raises NotFoundError for nobody, ConflictError `too-much` where more is recorded than a file may hold.
    """
    person = subjects.get(work, external_id)
    work.record("reports.evidence_disclosed", subject_ref=person.subject_ref)
    work.seal()
    note = ledger.checkpoint(work, signer)
    refs = subjects.group(work, person.subject_ref)
    at = (work.connection, work.tenant_id)
    entries = [
        entry
        for ref in refs
        for entry in ledger.entries(*at, after=-1, limit=MOST_ENTRIES + 1, subject_ref=ref)
    ]
    if len(entries) > MOST_ENTRIES:
        raise ConflictError(
            "More is recorded about this person than one file holds; export the ledger instead.",
            reason="too-much",
        )
    said = [event for ref in refs for event in events_of(*at, ref)]
    texts, told = notice_texts(work, said)
    files = {"checkpoint.txt": note.encode(), "key.txt": f"{signer.vkey}\n".encode()} | texts
    files |= sealed_acts(work, said)
    lines = []
    for message in messages.of_subjects(*at, refs, after=None, limit=MOST_ENTRIES):
        kept = _decision(work, message.decision_id)
        if kept is not None:
            files[f"decisions/{message.event_id}.json"] = kept
        lines.append(message.document() | {"event_id": message.event_id})
    files["person.json"] = written(
        {
            "id": external_id,
            "subject_refs": list(refs),
            "made_at": wire(work.now),
            "entries": len(entries),
            "messages": lines,
        }
    )
    event_ids = [*(entry.event_id for entry in sorted(entries, key=lambda each: each.position)), *told]
    files |= ledger_files(work, list(dict.fromkeys(event_ids)))
    return zipped(files, FORMAT, signer)


def _decision(work: Work, decision_id: str) -> bytes | None:
    try:
        return evidence_of(decisions.find(work, decision_id))
    except NotFoundError:  # ended at its own term
        return None


@dataclass(frozen=True, slots=True)
class PersonEvidence:
    """What the check found; `key_was_embedded`: checked with the key inside only."""

    ok: bool
    problems: tuple[str, ...]
    entries: int = 0
    messages: int = 0
    vkey: str | None = None
    key_was_embedded: bool = False


def is_person_evidence(raw: bytes) -> bool:
    """Whether a file says that it is the evidence of a person."""
    try:
        return read_files(raw, frozenset({"manifest.txt"}))["manifest.txt"].startswith(FORMAT.encode())
    except Doubt:
        return False


def check_person_evidence(raw: bytes, *, vkey: str | None = None) -> PersonEvidence:
    """Check a ZIP that `gather` made; `vkey` is the key that you trust."""
    try:
        files = read_files(raw, _MUST)
        text = vkey or files["key.txt"].decode().strip()
        key = parse_vkey(text)
        if files["key.txt"].decode().strip() != text:
            raise Doubt("The file names another key than the given one.")
        check_manifest(files, key, FORMAT)
        leaves = check_ledger(files, verify_checkpoint(files["checkpoint.txt"].decode(), [key]))
        person = read_object(files, "person.json")
        refs = set(person["subject_refs"])
        own = [leaf for leaf in leaves.values() if leaf["subject"] in refs]
        if len(own) != person["entries"]:
            raise Doubt("Entries of the ledger about the person are missing.")
        for message in person["messages"]:
            _check_message(files, message, leaves[message["event_id"]])
        check_consents(files, leaves)
        check_notices(files, leaves)
    except (Doubt, NoteError) as problem:
        return PersonEvidence(False, (str(problem),))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return PersonEvidence(False, ("The file is not of the form of evidence, or was cut short.",))
    return PersonEvidence(True, (), len(own), len(person["messages"]), key.text, vkey is None)


def _check_message(files: dict[str, bytes], message: dict[str, str], leaf: dict[str, dict[str, str]]) -> None:
    facts = leaf["facts"]
    if (message["id"], message["purpose"], message["channel"]) != (
        facts["message"],
        facts["purpose"],
        facts["channel"],
    ):
        raise Doubt("A message is not the one that was authorised.")
    name = f"decisions/{message['event_id']}.json"
    if name in files and facts["decision_sha256"] != digest(files[name]):
        raise Doubt("A decision is not what the ledger committed to.")
