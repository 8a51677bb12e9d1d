"""Use cases of roles, components and staff: what was given to whom, and what is taken away again.

What the edge calls of the room's reading side (`askers`): `authority` (a member of staff: roles and scopes),
`owner` (whose a credential is), `asker` (who asks, with all grants).
"""

import hashlib
from collections.abc import Collection, Mapping

import rfc8785

from governance.access import definitions, overlaps, own_authority, store
from governance.access.askers import (
    asker,
    authority,
    fields_of,
    owner,
    policies_dir,
    roles_of,
    seated,
    seats,
    shipped_fields,
)
from governance.access.definitions import SEAT, Words
from governance.access.model import (
    ACTIVE,
    ASSESSMENT,
    COMPONENT,
    DATA_FIELD,
    LEFT,
    ROLE,
    STAFF,
    Body,
    Record,
    Role,
    held,
    may_be_asker,
)
from governance.callers import service as callers
from governance.callers.model import SCOPES
from governance.errors import ConflictError, InvalidError, NotFoundError, StaleError
from governance.events import Fact
from governance.policy import service as policies
from governance.purposes import catalogue
from governance.purposes import service as purposes
from governance.work import Snapshot, Work

__all__ = [
    "asker",
    "authority",
    "fields_of",
    "find",
    "get",
    "install_catalogue",
    "listed",
    "owner",
    "put",
    "roles_of",
    "seated",
    "seats",
]

_NAMES = {
    ROLE: "role",
    COMPONENT: "component",
    STAFF: "member of staff",
    DATA_FIELD: "field",
    ASSESSMENT: "assessment",
}
STAGE_MODEL = "relationship"


def install_catalogue(work: Work) -> None:
    """Put the shipped roles into use that the tenant has not; safe to repeat.

    An installation may have a catalogue of its own: grants for purposes that it has not are left out.
    """
    have = {each.id for each in store.every(work.connection, work.tenant_id, [ROLE])}
    known = {each.purpose_id for each in purposes.every(work)}
    for role_id, body in catalogue.roles(policies_dir(work)).items():
        if role_id not in have:
            grants = [
                {**each, "purposes": [one for one in each["purposes"] if one in known]}
                for each in body.get("grants", ())
            ]
            put(work, ROLE, role_id, {**body, "grants": [each for each in grants if each["purposes"]]})


def find(snap: Snapshot, kind: str, record_id: str) -> Record | None:
    """The record of this kind and id, if there is one."""
    if not may_be_asker(record_id):
        return None  # What can name nothing is not looked up: a database would choke on some of it.
    return store.find(snap.connection, snap.tenant_id, kind, record_id)


def get(snap: Snapshot, kind: str, record_id: str) -> Record:
    """The record of this kind and id; NotFoundError."""
    found = find(snap, kind, record_id)
    if found is None:
        raise NotFoundError(f"There is no {_NAMES[kind]} of this id.")
    return found


def listed(snap: Snapshot, kind: str, *, after: str = "", limit: int = 50) -> list[Record]:
    """Records of a kind, by id."""
    return store.every(snap.connection, snap.tenant_id, [kind], after=after, limit=limit)


def every_active(snap: Snapshot, kind: str) -> list[Record]:
    """All components, or all staff, that have not left."""
    return store.every(snap.connection, snap.tenant_id, [kind], status=ACTIVE)


def put(
    work: Work,
    kind: str,
    record_id: str,
    body: Body,
    if_match: int | None = None,
    *,
    maker_scopes: Collection[str] | None = None,
    maker_roles: Collection[str] = (),
) -> Record:
    """Create a record, or replace the version `if_match` (None for components and staff: whatever is newest).

    Of a member of staff, members that are not named stay. `maker_scopes`: what the maker may do, for nobody
    gives what they lack, nor changes what they hold themselves (None: the installation itself);
    `maker_roles`: those that the maker's token names. Raises InvalidError for what cannot be kept,
    StaleError for another version than the newest, ConflictError `own-authority`, `credential-taken`.
    """
    store.queue(work.connection, work.tenant_id)
    present = find(work, kind, record_id)
    newest = 0 if present is None else present.version
    versioned = kind in (ROLE, DATA_FIELD, ASSESSMENT) or if_match is not None
    if versioned and if_match != (newest or None):
        raise StaleError("This record was not changed; read it again and repeat the change on what you find.")
    if present is not None:
        # Of a component only where it sits: replaced in ignorance of that, it must not seem to be at home.
        stays = present.body if kind == STAFF else {each: present.body.get(each) for each in SEAT}
        body = {**stays, **body} if kind in (STAFF, COMPONENT) else body
    body = definitions.plain(body)
    words = words_of(work)
    _check(work, kind, record_id, body, words)
    if maker_scopes is not None:
        wanted = Record(kind, record_id, 0, "", body)
        own_authority.check(work, present, wanted, words.roles, maker_roles)
        _check_maker(present, wanted, words, maker_scopes)
    status = str(body.get("status", ACTIVE))
    new = Record(kind, record_id, newest + 1, status, body, work.now)
    digest = hashlib.sha256(rfc8785.dumps(dict(body))).hexdigest()
    facts: dict[str, Fact] = {kind: record_id, "version": new.version, "status": status, "digest": digest}
    event = work.record(f"access.{kind}_put", facts=facts)
    if not store.write(work.connection, work.tenant_id, new, at=work.now, event_id=event.id):
        raise StaleError("This record was not changed: someone else has just written it.")
    if kind in (COMPONENT, STAFF):
        _set_credentials(work, new, present, event.id)
    return new


def _check(work: Work, kind: str, record_id: str, body: Body, words: Words) -> None:
    if kind == ROLE:
        _check_role(work, record_id, body, words)
    elif kind == COMPONENT:
        definitions.check_component(record_id, body, words)
        _check_together(body, words)
    elif kind == STAFF:
        definitions.check_staff(record_id, body, words)
        _check_together(body, words)
    elif kind == DATA_FIELD:
        definitions.check_field(record_id, body, words, shipped_fields(policies_dir(work)))
    else:
        definitions.check_assessment(record_id, body, words, work.now)


def _check_role(work: Work, role_id: str, body: Body, words: Words) -> None:
    """Refuse a role that goes in a circle, overlaps with what it includes, or parts what is held together."""
    new = definitions.check_role(role_id, body, words)
    roles = {**words.roles, role_id: new}
    way = overlaps.circle(role_id, roles)
    if way:
        sentence = f"The definition goes in a circle: {' includes '.join(way)}. A role cannot include itself."
        raise InvalidError(sentence, fields={"includes": [sentence]})
    for each in roles.values():
        within = held([each.role_id], roles)
        if role_id not in within:
            continue
        for other in within[1:]:
            sentences = [overlaps.clash(each, roles[other], words.fields)]
            if other in each.excludes or each.role_id in roles[other].excludes:
                sentences.append(f"The role {each.role_id} includes {other}, which may not be held with it.")
            for sentence in filter(None, sentences):
                raise InvalidError(sentence, fields={"grants" if sentences[0] else "excludes": [sentence]})
    for record in store.every(work.connection, work.tenant_id, [STAFF, COMPONENT], status=ACTIVE):
        if role_id in record.body.get("roles", ()):
            _check_together(record.body, _with(words, roles), record)


def _check_together(body: Body, words: Words, holder: Record | None = None) -> None:
    """Refuse roles that may not be held together: what one does, another one controls."""
    every = held(list(body.get("roles") or ()), words.roles)
    for role_id in every:
        for other in words.roles[role_id].excludes:
            if other in every:
                whom = "" if holder is None else f", as {holder.kind} {holder.id} does"
                sentence = (
                    f"The roles {role_id} and {other} may not be held together{whom}: duties are separated."
                )
                raise InvalidError(sentence, fields={"roles" if holder is None else "excludes": [sentence]})


def _with(words: Words, roles: Mapping[str, Role]) -> Words:
    return Words(
        words.purposes, words.data_classes, words.fields, words.masks, words.stages, words.scopes, roles
    )


def _check_maker(before: Record | None, new: Record, words: Words, maker_scopes: Collection[str]) -> None:
    """Nobody gives scopes that they lack."""
    given = _scopes(new, words) - (set() if before is None else _scopes(before, words))
    excess = sorted(given - set(maker_scopes))
    if excess:
        sentence = f"Nobody gives scopes that they lack: {', '.join(excess)}."
        raise InvalidError(sentence, fields={"scopes" if new.kind == ROLE else "roles": [sentence]})


def _scopes(record: Record, words: Words) -> set[str]:
    said = set(record.body.get("scopes") or ()) if record.kind == ROLE else set()
    named = record.body.get("includes" if record.kind == ROLE else "roles") or ()
    return said | {scope for each in held(list(named), words.roles) for scope in words.roles[each].scopes}


def _set_credentials(work: Work, new: Record, before: Record | None, event_id: str) -> None:
    """Say whose credentials these are; those of whoever left end with the next request."""
    clients = set(new.body.get("clients") or ())
    known = {each.client_id: each for each in callers.every(work)}
    for client_id in sorted(clients):
        owner = store.owner_of(work.connection, work.tenant_id, client_id)
        if client_id not in known:
            raise InvalidError(
                "A credential is not one of this tenant.",
                fields={"clients": ["Name credentials that exist."]},
            )
        if owner is not None and owner != (new.kind, new.id):
            raise ConflictError("A credential belongs to somebody else already.", reason="credential-taken")
    if before is not None or clients:
        store.set_credentials(
            work.connection, work.tenant_id, (new.kind, new.id), clients, at=work.now, event_id=event_id
        )
    if new.status == LEFT and (before is None or before.status != LEFT):
        work.record(f"access.{new.kind}_left", facts={new.kind: new.id, "credentials": len(clients)})
        for client_id in sorted(clients):
            if known[client_id].active:
                callers.let_go(work, client_id)


def words_of(snap: Snapshot) -> Words:
    """The codes that records of this tenant may use."""
    folder = policies_dir(snap)
    stages = policies.active(snap.connection, snap.tenant_id, snap.now).models[STAGE_MODEL].stages
    return Words(
        purposes=frozenset(each.purpose_id for each in purposes.every(snap)),
        data_classes=frozenset(catalogue.data_classes(folder)),
        fields=fields_of(snap),
        masks=frozenset(catalogue.masks(folder)),
        stages=frozenset(each.id for each in stages),
        scopes=SCOPES,
        roles=roles_of(snap),
    )
