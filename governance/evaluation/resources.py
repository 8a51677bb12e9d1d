"""Questions about a tenant's own resources, decided by its `access/` packs over the entities' properties."""

from collections.abc import Callable

from governance.access import askers
from governance.access.model import ASKER_TYPES
from governance.decisions.ground import Ground
from governance.decisions.model import Reason, Verdict, decide
from governance.decisions.record import AskedFor, DecisionRecord
from governance.evaluation.model import EvaluationRequest
from governance.policy.access import Party, access_facts
from governance.policy.compiled import ANY_ACTION
from governance.work import Snapshot

_SILENCE = Verdict(
    False,
    (
        Reason(
            "no-permit",
            "",
            "permit",
            "No policy of this tenant speaks about this resource and action, and silence forbids.",
            (),
            True,
            "Adopt an access pack that permits it, or check the resource's type and the action's name.",
        ),
    ),
    (),
    (),
)


def evaluate(
    snap: Snapshot,
    ground: Ground,
    request: EvaluationRequest,
    asked_for: AskedFor,
    said: Callable[[str], str],
) -> DecisionRecord:
    """Decide about a resource of the tenant's own. Properties are looked at and not logged.

    Of staff and components that are registered here, `principal.roles` and `principal.kind` are what the
    register says, whatever is claimed.
    """
    policy = ground.policy
    verdict = _SILENCE
    subject, resource = request.subject, request.resource
    asker = askers.asker(snap, subject.type, subject.id) if subject.type in ASKER_TYPES else None
    if ANY_ACTION in policy.programs:
        properties = dict(subject.properties)
        if asker is not None and asker.active:
            properties |= {"roles": list(asker.roles), "kind": asker.kind}
        facts = access_facts(
            policy,
            principal=Party(subject.type, subject.id, properties),
            action=request.action,
            resource=Party(resource.type, resource.id, resource.properties),
            action_properties=request.action_properties,
            context=request.context,
        )
        verdict = decide(policy, ANY_ACTION, policy.bucketed(ANY_ACTION, facts, snap.now))
    named = {
        "principal.type": asked_for.type,
        "principal.id": asked_for.id,
        "resource.type": said(request.resource.type),
        "resource.id": said(request.resource.id),
        "action.name": said(request.action),
    }
    return DecisionRecord(
        id=snap.new_id("dec"),
        action=named["action.name"],
        subject_ref=None,
        verdict=verdict,
        policy=policy.digest,
        ledger_position=ground.ledger_position,
        evaluated_at=snap.now,
        caller_ref=snap.actor.ref,
        question={"resource": {"type": named["resource.type"], "id": named["resource.id"]}},
        facts=(named,),
        asked_for=asked_for,
    )
