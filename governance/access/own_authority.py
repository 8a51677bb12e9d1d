"""Nobody changes what they hold themselves: their record, a role that they hold, a field that they see."""

from collections.abc import Collection, Mapping

from governance.access import askers, parties, store
from governance.access.model import COMPONENT, DATA_FIELD, MASKED, ROLE, STAFF, Field, Record, Role, held
from governance.errors import ConflictError
from governance.work import Work


def check(
    work: Work,
    before: Record | None,
    new: Record,
    roles: Mapping[str, Role],
    claimed: Collection[str],
) -> None:
    """Refuse a change by which whoever acts would get, keep out of or lose anything: `own-authority`.

    `roles` as they are before; `claimed`: those that an outside issuer's token names. A record is one's own
    if it is the actor's (see `parties`), or names the acting credential, or would.
    """
    if before is not None and dict(before.body) == dict(new.body):
        return
    ref = work.actor.ref
    mine = {parties.acting(work), (COMPONENT, ref)}
    if new.kind in (STAFF, COMPONENT):
        bodies = [new.body] if before is None else [before.body, new.body]
        if (new.kind, new.id) in mine or any(ref in (each.get("clients") or ()) for each in bodies):
            raise _refused("their own record, or makes one for themselves")
        return
    found = [store.find(work.connection, work.tenant_id, *each) for each in sorted(mine)]
    records = [each for each in found if each is not None]
    if new.kind == ROLE:
        named = [role for each in records for role in each.body.get("roles") or ()]
        if new.id in held([*named, *sorted(claimed)], roles):
            raise _refused("a role that they hold")
    if new.kind == DATA_FIELD and before is not None:
        grants = [
            *(grant for each in records for grant in askers.asker_of(each, roles).grants),
            *(grant for role in held(sorted(claimed), roles) for grant in roles[role].grants),
        ]
        was, will = _field(before), _field(new)
        for grant in grants:
            shown = grant.shows(will)
            if grant.shows(was) != shown or (shown == MASKED and was.mask != will.mask):
                raise _refused("what a field is that they see, or would see then")


def _field(record: Record) -> Field:
    return Field(record.id, record.body["data_class"], record.body.get("mask") or "hidden")


def _refused(what: str) -> ConflictError:
    return ConflictError(f"Nobody changes {what}; ask a second person.", reason="own-authority")
