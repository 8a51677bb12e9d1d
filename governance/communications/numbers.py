"""What counts of some questions only: earlier calls, look-ups in registers, earlier confirmations of a no."""

from dataclasses import replace

from governance.communications import register_store, sent
from governance.communications.asked import Asked
from governance.communications.situations import CALL_WINDOWS, Situation
from governance.work import Snapshot


def with_numbers(
    snap: Snapshot, found: Situation, asked: Asked, *, message_ref: str | None = None
) -> Situation:
    """The same person with look-ups in registers, and with earlier calls or confirmations where they count.

    `message_ref`: the message that is asked about again; it does not count against itself.
    """
    if asked.confirms_an_opt_out:
        already = sent.confirmed(snap.connection, snap.tenant_id, found.subject_ref, but=message_ref)
        found = replace(found, confirmations=already)
    if asked.point_type != "phone":
        return found
    at = (snap.connection, snap.tenant_id, found.subject_ref)
    registers = register_store.of_person(*at)
    if asked.consent.channel != "voice":
        return replace(found, registers=registers)
    since = snap.now - max(CALL_WINDOWS.values())
    return replace(found, registers=registers, calls=sent.calls(*at, since, but=message_ref))
