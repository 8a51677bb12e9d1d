"""Do-not-call registers: that a number was looked up, when, and whether it is listed."""

from datetime import datetime
from typing import Any

from governance.clock import wire
from governance.communications import register_store
from governance.communications.model import is_code
from governance.communications.register_store import RegisterCheck
from governance.errors import InvalidError
from governance.happened import happened_at
from governance.subjects.identifiers import Identifier
from governance.subjects.lookups import read_value
from governance.work import Work


def record(
    work: Work, register: str, point: Identifier, *, checked_at: datetime | None, listed: bool
) -> dict[str, Any]:
    """Record a look-up of a number and give what is now known of it; an older look-up changes nothing.

    Of the number a keyed hash is kept, which survives an erasure. Raises InvalidError for a register that is
    no code, or a contact point that is no telephone number.
    """
    fields: dict[str, list[str]] = {}
    if not is_code(register):
        fields["register"] = ["Give a code such as us-dnc."]
    if point.type != "phone":
        fields["contact_point.type"] = ["Registers are of telephone numbers: give a phone."]
    if fields:
        raise InvalidError("The look-up cannot be recorded; see the fields.", fields=fields)
    hashed = read_value(work, point).suppression_hash
    at = happened_at(checked_at, work.now, "checked_at")
    event = work.record("communications.register_checked", facts={"register": register, "listed": listed})
    register_store.put(
        work.connection, work.tenant_id, RegisterCheck(hashed, register, at, listed, work.now, event.id)
    )
    kept = register_store.find(work.connection, work.tenant_id, hashed, register)
    assert kept is not None
    return {"register": register, "checked_at": wire(kept.checked_at), "listed": kept.listed}
