"""The connector `manual`: a system that only people can reach. Every order is a task with an owner."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from governance.systems.connector import Checked, Context, Draft
from governance.systems.findings import Finding, Report
from governance.systems.model import (
    COLLECT,
    CORRECT,
    DISPOSE,
    ERASE,
    LOOK,
    NOT_FOUND,
    RELEASE,
    RESTRICT,
    WAITING,
    Change,
    Disposal,
    ErasurePlan,
    Outcome,
    Received,
    StepOutcome,
    SubjectKeys,
    TaskDraft,
    unsupported,
)

_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_MOST_DAYS = 365
_LONGEST = 4000


class ManualConnector:
    """Paper files, a tool without an interface, a colleague's mailbox."""

    secret_members: tuple[str, ...] = ()

    def check(self, draft: Draft) -> Checked:
        """Check owner, days and instructions."""
        complaints: dict[str, list[str]] = {}
        for each in sorted(set(draft.config) - {"owner", "days", "instructions"}):
            complaints[each[:40]] = ["Use only owner, days, instructions."]
        owner, days = draft.config.get("owner"), draft.config.get("days", 14)
        if not isinstance(owner, str) or not _OWNER.fullmatch(owner):
            complaints["owner"] = [
                "Name who does it by an opaque id (A-Z a-z 0-9 . _ : -), no e-mail address."
            ]
        if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= _MOST_DAYS:
            complaints["days"] = [f"Say in how many days it is due: 1 to {_MOST_DAYS}."]
        text = draft.config.get("instructions", "")
        if not isinstance(text, str) or len(text) > _LONGEST:
            complaints["instructions"] = [f"Say in at most {_LONGEST} characters how it is done."]
        return Checked(complaints)

    def probe(self, context: Context) -> Report:
        """There is nothing to try."""
        owner = context.draft.config["owner"]
        return Report((Finding("ok", "owner", f"Tasks go to {owner}; nothing can be tried by machine."),))

    def count(self, context: Context, keys: SubjectKeys) -> Outcome:
        """Nobody counts by hand."""
        return unsupported(
            "Rows of a manual system are not counted; the evidence of the task stands for them."
        )

    def look(self, context: Context, keys: SubjectKeys) -> Outcome:
        """Make a task: see whether anything is there again."""
        return _task(context, LOOK, keys, {})

    def collect(self, context: Context, keys: SubjectKeys) -> Outcome:
        """Make a task: find and hand over."""
        return _task(context, COLLECT, keys, {})

    def erase(self, context: Context, keys: SubjectKeys, plan: ErasurePlan) -> Outcome:
        """Make a task: carry the plan out."""
        held = {each: wanted for each, wanted in plan.document().items() if each in context.data_classes}
        context.remember(
            [StepOutcome(each, NOT_FOUND) for each in held]
        )  # what the task's doer must speak of
        return _task(context, ERASE, keys, {"plan": held})

    def correct(self, context: Context, keys: SubjectKeys, changes: Sequence[Change]) -> Outcome:
        """Make a task: put values right."""
        wanted = [{"name": each.name, "value": each.value, "was": each.was} for each in changes]
        return _task(context, CORRECT, keys, {"changes": wanted})

    def restrict(self, context: Context, keys: SubjectKeys, on: bool) -> Outcome:
        """Make a task: restrict, or release."""
        return _task(context, RESTRICT if on else RELEASE, keys, {})

    def dispose(self, context: Context, disposal: Disposal) -> Outcome:
        """Make a task: end these records."""
        context.remember([StepOutcome(disposal.data_class, NOT_FOUND)])
        return _task(context, DISPOSE, SubjectKeys(""), disposal.document())

    def follow_up(self, context: Context, verb: str, reference: str) -> Outcome:
        """A task is done when its owner says so."""
        return Outcome(WAITING, _WAITS)

    def receive(self, context: Context, headers: Mapping[str, str], body: bytes) -> Received:
        """Nobody reports by machine."""
        return Received(refused="not-taken")


_WAITS = "Somebody has a task to do this and to show for it."


def _task(context: Context, verb: str, keys: SubjectKeys, more: Mapping[str, Any]) -> Outcome:
    config = context.draft.config
    what = {"verb": verb, "subject": keys.named(), "instructions": config.get("instructions", ""), **more}
    draft = TaskDraft(config["owner"], json.dumps(what, ensure_ascii=False), config.get("days", 14))
    return Outcome(WAITING, _WAITS, reference=context.operation_id, task=draft)
