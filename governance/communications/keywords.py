"""What a text message that comes in means: leaving, help, coming back, or something that people read. Pure.

Words: those that carriers and gateways act on (Twilio, AWS, Telnyx) and those of 47 CFR 64.1200(a)(10), with
their neighbours in other languages; only a message that is nothing but the word counts. Other wording that a
reasonable person reads as leaving must be honoured too, within ten business days: it goes to people.
"""

import re
from datetime import datetime, timedelta

STOP, START, HELP, OTHER = "stop", "start", "help", "other"

STOP_WORDS = frozenset(
    {
        *("stop", "stopall", "stop all", "unsubscribe", "end", "quit", "cancel", "revoke", "remove", "td"),
        *(
            "optout",
            "opt out",
            "opt-out",
            "arret",
            "arrêt",
            "stopp",
            "abmelden",
            "abbestellen",
            "baja",
            "alto",
        ),
        *("annulla", "sair", "afmelden"),
    }
)
START_WORDS = frozenset({"start", "yes", "unstop"})
HELP_WORDS = frozenset({"help", "info", "hilfe", "aide", "ayuda"})

REVIEW_DAYS = 10
"""Business days (Monday to Friday) within which a free text must be read (47 CFR 64.1200(a)(10))."""

_EDGES = " \t\r\n.,;:!?\"'“”„‚‘’«»()[]*"
_LEAVING = re.compile(
    r"\b(stop\w*|unsubscri\w*|opt.?out|remove|cancel|revoke|quit|no more|leave me alone"
    r"|do(?:n.?t| not) (?:text|write|call|contact)"
    r"|abmeld\w*|abbestell\w*|keine (?:sms|werbung|nachrichten)|nicht mehr)\b",
    re.IGNORECASE,
)


def meaning(text: str) -> str:
    """What a message means: `stop`, `start`, `help`, or `other`."""
    said = " ".join(text.casefold().split()).strip(_EDGES)
    if said in STOP_WORDS:
        return STOP
    if said in HELP_WORDS:
        return HELP
    return START if said in START_WORDS else OTHER


def sounds_like_leaving(text: str) -> bool:
    """Whether a free text has a word of leaving in it: those are read first."""
    return _LEAVING.search(text) is not None


def review_by(received_at: datetime) -> datetime:
    """When ten business days have passed. Public holidays count as business days: the stricter way."""
    due, left = received_at, REVIEW_DAYS
    while left:
        due += timedelta(days=1)
        left -= due.weekday() < 5
    return due
