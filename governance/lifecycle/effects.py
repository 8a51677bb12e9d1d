"""What a stage means beyond the rules of its model: which retention clocks run while a person is in it. Pure.

Clocks of a stage start when the person enters it and stop when the person leaves; the retention gate names
the same clocks in its schedule. A stage or model that is not listed runs none.
"""

from collections.abc import Mapping

from governance.lifecycle.model import Effects

STAGE_EFFECTS: Mapping[str, Mapping[str, Effects]] = {
    "relationship": {
        "lead": Effects(clocks=("lead-inactivity",)),
        "contact": Effects(clocks=("contact-inactivity",)),
        "client": Effects(clocks=("contract-records",)),
        "active_service": Effects(clocks=("contract-records", "service-records")),
        "dormant": Effects(clocks=("contract-records", "dormant-inactivity")),
        "churned": Effects(clocks=("contract-records", "relationship-ended")),
    }
}


def clocks(model: str, stage: str | None) -> frozenset[str]:
    """The retention clocks that run in a stage; none before the first stage."""
    if stage is None:
        return frozenset()
    return frozenset(STAGE_EFFECTS.get(model, {}).get(stage, Effects()).clocks)
