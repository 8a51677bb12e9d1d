"""Use cases of consent: the one module that other rooms call.

Consents live in `consents` (`withdraw` for links), double opt-in in `confirmations`, expiry in `expiry`, what
has to be confirmed again in `reconfirming`, `objections`, `suppressions`, `notices`, `captures`, receipts in
`receipts`, merge and split in `merging`, the imports' fast path in `bulk`. What only reads is in `views`, and
in `noes`: which suppressions and objections stand.
"""

from governance.consent.acts import Confirmation, ImportedAct, NewConsent, NoticeRef, check_channel
from governance.consent.addresses import bar_address
from governance.consent.bulk import BulkOutcome, record_many
from governance.consent.buried import keep_no
from governance.consent.captures import (
    CapturedConsent,
    CapturedEvent,
    CaptureOutcome,
    NewCapture,
    capture,
)
from governance.consent.confirmations import confirm, waiting_for
from governance.consent.consents import check_purpose, record, withdraw
from governance.consent.erasing import carry_noes
from governance.consent.expiry import expire, people_with_expired
from governance.consent.merging import merge, split
from governance.consent.noes import Suppression, lookup, noes
from governance.consent.notices import get_notice, put_notice, tag
from governance.consent.objections import (
    NewObjection,
    ObjectionOutcome,
    object_,
    object_by_signal,
    release_objection,
)
from governance.consent.outcomes import ConsentOutcome
from governance.consent.receipts import receipt
from governance.consent.reconfirming import Lapse, OldGrant, announce_reconfirmation
from governance.consent.sources import sourced
from governance.consent.suppressions import NewSuppression, release_suppression, suppress, suppress_point
from governance.consent.views import ConsentState, StateEntry, bars_on, facts_for, history, rebuild, state

__all__ = [
    "BulkOutcome",
    "CaptureOutcome",
    "CapturedConsent",
    "CapturedEvent",
    "Confirmation",
    "ConsentOutcome",
    "ConsentState",
    "ImportedAct",
    "Lapse",
    "NewCapture",
    "NewConsent",
    "NewObjection",
    "NewSuppression",
    "NoticeRef",
    "ObjectionOutcome",
    "OldGrant",
    "StateEntry",
    "Suppression",
    "announce_reconfirmation",
    "bar_address",
    "bars_on",
    "capture",
    "carry_noes",
    "check_channel",
    "check_purpose",
    "confirm",
    "expire",
    "facts_for",
    "get_notice",
    "history",
    "keep_no",
    "lookup",
    "merge",
    "noes",
    "object_",
    "object_by_signal",
    "people_with_expired",
    "put_notice",
    "rebuild",
    "receipt",
    "record",
    "record_many",
    "release_objection",
    "release_suppression",
    "sourced",
    "split",
    "state",
    "suppress",
    "suppress_point",
    "tag",
    "waiting_for",
    "withdraw",
]
