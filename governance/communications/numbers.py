"""What counts only where a telephone number is to be reached: earlier calls, and look-ups in registers."""

from dataclasses import replace

from governance.communications import facts, register_store
from governance.communications.situations import CALL_WINDOWS, Asked, Situation
from governance.work import Snapshot


def with_numbers(snap: Snapshot, found: Situation, asked: Asked) -> Situation:
    """The same person with look-ups in registers and, where the question is about a call, earlier calls."""
    if asked.point_type != "phone":
        return found
    at = (snap.connection, snap.tenant_id, found.subject_ref)
    registers = register_store.of_person(*at)
    if asked.consent.channel != "voice":
        return replace(found, registers=registers)
    since = snap.now - max(CALL_WINDOWS.values())
    return replace(found, registers=registers, calls=facts.calls(*at, since))
