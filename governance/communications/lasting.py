"""Whether a refusal will last, so that nobody need look for the instant at which it ends. Pure.

Most refusals rest on a rule that looks at nothing which the passing of time changes: a withdrawal, a stage, a
country. Such a rule matches at every later instant too, and forbid beats permit. In doubt a refusal does not
last; then it is asked instant by instant (`eligibility`).
"""

from collections.abc import Iterable, Sequence

from governance.communications.facts import FLAGS, RECORDED
from governance.communications.model import ACTION
from governance.communications.situations import Situation, World
from governance.decisions.model import Verdict
from governance.policy.compiled import CompiledPolicy

UNCHANGING = frozenset(
    (
        *RECORDED,
        *FLAGS,
        "person.known",
        "message.channel",
        "message.class",
        "message.commercial",
        "message.contains_promotion",
        "message.in_reply_to",
        "message.call_mode",
        "message.written_by",
        "message.product_family",
        "purpose.id",
        "purpose.state",
        "purpose.allows_class",
        "purpose.permission",
        "purpose.special_categories",
        "purpose.solely_automated",
        "purpose.impact_assessed",
        "tenant.sector",
        "tenant.country",
        "sender.country",
        "contact_point.state",
        "contact_point.country",
        "contact_point.subscriber",
        "place.covered",
        "relationship.soft_opt_in",
        "relationship.soft_opt_in_negotiation",
        "relationship.charity_support",
        # As long as nothing of the person's runs out, see below.
        "consent.status",
        "consent.guardian",
        "consent.night",
        "consent.parent",
        "consent.topic",
        "consent.revoked_since",
        "opt_out.confirmations",
        "objection.state",
        "suppression.marketing",
        "suppression.all",
        "suppression.undeliverable",
    )
)
"""Facts that time alone never changes. A fact that is not listed counts as changing."""


def lasts(
    policy: CompiledPolicy, situation: Situation, worlds: Sequence[World], verdicts: Iterable[Verdict]
) -> bool:
    """Whether one of the verdicts over these worlds (in their order) stays a refusal for ever."""
    if any(cell.pos_expires_at is not None for cell in situation.cells):
        return False
    uses = policy.program(ACTION).uses
    for world, verdict in zip(worlds, verdicts, strict=True):
        for reason in verdict.reasons:
            used = uses.get(reason.rule) if reason.effect == "forbid" else None
            if used is not None and all(_stays(policy, fact, world) for fact in used):
                return True
    return False


def _stays(policy: CompiledPolicy, fact: str, world: World) -> bool:
    """Whether a fact of this world is the same at every later instant; an age that never began stays so."""
    if fact in UNCHANGING:
        return True
    return fact in policy.program(ACTION).layout.ages and world.facts.get(fact) is None
