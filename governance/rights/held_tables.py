"""Every table here that says something of a person, column by column: what the package of an access request
shows, and why it does not show the rest. A test fails for a column or table that neither is said of.

Shown under the name of the column, without `_sealed`. What is sealed is opened with the row's own key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from governance.access.store import break_glass
from governance.communications.cap_store import cap_counter
from governance.communications.override_store import policy_override
from governance.communications.preference_store import preference_link
from governance.communications.register_store import register_check
from governance.communications.review_store import inbound_review
from governance.communications.store import message
from governance.consent.expiry_store import consent_expiry
from governance.consent.reconfirmation_store import consent_reconfirmation
from governance.consent.tables import consent_confirmation, consent_event, suppression
from governance.decisions.store import decision
from governance.erasure.tables import erasure
from governance.lifecycle.store import inactivity_review, transition
from governance.retention.run_store import disposition
from governance.retention.store import governed_record
from governance.rights.lifting_store import restriction_notice
from governance.subjects.store import contact_point, relationship_event, subject, subject_stage
from governance.systems.store import system_task
from governance.vault.model import EVIDENCE, OPERATIONAL

INNER = "The name of a row here, which means nothing outside, or a number that orders rows."
KEYED = "A keyed hash: made of a value that is shown, and readable by nobody."
MACHINE = "How a job is doing; nothing about the person."
STAFF = "Which member of staff or program it was: their data, not the person's (Art. 15(4))."
AGAIN = "It is shown in another place of the package."
WITHHELD = "What a legal hold is about is told to nobody outside; that there is one is shown (Art. 15(4))."
TRANSIENT = "Kept for hours or days to end one piece of work, by nobody's name."
UNSEARCHABLE = "Sealed as a whole under a key of its own: nobody can find a person in it, and it goes soon."
NOBODYS = "Of a system, a member of staff or another controller, not of a data subject."

_INNER = ("tenant_id", "subject_ref", "event_id")


@dataclass(frozen=True, slots=True)
class Held:
    """One table. `data_class`: the class of its rows, or `=column`. `at`: the column that their term begins
    with. `sealed`: kind of key by column; `row_id`: the column that names their cell. `by`: the column that
    finds a person's rows, by the person's reference or (`suppression_hash`) by an address of theirs.
    """

    title: str
    data_class: str
    table: sa.Table
    shown: tuple[str, ...]
    at: str
    left: Mapping[str, str] = field(default_factory=dict)
    sealed: Mapping[str, str] = field(default_factory=dict)
    row_id: str = "subject_ref"
    by: str = "subject_ref"

    @property
    def accounted(self) -> frozenset[str]:
        """The columns of which it is said what becomes of them."""
        return frozenset((*_INNER, *self.shown, *self.sealed, *self.left))


def _all(reason: str, *columns: str) -> dict[str, str]:
    return dict.fromkeys(columns, reason)


HELD: tuple[Held, ...] = (
    Held(
        "profile", "identification", subject,
        ("external_id", "country", "region", "time_zone", "language", "customer_type", "organisation_id",
         "organisation_country", "acquired", "acquired_at", "capture_point", "source_channel",
         "stage_relationship", "stage_since", "restricted", "erasure_pending", "last_purchase_at",
         "last_inquiry_at", "last_contact_at", "contract_state", "contract_ended_at", "subscription_state",
         "subscription_ended_at", "notice_given", "invoice_open", "warranty_open", "dispute_open",
         "created_at", "updated_at"),
        "created_at",
        _all(AGAIN, "birth_month", "held", "erased") | _all(INNER, "merged_into"),
        {"birth_date_sealed": OPERATIONAL, "source_url_sealed": OPERATIONAL},
    ),
    Held(
        "contact_points", "contact_details", contact_point,
        ("type", "country", "state", "verified", "subscriber", "since"), "since",
        _all(KEYED, "blind_index", "suppression_hash") | _all(INNER, "point_ref", "origin_ref"),
        {"value_sealed": OPERATIONAL}, "point_ref",
    ),
    Held("stages", "identification", subject_stage, ("model", "stage", "since"), "since"),
    Held(
        "transitions", "interactions", transition, ("model", "from_stage", "to_stage", "occurred_at"),
        "occurred_at", _all(INNER, "transition_id", "decision_id"),
        {"because_sealed": EVIDENCE, "evidence_sealed": EVIDENCE}, "transition_id",
    ),
    Held(
        "inactivity", "interactions", inactivity_review,
        ("model", "from_stage", "to_stage", "state", "last_act_at", "warned_at", "due_at", "resets_at",
         "closed_at", "closed_because", "kept_until"),
        "last_act_at", _all(INNER, "review_id"),
    ),
    Held(
        "events", "transactions", relationship_event,
        ("event", "occurred_at", "product_family", "opt_out_offered"), "occurred_at",
        _all(INNER, "seq", "relationship_event_id", "point_ref") | _all(KEYED, "matter"),
        {"reference_sealed": OPERATIONAL}, "relationship_event_id",
    ),
    Held(
        "consents", "consent_proofs", consent_event,
        ("kind", "purpose", "controller", "channel", "topic", "status", "scope", "method", "reason",
         "by_person", "guardian", "proven", "double_opt_in", "occurred_at", "recorded_at", "expires_at",
         "notice_id", "notice_version", "notice_language"),
        "occurred_at",
        _all(INNER, "seq", "consent_id", "purpose_version", "merged_from") | _all(AGAIN, "point_ref"),
    ),
    Held(
        "confirmations", "consent_proofs", consent_confirmation,
        ("expires_at", "grant_expires_at", "used_at"), "expires_at",
        _all(KEYED, "token_sha256") | _all(INNER, "consent_id"),
    ),
    Held(
        "reconfirmations", "consent_proofs", consent_reconfirmation,
        ("purpose", "controller", "channel", "topic", "given_at", "look_again_at", "due_at"), "given_at",
    ),
    Held(
        "expiries", "consent_proofs", consent_expiry, ("expired_at", "noted_at"), "noted_at",
        _all(INNER, "grant_event_id"),
    ),
    Held(
        "suppressions", "suppressions", suppression,
        ("scope", "purpose", "controller", "channel", "topic", "reason", "occurred_at", "recorded_at",
         "released_at"),
        "occurred_at",
        _all(INNER, "suppression_id", "origin_subject_ref") | _all(KEYED, "suppression_hash"),
        by="suppression_hash",
    ),
    Held(
        "registers", "telemarketing_records", register_check,
        ("register", "listed", "checked_at", "recorded_at"), "checked_at",
        _all(KEYED, "suppression_hash"), by="suppression_hash",
    ),
    Held(
        "messages", "messages", message,
        ("message_id", "purpose", "channel", "message_class", "commercial", "topic", "campaign", "status",
         "authorised_at", "hand_over_by"),
        "authorised_at",
        _all(INNER, "message_ref", "screening_id", "decision_id") | _all(AGAIN, "point_ref"),
    ),
    Held(
        "preference_links", "messages", preference_link, ("created_at", "expires_at"), "created_at",
        _all(INNER, "link_id"),
    ),
    Held(
        "caps", "messages", cap_counter, ("cap_id", "window_start", "window_end", "taken"), "window_start",
    ),
    Held(
        "inbound", "messages", inbound_review,
        ("kind", "channel", "received_at", "due_at", "state", "resolution", "resolved_at"), "received_at",
        _all(INNER, "review_id", "key_ref") | _all(MACHINE, "leaving"),
        {"content_sealed": OPERATIONAL}, "review_id", "key_ref",
    ),
    Held(
        "overrides", "decisions", policy_override,
        ("rule", "purpose", "state", "requested_at", "expires_at", "decided_at", "ended_at"), "requested_at",
        _all(INNER, "override_id") | _all(STAFF, "requested_by", "decided_by", "ended_by"),
        {"reason_sealed": EVIDENCE}, "override_id",
    ),
    Held(
        "decisions", "decisions", decision, ("at", "action", "allowed", "codes"), "at",
        _all(INNER, "decision_id", "digest", "position") | _all(STAFF, "caller_ref")
        | {"body": "The facts that were weighed are those of the other parts, as they were then."},
    ),
    Held(
        "accesses", "access_logs", break_glass,
        ("fields", "opened_at", "expires_at", "review", "reviewed_at"), "opened_at",
        _all(INNER, "grant_id") | _all(STAFF, "asker_type", "asker_id", "opened_by", "reviewed_by"),
        {"reason_sealed": EVIDENCE, "note_sealed": EVIDENCE}, "grant_id",
    ),
    Held(
        "records", "=data_class", governed_record,
        ("system", "record_id", "data_class", "purpose", "jurisdiction", "created_at", "closed_at",
         "registered_at"),
        "created_at",
    ),
    Held(
        "dispositions", "=data_class", disposition,
        ("system", "record_id", "data_class", "demand", "rule", "kept_until", "state", "because", "outcome",
         "sentence", "proposed_at", "changed_at"),
        "proposed_at",
        _all(INNER, "disposition_id", "run_id") | _all(STAFF, "decided_by", "owner")
        | _all(MACHINE, "rows_changed", "fence", "lease_until"),
    ),
    Held(
        "erasures", "rights_requests", erasure,
        ("reason", "scope", "status", "ordered_at", "undo_until", "completed_at", "probed_at"), "ordered_at",
        _all(INNER, "erasure_id", "request_id") | _all(STAFF, "ordered_by")
        | _all(AGAIN, "keys_sealed", "facts_sealed", "certificate")
        | _all(MACHINE, "fence_at", "next_at", "probe_at", "evidence_until", "evidence_shredded_at",
               "weighed_under", "undated_since", "fence", "lease_until"),
    ),
    Held(
        "restriction_notices", "rights_requests", restriction_notice,
        ("language", "written_at", "sent_at", "lifted_at"), "written_at", _all(INNER, "notice_id"),
        {"content_sealed": EVIDENCE}, "notice_id",
    ),
    Held(
        "tasks", "rights_requests", system_task,
        ("system_id", "verb", "state", "due_at", "created_at", "done_at"), "created_at",
        _all(INNER, "task_id", "operation_id") | _all(STAFF, "owner", "done_by")
        | {"instructions_sealed": "How staff are to work; of the person it names what is shown anyway."},
        {"evidence_sealed": EVIDENCE}, "task_id",
    ),
)  # fmt: skip

ELSEWHERE: Mapping[str, str] = {
    "rights_request": "Shown as requests, with what was written and answered (`held_requests`).",
    "rights_identity": "Shown with the request that it belongs to.",
    "rights_letter": "Shown with the request that it belongs to.",
    "rights_correction": "Shown with the request that it belongs to.",
    "rights_recipient": "Shown as who was told of a request.",
    "ledger_entry": "What was sealed with an act is shown with the act, or among `acts`.",
    "legal_hold": f"Shown as `holds`. {WITHHELD}",
}
"""Tables that other code of the package reads."""

NOT_SHOWN: Mapping[str, str] = {
    "cap_slot": AGAIN,
    "consent_state": AGAIN,
    "idempotency_key": TRANSIENT,
    "import_chunk": UNSEARCHABLE,
    "import_error": UNSEARCHABLE,
    "opendsr_request": NOBODYS,
    "rights_match": "Whom staff thought of before anybody was proved, rows of others among them.",
    "rights_package_piece": AGAIN,
    "screening_audience": "Packed sets of row names of a campaign; what was sent of it is shown as messages.",
    "screening_chunk": "Packed sets of row names of a campaign; what was sent of it is shown as messages.",
    "subject_tombstone": KEYED,
    "system": NOBODYS,
    "system_operation": AGAIN,
    "transfer_mechanism": NOBODYS,
    "user_account": NOBODYS,
    "webhook": NOBODYS,
}
"""Tables that the package says nothing of, and why."""
