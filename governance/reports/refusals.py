"""What was decided in a period, and which rules said no: checks of the log and acts together."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

from governance.clock import wire
from governance.decisions.replay import kept_decisions
from governance.errors import InvalidError
from governance.work import Snapshot

PERIOD = timedelta(days=30)
LONGEST = timedelta(days=400)
MOST = 200_000
"""So many decisions of each kind are read, the newest first; `whole` says whether these were all."""

COLUMNS = ("action", "code", "rule", "refusals")


def report(snap: Snapshot, *, since: datetime | None = None, until: datetime | None = None) -> dict[str, Any]:
    """`{"since", "until", "whole", "by_action": […], "by_code": […], "by_rule": [COLUMNS…], "by_day": […]}`.

    A refusal counts under each of its reasons. InvalidError for a period that is none or longer than LONGEST.
    """
    until = snap.now if until is None else until
    since = until - PERIOD if since is None else since
    if not timedelta(0) < until - since <= LONGEST:
        sentence = f"Give a period of at most {LONGEST.days} days that begins before it ends."
        raise InvalidError(sentence, fields={"since": [sentence]})
    actions: dict[str, Counter[bool]] = defaultdict(Counter)
    days: dict[str, Counter[bool]] = defaultdict(Counter)
    codes: Counter[str] = Counter()
    rules: Counter[tuple[str, str, str]] = Counter()
    count = 0
    for kept in kept_decisions(snap, since=since, before=until, limit=MOST):
        count += 1
        actions[kept.action][kept.allowed] += 1
        days[kept.at.date().isoformat()][kept.allowed] += 1
        if not kept.allowed:
            # Of whom was erased, only that there was a decision is known.
            reasons = {(each["code"], each["rule"]) for each in (kept.body or {}).get("reasons", [])}
            codes.update({code for code, _ in reasons})
            rules.update({(kept.action, code, rule) for code, rule in reasons})
    return {
        "since": wire(since),
        "until": wire(until),
        "decisions": count,
        "whole": count < MOST,
        "by_action": [{"action": name, **_both(found)} for name, found in sorted(actions.items())],
        "by_code": [{"code": code, "refusals": number} for code, number in codes.most_common()],
        "by_rule": [
            {"action": action, "code": code, "rule": rule, "refusals": number}
            for (action, code, rule), number in sorted(rules.items(), key=lambda each: (-each[1], each[0]))
        ],
        "by_day": [{"day": day, **_both(found)} for day, found in sorted(days.items())],
    }


def _both(found: Counter[bool]) -> dict[str, int]:
    return {"allowed": found[True], "denied": found[False]}
