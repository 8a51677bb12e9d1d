"""The question of a screening: read from a request, kept and signed, and read back. Pure."""

from collections.abc import Mapping
from typing import Any

from governance.clock import wire
from governance.communications.model import ACTION, CheckRequest, read_check
from governance.errors import InvalidError
from governance.subjects.model import SubjectReference

_NOBODY = SubjectReference(id="0")


def read_question(question: Mapping[str, Any]) -> CheckRequest:
    """Read a screening's question; InvalidError for another action, or if it names one contact point."""
    if question.get("action") not in (None, ACTION):
        raise InvalidError("Screenings ask about messages.", fields={"question.action": [f"Give {ACTION}."]})
    if question.get("contact_point") is not None:
        raise InvalidError(
            "A screening asks about all contact points of the channel.",
            fields={"question.contact_point": ["Leave it out."]},
        )
    context = question.get("context")
    return read_check(_NOBODY, question, context if isinstance(context, Mapping) else question)


def stored_question(asked: CheckRequest) -> dict[str, Any]:
    """The question as it is kept and signed; `read_question` reads it back."""
    said = {"action": ACTION, **asked.document()}
    return said if asked.time is None else {**said, "time": wire(asked.time)}
