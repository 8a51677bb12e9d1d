"""Every room's tables, registered: import this before asking `database.metadata` what there is."""

from governance.access import store as access
from governance.callers import issuer_store as issuers
from governance.callers import session_store as sessions
from governance.callers import store as callers
from governance.callers import user_store as users
from governance.communications import cap_store as caps
from governance.communications import override_store as overrides
from governance.communications import preference_store as preferences
from governance.communications import register_store as registers
from governance.communications import review_store as reviews
from governance.communications import screening_store as screenings
from governance.communications import store as communications
from governance.consent import expiry_store as expiries
from governance.consent import reconfirmation_store as reconfirmations
from governance.consent import store as consent
from governance.decisions import shadow_store as shadows
from governance.decisions import store as decisions
from governance.erasure import tables as erasure
from governance.idempotency import store as idempotency
from governance.imports import store as imports
from governance.ledger import store as ledger
from governance.lifecycle import store as lifecycle
from governance.opendsr import store as opendsr
from governance.outbox import store as outbox
from governance.policy import change_store as policy_changes
from governance.policy import store as policy
from governance.policy import text_store as policy_texts
from governance.purposes import store as purposes
from governance.queue import store as queue
from governance.retention import run_store as retention_runs
from governance.retention import store as retention
from governance.rights import lifting_store as liftings
from governance.rights import package_store as packages
from governance.rights import recipient_store as recipients
from governance.rights import store as rights
from governance.subjects import store as subjects
from governance.systems import store as systems
from governance.tenants import store as tenants
from governance.transfers import store as transfers

__all__ = [
    "access",
    "callers",
    "caps",
    "communications",
    "consent",
    "decisions",
    "erasure",
    "expiries",
    "idempotency",
    "imports",
    "issuers",
    "ledger",
    "lifecycle",
    "liftings",
    "opendsr",
    "outbox",
    "overrides",
    "packages",
    "policy",
    "policy_changes",
    "policy_texts",
    "preferences",
    "purposes",
    "queue",
    "recipients",
    "reconfirmations",
    "registers",
    "retention",
    "retention_runs",
    "reviews",
    "rights",
    "screenings",
    "sessions",
    "shadows",
    "subjects",
    "systems",
    "tenants",
    "transfers",
    "users",
]
