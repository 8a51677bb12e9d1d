"""Who asks, read from the records: a member of staff or a component, its roles, grants and scopes."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from governance.access import store
from governance.access.model import (
    ACTIVE,
    COMPONENT,
    DATA_FIELD,
    KINDS,
    LEFT,
    ROLE,
    SERVICE,
    STAFF,
    Asker,
    Authority,
    Body,
    Field,
    Grant,
    Record,
    Role,
    Seat,
    held,
    may_be_asker,
)
from governance.callers import service as callers
from governance.purposes import catalogue
from governance.settings import Settings
from governance.work import Snapshot


def owner(snap: Snapshot, client_id: str) -> tuple[str, str] | None:
    """The type (`staff` or `component`) and id of whoever a credential belongs to."""
    return store.owner_of(snap.connection, snap.tenant_id, client_id)


def authority(snap: Snapshot, staff_id: str) -> Authority | None:
    """What a member of staff may do, as of this snapshot; None if nobody registered such a one.

    For the edge: ask it at sign-in and again in the snapshot of every request, and remember nothing. Whoever
    left has no scope.
    """
    record = store.find(snap.connection, snap.tenant_id, STAFF, staff_id)
    if record is None:
        return None
    roles = roles_of(snap)
    every = held(list(record.body.get("roles") or ()), roles)
    if record.status != ACTIVE:
        return Authority(staff_id, record.status, every)
    scopes = frozenset(scope for each in every for scope in roles[each].scopes)
    return Authority(staff_id, record.status, every, scopes)


def seats(snap: Snapshot, client_id: str, staff_id: str | None) -> tuple[Seat, ...]:
    """Where whoever calls sits, by the records of the component and of the member of staff; () for at home.

    A member of staff who came through a component sits where either record says: both get what is answered.
    """
    owned = store.owner_of(snap.connection, snap.tenant_id, client_id)
    named = {owned} if owned is not None else set()
    if staff_id is not None and may_be_asker(staff_id):
        named.add((STAFF, staff_id))
    found = []
    for kind, record_id in sorted(named):
        record = store.find(snap.connection, snap.tenant_id, kind, record_id)
        if record is not None and record.body.get("country"):
            found.append(Seat(record.body["country"], record.body.get("recipient") or record_id))
    return tuple(found)


def seated(snap: Snapshot) -> dict[Seat, frozenset[str]]:
    """Where components and staff with a country sit, with the purposes for which they may have data."""
    roles = roles_of(snap)
    found: dict[Seat, frozenset[str]] = {}
    for record in store.every(snap.connection, snap.tenant_id, [COMPONENT, STAFF], status=ACTIVE):
        if record.body.get("country"):
            seat = Seat(record.body["country"], record.body.get("recipient") or record.id)
            held_for = frozenset().union(*(grant.purposes for grant in asker_of(record, roles).grants))
            found[seat] = found.get(seat, frozenset()) | held_for
    return found


def asker(snap: Snapshot, kind: str, asker_id: str, roles: Mapping[str, Role] | None = None) -> Asker:
    """Who asks, with everything that was given; UNKNOWN if nobody registered such a one.

    A component may be named by the id of its credential; a credential that belongs to nobody is a component
    without grants.
    """
    known = kind in (STAFF, COMPONENT) and may_be_asker(asker_id)
    record = store.find(snap.connection, snap.tenant_id, kind, asker_id) if known else None
    if record is None and kind == COMPONENT and known:
        owned = store.owner_of(snap.connection, snap.tenant_id, asker_id)
        if owned is not None:
            return asker(snap, *owned, roles)
        client = callers.find(snap.connection, asker_id)
        if client is not None and client.tenant_id == snap.tenant_id:
            return Asker(COMPONENT, asker_id, SERVICE, ACTIVE if client.active else LEFT)
    if record is None:
        return Asker(kind, asker_id)
    return asker_of(record, roles_of(snap) if roles is None else roles)


def asker_of(record: Record, roles: Mapping[str, Role]) -> Asker:
    """The asker that a record describes; roles that are not for its kind give nothing."""
    kind = STAFF if record.kind == STAFF else str(record.body.get("kind", SERVICE))
    every = [each for each in held(list(record.body.get("roles") or ()), roles) if kind in roles[each].kinds]
    grants: Iterable[Grant] = [
        *grants_of(record.body),
        *(grant for each in every for grant in roles[each].grants),
    ]
    return Asker(record.kind, record.id, kind, record.status, tuple(every), tuple(grants))


def grants_of(body: Body) -> tuple[Grant, ...]:
    """The grants of a record that was checked when it was put."""
    own = [body] if body.get("purposes") else []
    return tuple(
        Grant(
            frozenset(each["purposes"]),
            frozenset((*(each.get("data_classes") or ()), *(each.get("fields") or ()))),
            frozenset(each.get("masked") or ()),
            frozenset(each["stages"]) if each.get("stages") else None,
        )
        for each in (*own, *(body.get("grants") or ()))
    )


def roles_of(snap: Snapshot) -> dict[str, Role]:
    """All roles of the tenant, by id."""
    return {
        each.id: Role(
            each.id,
            tuple(each.body.get("kinds") or KINDS),
            tuple(each.body.get("includes") or ()),
            tuple(each.body.get("excludes") or ()),
            tuple(each.body.get("scopes") or ()),
            grants_of(each.body),
        )
        for each in store.every(snap.connection, snap.tenant_id, [ROLE])
    }


def fields_of(snap: Snapshot) -> dict[str, Field]:
    """All fields, by id: those of the catalogue, and the tenant's own."""
    found = dict(shipped_fields(policies_dir(snap)))
    for each in store.every(snap.connection, snap.tenant_id, [DATA_FIELD]):
        if each.id not in found:
            found[each.id] = Field(each.id, each.body["data_class"], each.body.get("mask") or "hidden")
    return found


def shipped_fields(folder: Path | None) -> dict[str, Field]:
    """The fields of the catalogue, by id."""
    return {
        name: Field(name, data_class, str(mask))
        for data_class, entry in catalogue.data_classes(folder).items()
        for name, mask in (entry.get("fields") or {}).items()
    }


def policies_dir(snap: Snapshot) -> Path | None:
    """The installation's own policies folder, if it has one."""
    return snap.resource(Settings).policies_dir
