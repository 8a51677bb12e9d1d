"""Who stands behind the reference of an actor: the staff or the component whose credential it is."""

from governance.access import store
from governance.access.model import COMPONENT, HUMAN_OPERATED, SERVICE, STAFF
from governance.callers import users
from governance.callers.model import is_client_id, staff_ref
from governance.persons import Parties, Party
from governance.tenants import service as tenants
from governance.tenants.model import REGISTERED
from governance.work import Snapshot

_STAFF, _COMPONENT, _OPERATOR = staff_ref(""), f"{COMPONENT}:", "operator:"
_NOBODY = ("job:", "system-", "data-subject", "sign-in")
"""Actors behind whom there is no credential, and no person who could approve."""


def ref_of(kind: str, record_id: str) -> str:
    """The reference under which an asker is found here."""
    return f"{STAFF if kind == STAFF else COMPONENT}:{record_id}"


def party(snap: Snapshot, ref: str) -> Party:
    """Who stands behind a reference.

    At the command line `--by` names a person by the id of a member of staff; without it (`cli`) it is the
    operator, one and the same.
    """
    for prefix in (_STAFF, _OPERATOR):
        if ref.startswith(prefix):
            return Party(ref, staff=frozenset({ref.removeprefix(prefix)}))
    named = ref.removeprefix(_COMPONENT)
    if ref.startswith(_COMPONENT) and store.find(snap.connection, snap.tenant_id, COMPONENT, named):
        return Party(ref, components=frozenset({named}), alone=_alone(snap, named))
    owners = store.owners_ever(snap.connection, snap.tenant_id, named)
    staff = frozenset(each for kind, each in owners if kind == STAFF)
    components = frozenset(each for kind, each in owners if kind == COMPONENT)
    alone = not staff and any(_alone(snap, each) for each in components)
    return Party(named, staff, components, alone or ref.startswith(_NOBODY), credential=is_client_id(named))


def acting(snap: Snapshot) -> tuple[str, str]:
    """Who acts (kind, id): the owner of the credential, whoever signed in, else the credential itself."""
    ref = snap.actor.ref
    if snap.actor.kind == STAFF:
        return STAFF, ref.removeprefix(_STAFF)
    return store.owner_of(snap.connection, snap.tenant_id, ref) or (COMPONENT, ref)


def staffed(snap: Snapshot) -> bool:
    """Whether the tenant has staff (also if it left, or only signs in) or answers registered askers only."""
    return (
        store.has_any(snap.connection, snap.tenant_id, STAFF)
        or users.has_any(snap)
        or tenants.get(snap).askers == REGISTERED
    )


PARTIES = Parties(party, staffed)


def _alone(snap: Snapshot, component_id: str) -> bool:
    found = store.find(snap.connection, snap.tenant_id, COMPONENT, component_id)
    return found is not None and found.body.get("kind", SERVICE) != HUMAN_OPERATED
