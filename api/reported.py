"""How reports of connected systems are answered, the same on every address that takes them."""

from flask import Response

from api.problems import problem
from api.runtime import reply
from governance.systems.model import Received

_NOT_BELIEVED = {
    "bad-signature": (403, "The signature does not fit."),
    "unknown-sender": (403, "This is not a sender that reports for this system."),
    "not-taken": (403, "This kind of system reports nothing by itself."),
    "malformed": (400, "The report cannot be read."),
    "unknown-request": (404, "Nothing was asked of the system under this reference."),
}
"""Status and sentence by `Received.refused`: 400 only for what is proven and cannot be read."""


def reported(received: Received) -> Response:
    """Answer 202 to a report that was taken, a problem to one that was not (which is recorded)."""
    if received.refused is None:
        return reply({"accepted": True}, 202)
    status, sentence = _NOT_BELIEVED[received.refused]
    return problem(status, "The report was refused", sentence, code=received.refused)
