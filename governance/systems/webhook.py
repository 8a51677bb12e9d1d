"""The connector `webhook`: a system of one's own that answers signed requests (Standard Webhooks).

The request is a JSON object with `operation`, `verb`, `subject` (identifiers by kind), `plan` or `changes`,
and `callback_url`; its id is the operation's, so a repeat is known by its `webhook-id`. The answer is 200
with a report, or 202 and a report later, signed with the same secret, to the callback URL.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from governance.clock import wire
from governance.egress import signatures
from governance.egress.model import Answer
from governance.egress.signatures import BadSignatureError, read_secret
from governance.systems import far_side
from governance.systems.connector import Checked, Context, Draft, Problem
from governance.systems.findings import Finding, Report
from governance.systems.model import (
    COLLECT,
    CORRECT,
    COUNT,
    DISPOSE,
    DONE,
    ERASE,
    KEEP_UNTIL,
    NOT_FOUND,
    RELEASE,
    RESTRICT,
    VERBS,
    WAITING,
    Change,
    Disposal,
    ErasurePlan,
    Outcome,
    Received,
    StepOutcome,
    SubjectKeys,
    failed,
    unsupported,
)

_STATUS, _PING = "status", "ping"
_ASK_AGAIN = timedelta(hours=6)
_MEMBERS = {"verbs"}


class WebhookConnector:
    """Systems that take signed requests. URL and secret are sealed."""

    secret_members: tuple[str, ...] = ("url", "secret")

    def check(self, draft: Draft) -> Checked:
        """Check URL, secret and verbs without sending anything."""
        complaints: dict[str, list[str]] = {}
        for each in sorted(set(draft.config) - _MEMBERS):
            complaints[each[:40]] = ["Use only url, secret, verbs."]
        wrong = far_side.check_url(draft, draft.secrets.get("url", ""))
        if wrong:
            complaints["url"] = [wrong]
        try:
            read_secret(draft.secrets.get("secret", ""))
        except ValueError:
            complaints["secret"] = ["Send a secret of the form `whsec_` and base64, of 24 bytes or more."]
        verbs = draft.config.get("verbs", list(VERBS))
        if not isinstance(verbs, list) or not verbs or not all(each in VERBS for each in verbs):
            complaints["verbs"] = [f"List what the system can be asked: some of {', '.join(VERBS)}."]
        return Checked(complaints)

    def probe(self, context: Context) -> Report:
        """Send a signed `ping`, which names nobody and orders nothing, and see that 2xx comes back."""
        try:
            answered = _pinged(_post(context, _PING, {}).attempt.status or 0)
        except Problem as problem:
            answered = far_side.away(problem)
        return Report((answered, *_missing_verbs(context.draft)))

    def count(self, context: Context, keys: SubjectKeys) -> Outcome:
        """Ask for the number of rows."""
        return _guarded(context, COUNT, {"subject": keys.named()}, ())

    def look(self, context: Context, keys: SubjectKeys) -> Outcome:
        """A machine counts."""
        return self.count(context, keys)

    def collect(self, context: Context, keys: SubjectKeys) -> Outcome:
        """Ask for the rows."""
        return _guarded(context, COLLECT, {"subject": keys.named()}, ())

    def erase(self, context: Context, keys: SubjectKeys, plan: ErasurePlan) -> Outcome:
        """Ask to carry the plan out; then count again, where the system can be asked that."""
        body = {"subject": keys.named(), "plan": plan.document()}
        wanted = sorted(set(plan.dispositions) & set(context.data_classes))
        context.remember(
            [StepOutcome(each, NOT_FOUND) for each in wanted]
        )  # what a later report must speak of
        outcome = _guarded(context, ERASE, body, wanted)
        if outcome.status != DONE or COUNT not in _verbs(context.draft):
            return outcome
        return _proven(outcome, self.count(context, keys), plan, context)

    def correct(self, context: Context, keys: SubjectKeys, changes: Sequence[Change]) -> Outcome:
        """Ask to put values right."""
        wanted = [{"name": each.name, "value": each.value, "was": each.was} for each in changes]
        return _guarded(context, CORRECT, {"subject": keys.named(), "changes": wanted}, ())

    def restrict(self, context: Context, keys: SubjectKeys, on: bool) -> Outcome:
        """Ask to set or lift the mark."""
        return _guarded(context, RESTRICT if on else RELEASE, {"subject": keys.named()}, ())

    def dispose(self, context: Context, disposal: Disposal) -> Outcome:
        """Ask to end records."""
        context.remember([StepOutcome(disposal.data_class, NOT_FOUND)])
        return _guarded(context, DISPOSE, disposal.document(), [disposal.data_class])

    def follow_up(self, context: Context, verb: str, reference: str) -> Outcome:
        """Ask how an order is doing."""
        return _guarded(context, _STATUS, {"asked": verb}, ())

    def receive(self, context: Context, headers: Mapping[str, str], body: bytes) -> Received:
        """Read a report that is signed with the system's secret and not older than five minutes."""
        try:
            signatures.verify(context.draft.secrets["secret"], headers, body, context.now)
        except BadSignatureError:
            return Received(refused="bad-signature")
        try:
            document = far_side.read_object(body)
            reference = document.get("operation")
            if not isinstance(reference, str):
                raise Problem("The report names no operation.")
            return Received(reference, far_side.read_report(document, (), collects=True))
        except Problem:
            return Received(refused="malformed")


def _guarded(context: Context, verb: str, body: Mapping[str, Any], wanted: Sequence[str]) -> Outcome:
    """Send an order and read the answer; whatever goes wrong is an outcome."""
    if verb != _STATUS and verb not in _verbs(context.draft):
        return unsupported(f"This system cannot be asked to {verb}.")
    try:
        return _order(context, verb, body, wanted)
    except Problem as problem:
        return failed(problem.sentence, transient=problem.transient)


def _order(context: Context, verb: str, body: Mapping[str, Any], wanted: Sequence[str]) -> Outcome:
    answer = _post(context, verb, {"callback_url": context.callback_url, **body})
    if answer.attempt.status == 202:
        return _waiting(context)
    if not answer.attempt.delivered:
        return far_side.refusal(answer.attempt.status or 0)
    outcome = far_side.read_report(
        far_side.read_object(answer.body), wanted, collects=verb in (COLLECT, _STATUS)
    )
    return _waiting(context) if outcome.status == WAITING else outcome


def _post(context: Context, verb: str, body: Mapping[str, Any]) -> Answer:
    """Send a signed request; Problem if nobody answered."""
    raw = json.dumps(
        {"operation": context.operation_id, "verb": verb, **body}, ensure_ascii=False, separators=(",", ":")
    ).encode()
    # An order keeps its id however often it is sent; each ping is one of its own.
    name = f"{context.operation_id}/{verb}" + (f"/{wire(context.now)}" if verb == _PING else "")
    secret = read_secret(context.draft.secrets["secret"])
    headers = signatures.sign([secret], name, context.now, raw)
    url = context.draft.secrets["url"]
    return far_side.ask(context, "POST", url, raw, {"Content-Type": "application/json", **headers})


def _pinged(status: int) -> Finding:
    """What the answer to a ping shows."""
    if 200 <= status < 300:
        return Finding("ok", "url", f"The system answered a signed ping with {status}.")
    if status in (401, 403):
        sentence = f"The system refused the signature of a ping (status {status}); compare the secrets."
        return Finding("problem", "secret", sentence)
    if status in (404, 410):
        return Finding("problem", "url", f"There is nothing at this URL (status {status}).")
    sentence = f"The system answered a signed ping with {status}; it should answer the verb `ping` with 200."
    return Finding("problem", "url", sentence)


def _waiting(context: Context) -> Outcome:
    return Outcome(
        WAITING,
        "The system has taken the request and will report.",
        reference=context.operation_id,
        check_after=context.now + _ASK_AGAIN,
    )


def _proven(outcome: Outcome, counted: Outcome, plan: ErasurePlan, context: Context) -> Outcome:
    """The outcome of an erasure, if counting again does not contradict it."""
    if counted.status != DONE:
        return failed(
            "After the erasure the system did not count again; it will be tried again.", transient=True
        )
    keeps = any(each.kind == KEEP_UNTIL for each in plan.dispositions.values()) or any(
        each.until is not None for each in outcome.steps
    )
    whole = set(context.data_classes) <= set(plan.dispositions)
    if sum(counted.counts.values()) and whole and not keeps:
        return failed("The system says that it erased and still counts rows of this person.")
    return outcome


def _verbs(draft: Draft) -> Sequence[str]:
    verbs: Sequence[str] = draft.config.get("verbs", VERBS)
    return verbs


def _missing_verbs(draft: Draft) -> list[Finding]:
    return [
        Finding("warning", "verbs", f"The system cannot be asked to {each}; somebody must do it by hand.")
        for each in VERBS
        if each not in _verbs(draft)
    ]
