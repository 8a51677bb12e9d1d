"""What counts as the person's own act, and what as proof of it. Pure.

A grant is **proven** if
- its method is an act of the person (`PERSON_METHODS`), recorded here when it happened: the record of who,
  when, how and for what is itself the proof, and notice and evidence make it a better one; or
- it was imported (`import`, `acquired_list`) and its evidence has all of `form_url`, `occurred_at` and
  `text_shown_sha256`: where, when, and what the person saw. Such a grant is sendable but, not being the
  person's act towards this service, lifts nothing; and
- if the purpose names special categories of data, what the person agreed to is on record (`is_explicit`).
Everything else is `unproven`: shown, never sendable on
  consent (Regulation (EU) 2016/679 Art. 7(1)).
"""

import re
from collections.abc import Mapping

from governance.errors import InvalidError

PERSON_METHODS = frozenset(
    {
        "web_form",
        "app",
        "paper",
        "phone",
        "in_person",
        "email",
        "sms",
        "chat",
        "reply",
        "api_act",
        "double_opt_in",
        "preference_page",
        "unsubscribe_link",
        "one_click",
        "rights_request",
        "gpc",
    }
)
"""How a person (or the guardian) acts; `api_act` is an act in a product that a component reports."""

REPORTED_METHODS = frozenset({"import", "acquired_list", "staff", "complaint_report", "other"})
"""Ways in which somebody else says what the person wants; they never lift a no."""

IMPORT_METHODS = frozenset({"import", "acquired_list"})
_IMPORT_PROOF = ("form_url", "occurred_at", "text_shown_sha256")
_STATEMENT = ("text_shown_sha256", "wording", "recording_sha256")
_GUARDIAN_NAMES = frozenset({"name", "email", "phone", "reference"})
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def is_act(method: str) -> bool:
    """Whether this method is the person's own act."""
    return method in PERSON_METHODS


def is_guardian(guardian: Mapping[str, object] | None) -> bool:
    """Whether a guardian acted who counts: named, and verified in some way that is told.

    `guardian` needs one of `name`, `email`, `phone`, `reference`, and `verified_by`: Regulation (EU) 2016/679
    Art. 8(2) asks for reasonable efforts to verify who consents for a child.
    """
    told = {key for key, value in (guardian or {}).items() if value not in (None, "", [], {}, False)}
    return bool(told & _GUARDIAN_NAMES) and "verified_by" in told


def check_method(method: str, *, negative: bool) -> str:
    """Give the method as it is kept; a no is never refused for its method, it becomes `other`.

    Raises InvalidError naming the known methods.
    """
    if method in PERSON_METHODS or method in REPORTED_METHODS:
        return method
    if negative:
        return "other"
    known = ", ".join(sorted(PERSON_METHODS | REPORTED_METHODS))
    raise InvalidError(
        "The method of a consent is one of: " + known + ".", fields={"method": [f"Use one of: {known}."]}
    )


def is_explicit(*, evidence: Mapping[str, object] | None, noticed: bool) -> bool:
    """Whether it is on record what the person agreed to: a notice, the text shown, or the words of a call.

    Purposes that name special categories of data need it: Regulation (EU) 2016/679 Art. 9(2)(a) asks for
    explicit consent, and an act without its statement shows that somebody agreed, not to what.
    """
    return noticed or any((evidence or {}).get(name) not in (None, "", [], {}) for name in _STATEMENT)


def is_proven(method: str, *, evidence: Mapping[str, object] | None) -> bool:
    """Whether a grant by this method, with this evidence, is proven (see above)."""
    told = {key for key, value in (evidence or {}).items() if value not in (None, "", [], {})}
    if method in PERSON_METHODS:
        return True
    if method in IMPORT_METHODS:
        shown = str((evidence or {}).get("text_shown_sha256", ""))
        return told.issuperset(_IMPORT_PROOF) and bool(_SHA256.fullmatch(shown))
    return False
