"""The fast path of imports: hundreds of acts in one transaction, with a ledger event each."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from governance.consent import acts, attesting, store
from governance.consent.acts import SUPPRESSION_SCOPES, Draft, ImportedAct
from governance.consent.consents import check_purpose
from governance.consent.kinds import CONSENT, OBJECTION, PROFILING, REQUEST, SCOPE_KIND
from governance.consent.model import ALL, Cell
from governance.consent.outcomes import payload_of
from governance.consent.projection import ConsentEvent, Place, kind_of_grant
from governance.consent.proof import check_method, is_act, is_proven
from governance.consent.recording import advance, record
from governance.consent.suppression_store import StoredBar
from governance.errors import GovernanceError, InvalidError
from governance.happened import happened_at
from governance.subjects import service as subjects
from governance.vault.service import Vault
from governance.work import Work


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What became of one row: the act's id and event ('' if it said nothing new), or why it was not taken."""

    consent_id: str
    event_id: str
    refusal: GovernanceError | None = None


def record_many(work: Work, rows: Sequence[ImportedAct]) -> list[BulkOutcome]:
    """Record imported acts, an outcome per row in the same order; a row that cannot be taken stops no other.

    The database is asked once for what is known of all these people; no receipt is made (`receipts.receipt`
    makes one when it is asked for). The caller has looked the people up and holds their locks
    (`subjects.service.put_many` does both), and commits some hundred rows at a time.
    """
    versions: dict[str | None, tuple[str, int | None]] = {}
    drafts: dict[int, Draft] = {}
    refused: dict[int, GovernanceError] = {}
    fenced = subjects.has_erased(work)
    for number, row in enumerate(rows):
        try:
            if fenced and row.occurred_at is not None and row.status in ("requested", "granted"):
                subjects.check_after_fence(work, subjects.get_by_ref(work, row.subject_ref), row.occurred_at)
            if row.purpose not in versions:
                versions[row.purpose] = check_purpose(work, row.purpose)
            drafts[number] = _draft(work, row, *versions[row.purpose])
        except GovernanceError as error:
            refused[number] = error
    refs = [rows[number].subject_ref for number in drafts]
    sealing = [rows[number].subject_ref for number, draft in drafts.items() if draft.payload]
    if sealing:
        work.resource(Vault).ensure_keys(work.tenant_id, list(dict.fromkeys(sealing)))
    last = store.last_seqs(work.connection, work.tenant_id, refs)
    cells = store.cells_of_many(work.connection, work.tenant_id, refs)
    events: list[ConsentEvent] = []
    bars: list[StoredBar] = []
    changed: dict[str, dict[tuple[str, ...], Cell]] = defaultdict(dict)
    outcomes: dict[int, BulkOutcome] = {}
    for number, draft in drafts.items():
        ref = rows[number].subject_ref
        if _is_known(draft, cells.get(ref, {})):
            outcomes[number] = BulkOutcome("", "")
            continue
        try:
            new = record(work, ref, draft, last.get(ref, 0) + 1)
        except GovernanceError as error:  # evidence that cannot be sealed
            refused[number] = error
            continue
        last[ref] = new[-1].seq
        known = cells.setdefault(ref, {})
        for cell in advance(known, new):
            known[cell.place] = cell
            changed[ref][cell.place] = cell
        events += new
        bars += _bars(work, rows[number], new[0])
        outcomes[number] = BulkOutcome(draft.consent_id, new[0].event_id)
    store.add_events(work.connection, work.tenant_id, events)
    store.put_cells(
        work.connection, work.tenant_id, {ref: list(each.values()) for ref, each in changed.items()}
    )
    attesting.keep(work, bars)
    return [outcomes.get(number) or BulkOutcome("", "", refused.get(number)) for number in range(len(rows))]


def _draft(work: Work, row: ImportedAct, purpose: str, version: int | None) -> Draft:
    """Turn a row into a draft; InvalidError for what makes no sense."""
    is_no = row.status not in ("requested", "granted")
    method = check_method(row.method, negative=is_no)
    at = acts.clamped(row.occurred_at, work.now) if is_no else happened_at(row.occurred_at, work.now)
    proven = row.status == "granted" and is_proven(method, evidence=row.evidence)
    kind, scope = _kind(row, proven=proven, by_person=is_act(method))
    if scope in ("marketing", "all", "undeliverable"):
        purpose, version = ALL, None
    elif not purpose and kind != PROFILING and row.status not in ("refused", "withdrawn"):
        complaint = "A consent, and an objection to a purpose, names its purpose."
        raise InvalidError(complaint, fields={"purpose": [complaint]})
    points: tuple[str, ...] = (ALL,)
    if not is_no:
        points = (row.point_ref,) if row.point_ref else (ALL, *row.open_points)
    return Draft(
        consent_id=work.new_id("con" if row.status in acts.CONSENT_STATUSES else scope_prefix(row.status)),
        kind=kind,
        status=row.status,
        scope=scope,
        method=method,
        by_person=is_act(method),
        occurred_at=at,
        purpose=purpose,
        controller=acts.check_code("controller", row.controller),
        channel=acts.check_channel(row.channel),
        topic=acts.check_code("topic", row.topic),
        point_refs=points,
        proven=proven,
        expires_at=None if is_no else acts.check_expiry(row.expires_at, at),
        purpose_version=version,
        reason="import" if is_no else None,
        payload=payload_of(row.evidence),
    )


def _is_known(draft: Draft, cells: Mapping[Place, Cell]) -> bool:
    """Whether a no stands already, just so, and the person has said no yes since: a file that comes twice.

    After a yes the repeated no counts, since nobody can tell that it is the old one.
    """
    place = (draft.purpose, draft.controller, draft.channel, draft.topic, ALL, draft.kind)
    cell = cells.get(place)
    if draft.status in ("requested", "granted") or cell is None or cell.neg_seq is None:
        return False
    return cell.neg_status == draft.scope and all(
        (each.pos_seq or 0) < cell.neg_seq for each in cells.values()
    )


def scope_prefix(status: str) -> str:
    """The id prefix of an objection or a suppression."""
    return "obj" if status == "objected" else "sup"


def _kind(row: ImportedAct, *, proven: bool, by_person: bool) -> tuple[str, str]:
    """The kind of cell and the scope of a row."""
    if row.status == "objected":
        scope = acts.check_scope(row.scope or "all", acts.OBJECTION_SCOPES)
        if scope == "profiling":
            return PROFILING, "profiling"
        return OBJECTION, "marketing" if scope == "all" else "purpose"
    if row.status == "suppressed":
        scope = acts.check_scope(row.scope or "marketing", SUPPRESSION_SCOPES)
        return SCOPE_KIND[scope], scope
    status = acts.check_status(row.status)
    if status == "requested":
        return REQUEST, status
    return (CONSENT if status != "granted" else kind_of_grant(proven=proven, by_person=by_person)), status


def _bars(work: Work, row: ImportedAct, event: ConsentEvent) -> list[StoredBar]:
    """The bar that a withdrawal leaves on the contact point it names, for everyone else who shares it."""
    if row.status != "withdrawn" or row.suppression_hash is None:
        return []
    return [
        StoredBar(
            row.suppression_hash,
            work.new_id("sup"),
            "purpose",
            event.purpose,
            event.controller,
            event.channel,
            event.topic,
            event.subject_ref,
            "withdrawn",
            event.occurred_at,
            event.recorded_at,
            None,
            event.event_id,
        )
    ]
