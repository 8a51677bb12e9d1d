"""When a request may be called answered. Nobody is told that something was done which was not."""

from governance.errors import ConflictError, InvalidError
from governance.rights import recipients, states
from governance.rights.dossier import Dossier
from governance.rights.intake import content_of
from governance.rights.model import HUMAN_REVIEW, IN_PROGRESS, NEED_PROOF, RECTIFICATION
from governance.work import Snapshot

_IN_WORDS = (RECTIFICATION, HUMAN_REVIEW)
"""Types of which only the person's own words say what is asked."""


def check_given(dossier: Dossier, *, partly: bool, because: str | None) -> None:
    """Refuse to call a request answered before its answer exists.

    ConflictError `correction-open`, `package-open`: before the package exists only a part may be answered, by
    hand (`because` says which); with one that lacks a system, in part. InvalidError where people decided and
    nobody says what (`because`).
    """
    waits_for = dossier.request.waits_for
    if waits_for == "correction":
        raise ConflictError(
            "Nothing was put right yet: correct it; where nothing was wrong, refuse it (`not-wrong`).",
            reason="correction-open",
        )
    said = bool((because or "").strip())
    if (waits_for == "package" and not (partly and said)) or (
        waits_for == "package-incomplete" and not partly
    ):
        raise ConflictError(
            "The package is not complete: a job makes it. Until then only a part (`partly`) can be answered.",
            reason="package-open",
        )
    if waits_for == "review" and not said:
        complaint = "Say what was decided: nothing else tells the person."
        raise InvalidError(complaint, fields={"because": [complaint]})


def is_answered_with(snap: Snapshot, other: Dossier, answered: Dossier) -> bool:
    """Whether a repeating request is answered with another: only on its own proof, for the same people.

    Not while a recipient of its own has to answer, nor where it says something else in the person's words.
    """
    if other.request.state != IN_PROGRESS or other.request.type != answered.request.type:
        return False
    if other.request.type not in NEED_PROOF or recipients.standing(snap, other) is not None:
        return False
    if other.request.type in _IN_WORDS and _words(snap, other) != _words(snap, answered):
        return False
    return set(states.entitled(other.case)) == {
        each.subject_ref for each in answered.identities if each.state == states.PROVED and each.subject_ref
    }


def _words(snap: Snapshot, dossier: Dossier) -> tuple[object, object]:
    content = content_of(snap, dossier.request)
    return content.get("details") or {}, content.get("added") or []
