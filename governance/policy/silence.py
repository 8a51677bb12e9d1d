"""Why nothing permits: the permit that came nearest, and what it still needs."""

from __future__ import annotations

from collections.abc import Sequence

from governance.policy.buckets import Vector
from governance.policy.compiled import CompiledPolicy
from governance.policy.conditions import AllOf, Condition
from governance.policy.logic import leaves
from governance.policy.model import CheckedPack, CheckedRule
from governance.policy.program import ActionProgram, Silence
from governance.policy.sentences import condition_sentence

STAGE, MISMATCH = "stage.relationship", "stage-mismatch"
NO_STAGE = (
    "The person has no stage of the relationship yet, and only messages for everyone reach those without one:"
    " record one (`relationship` when the person is created, or a transition in the model `relationship`)."
)
"""What is said of somebody whose stage nobody recorded: waiting for another stage would not help."""

_MOST_SILENCES = 4096


def silence(policy: CompiledPolicy, action: str, vector: Vector) -> Silence:
    """Explain a vector that nothing permits, by the permit that came nearest."""
    program = policy.program(action)
    # A silence depends on the facts of permits alone, so few different ones are worded, each once.
    key = tuple(vector[place] for place in program.permit_places)
    held = program.silences.get(key)
    if held is None:
        if len(program.silences) >= _MOST_SILENCES:
            program.silences.clear()
        held = program.silences[key] = _nearest(policy, program, vector)
    return held


def _nearest(policy: CompiledPolicy, program: ActionProgram, vector: Vector) -> Silence:
    """Find the permit that holds furthest in its written order, then the one that lacks fewest."""
    lacks = program.shortfall(vector)
    nearest = max(lacks, key=lambda one: (one[1][:1], -len(one[1])), default=None)
    if nearest is None:
        return Silence("no-permit", program.action, "Nothing permits this.", "", (), "", False)
    stageless = STAGE in program.layout.names and vector[program.layout.names.index(STAGE)] is None
    return _worded(policy, program, *nearest, stageless=stageless)


def _worded(
    policy: CompiledPolicy, program: ActionProgram, number: int, lacking: tuple[int, ...], *, stageless: bool
) -> Silence:
    """Put a silence into words."""
    rule = policy.rules[number]
    pack = next(pack for pack in program.packs if pack.name == rule.pack)
    unmet = [part for place, part in enumerate(_conjuncts(pack, rule)) if place in lacking and part]
    code = _silent_code(program.action, unmet)
    remedy = rule.remedy or pack.remedy
    return Silence(
        code=code,
        rule=rule.id,
        because=pack.because or rule.because,
        needs=" and ".join(condition_sentence(part, policy.vocabulary.facts) for part in unmet),
        cites=rule.cites or pack.cites,
        remedy=NO_STAGE
        if stageless and code == MISMATCH
        else " ".join(filter(None, (remedy, _to_send(unmet)))),
        verified=rule.verified,
    )


def _conjuncts(pack: CheckedPack, rule: CheckedRule) -> list[Condition | None]:
    """Give the conditions of a permit in the order of its shortfall (None for exception and dates)."""
    parts: list[Condition | None] = list(rule.when.parts) if isinstance(rule.when, AllOf) else [rule.when]
    if rule.unless is not None:
        parts.append(None)
    if pack.applies is not None:
        parts.insert(0, pack.applies)
    return [None, *parts] if rule.effective.since or rule.effective.until else parts


def _to_send(unmet: Sequence[Condition]) -> str:
    """Name what a move lacks that the caller can send with it, by the members of the request."""
    lacking = [leaf for part in unmet for leaf in leaves(part)]
    if {leaf.fact for leaf in lacking} & {"transition.from", "transition.to", "transition.trigger"}:
        return ""  # There is no such move, whatever is sent with it.
    named = dict.fromkeys(
        leaf.fact.removeprefix("transition.")
        for leaf in lacking
        if leaf.value is True and leaf.fact.startswith(("transition.evidence.", "transition.because"))
    )
    return f"Send with the move: {', '.join(named)}." if named else ""


def _silent_code(action: str, unmet: Sequence[Condition]) -> str:
    """Name the kind of silence by the facts that the nearest permit lacks."""
    if action == "lifecycle.transition":
        return "transition-not-allowed"
    if action == "data.transfer":
        return "transfer-no-mechanism"
    lacking = {leaf.fact for part in unmet for leaf in leaves(part)}
    if action in ("data.read", "data.use"):
        return _withheld_code(lacking)
    if action == "communication.send" and "purpose.state" in lacking and "message.class" not in lacking:
        return "purpose-missing"
    return MISMATCH if lacking == {STAGE} else "no-permit"


def _withheld_code(lacking: set[str]) -> str:
    """Name what a grant lacks that comes nearest to a field or a use of data."""
    if "asker.state" in lacking:
        return "no-permit"
    for fact, code in (("purpose.state", "purpose-missing"), ("grant.purpose", "purpose-not-granted")):
        if fact in lacking:
            return code
    return MISMATCH if lacking == {"grant.stage"} else "field-not-permitted"
