"""Systems behind HTTP: how a request goes out, and how an answer is read. Nothing in it is trusted."""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from governance.egress.addresses import read_target
from governance.egress.client import Egress, Limits
from governance.egress.model import Answer
from governance.errors import InvalidError
from governance.systems.connector import Context, Draft, Problem
from governance.systems.findings import Finding
from governance.systems.model import (
    ANONYMISED,
    CORRECTED,
    DONE,
    ERASED,
    FAILED,
    KEPT_UNTIL,
    NOT_FOUND,
    RELEASED,
    RESTRICTED,
    WAITING,
    Item,
    Outcome,
    StepOutcome,
    failed,
)
from governance.systems.texts import keepable_json

_OUTCOMES = (ERASED, ANONYMISED, KEPT_UNTIL, NOT_FOUND, FAILED, CORRECTED, RESTRICTED, RELEASED)
_MOST = 100_000
_LONGEST = 1000


def check_url(draft: Draft, url: str) -> str | None:
    """What is wrong with a URL of a system; None if nothing is. Public https, or what the operator named."""
    try:
        _target(draft, url)
    except InvalidError as problem:
        return " ".join(each for sentences in problem.fields.values() for each in sentences)
    return None


def ask(
    context: Context,
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    limits: Limits | None = None,
) -> Answer:
    """Send one request; Problem if nobody answered. `limits`: in place of those of every request."""
    try:
        target = _target(context.draft, url)
    except InvalidError:
        raise Problem("The URL of this system is not allowed (any more); register it anew.") from None
    egress = _egress(context)
    with (egress if limits is None else replace(egress, limits=limits)).client(target) as client:
        answer = client.ask(method, body, headers)
    if answer.attempt.status is None:
        raise Problem(_WHY.get(answer.attempt.problem or "", _UNREACHABLE), transient=True)
    return answer


def away(problem: Problem) -> Finding:
    """What a test says of a system that did not answer as it should: a test is not tried again by itself."""
    return Finding("problem", "url", problem.sentence.replace("; it will be tried again.", "."))


_UNREACHABLE = "The system cannot be reached; it will be tried again."
_WHY = {
    "address-refused": "The URL leads to an address that requests may not go to.",
    "timeout": "The system did not answer in time; it will be tried again.",
    "tls": "The system's certificate is not the one of its name.",
    "answer-too-large": "The system's answer is larger than what is read.",
    "too-large": "The request is larger than one mebibyte.",
}


def refusal(status: int) -> Outcome:
    """The outcome of an answer that is no success."""
    if status == 429 or status >= 500:
        return failed(f"The system answered {status}; it will be tried again.", transient=True)
    return failed(f"The system refused the request (status {status}); put its config right.")


def read_object(body: bytes) -> Mapping[str, Any]:
    """Read a JSON object, text as `texts.keepable`; Problem if it is none, or nested too deeply."""
    try:
        document = keepable_json(json.loads(body))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, Mapping):
        raise Problem("The system's answer is no JSON object.")
    return document


def read_report(document: Mapping[str, Any], wanted: Collection[str], *, collects: bool) -> Outcome:
    """Read a report `{"status", "steps", "counts", "items", "because"}`; Problem if it cannot be relied on.

    `wanted`: the data classes that a finished report must speak of. A report with a failed
    step is failed as a whole.
    """
    status, because = document.get("status"), document.get("because") or ""
    if status not in (DONE, WAITING, FAILED) or not isinstance(because, str):
        raise Problem("The system's answer has no `status` of done, waiting or failed.")
    # What the far side writes may name the person, so it is not repeated where outcomes are kept.
    if status == WAITING:
        return Outcome(WAITING, "The system has taken the request and will report.")
    if status == FAILED:
        return failed("The system says that it failed; ask whoever runs it.")
    steps = tuple(_step(each) for each in _list(document, "steps"))
    missing = sorted(set(wanted) - {each.data_class for each in steps})
    if missing:
        raise Problem(f"The system does not say what became of {', '.join(missing)}.")
    if any(each.outcome == FAILED for each in steps):
        return Outcome(FAILED, "The system says that a part of it failed; ask whoever runs it.", steps)
    items = tuple(_item(each) for each in _list(document, "items")) if collects else ()
    counts = document.get("counts") or {}
    if not isinstance(counts, Mapping) or not all(_is_name(k) and _is_count(v) for k, v in counts.items()):
        raise Problem("The system's `counts` are not whole numbers by table.")
    return Outcome(DONE, steps=steps, counts=dict(counts), items=items)


def _step(each: object) -> StepOutcome:
    if (
        not isinstance(each, Mapping)
        or each.get("outcome") not in _OUTCOMES
        or not _is_name(each.get("data_class"))
    ):
        raise Problem("A step of the system's answer has no data class, or no outcome that there is.")
    rows, until, because = each.get("rows") or {}, each.get("until"), each.get("because") or ""
    if not isinstance(rows, Mapping) or not all(_is_name(k) and _is_count(v) for k, v in rows.items()):
        raise Problem("The rows of a step are not whole numbers by table.")
    if not isinstance(because, str) or len(because) > _LONGEST:
        raise Problem("The reason of a step is no short text.")
    outcome = each["outcome"]
    if outcome in (ERASED, ANONYMISED) and not sum(rows.values()):
        raise Problem("The system says that it erased and counts no row; what changed nothing is not erased.")
    try:
        day = date.fromisoformat(until) if isinstance(until, str) else None
    except ValueError:
        day = None
    if (outcome == KEPT_UNTIL) and (day is None or not because):
        raise Problem("What the system keeps has no last day, or no reason that can be told.")
    return StepOutcome(each["data_class"], outcome, dict(rows), because if outcome == KEPT_UNTIL else "", day)


def _item(each: object) -> Item:
    if not isinstance(each, Mapping) or not isinstance(each.get("values"), Mapping):
        raise Problem("An item of the system's answer has no values.")
    if not (
        _is_name(each.get("data_class")) and _is_name(each.get("table")) and isinstance(each.get("row"), str)
    ):
        raise Problem("An item of the system's answer lacks its data class, table or row.")
    free = each.get("free_text") or []
    if not isinstance(free, list) or not all(isinstance(name, str) for name in free):
        raise Problem("An item's `free_text` is no list of names.")
    shared = each.get("shared") is True
    return Item(each["data_class"], each["table"], each["row"], dict(each["values"]), tuple(free), shared)


def _list(document: Mapping[str, Any], name: str) -> list[Any]:
    found = document.get(name) or []
    if not isinstance(found, list) or len(found) > _MOST:
        raise Problem(f"The system's `{name}` are no list.")
    return found


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 128 and value.isprintable()


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _target(draft: Draft, url: str) -> Any:
    return read_target(url, {each for each in draft.allow if not each.startswith("/")}, inside=True)


def _egress(context: Context) -> Egress:
    found = context.resources.get(Egress)
    return found if isinstance(found, Egress) else Egress()
