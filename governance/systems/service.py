"""Use cases of the register of systems. What is asked of a system is in `operations`."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import rfc8785

from governance.errors import InvalidError, NotFoundError, StaleError
from governance.events import Fact
from governance.purposes import catalogue
from governance.settings import Settings
from governance.systems import checking, registry, retiring, store
from governance.systems.checking import Checked, Surroundings
from governance.systems.connector import Connector, Context, Draft
from governance.systems.dependencies import circle
from governance.systems.findings import Report
from governance.systems.model import System, may_name
from governance.vault.model import OPERATIONAL, Place, joined
from governance.vault.service import Vault
from governance.work import Snapshot, Work

_KEEPER = "systems"
"""In place of a person: the tenant's secrets of systems lie under one key."""

_NOT_CHANGED = "This system was not changed; read it again and repeat the change on what you find: "


def put(work: Work, system_id: str, body: Mapping[str, Any], if_match: int | None) -> System:
    """Register a system (`if_match` None) or replace the version that the caller read.

    Secret members of the config are sealed; those that are not sent stay. Raises InvalidError for a record
    that is no system, an unknown kind or a circle of dependencies, StaleError if the newest version is not
    `if_match`.
    """
    present = _find(work, system_id)
    newest = 0 if present is None else present.system.version
    if if_match != (newest or None):
        raise StaleError(
            _NOT_CHANGED + (f"its newest version is {newest}." if newest else "it does not exist.")
        )
    known: Mapping[str, str] = {}
    if present is not None and present.system.kind == body.get("kind"):
        known = _reveal(work, present)
    checked = checking.check(system_id, newest + 1, body, known, surroundings(work))
    _refuse_circle(work, checked.system)
    if present is not None and present.system.retired_at is not None:
        retiring.ask_anew(work, system_id)
    return _write(work, checked)


def get(snap: Snapshot, system_id: str) -> System:
    """The system of this id; NotFoundError if there is none."""
    return _get(snap, system_id).system


def find(snap: Snapshot, system_id: str) -> System | None:
    """The system of this id, if there is one."""
    found = _find(snap, system_id)
    return None if found is None else found.system


def every(snap: Snapshot, *, since: datetime | None = None) -> list[System]:
    """The systems that are in service, by id; `since`: with those that were at that instant."""
    return [
        each
        for each in registered(snap)
        if each.retired_at is None or (since is not None and each.retired_at > since)
    ]


def registered(snap: Snapshot) -> list[System]:
    """All systems of the tenant, by id, with those that were taken out of service."""
    return store.every(snap.connection, snap.tenant_id)


def connect(snap: Snapshot, system_id: str, operation_id: str, subject_ref: str) -> tuple[Connector, Context]:
    """A system's connector, and a context with its secrets, to be used when no transaction is open."""
    found = _get(snap, system_id)
    around = surroundings(snap)
    retired = found.system.retired_at is not None
    draft = Draft(
        retiring.by_hand(found.system) if retired else found.system.config,
        {} if retired else _reveal(snap, found),
        around.data_classes,
        found.system.country,
        around.allow,
        around.own,
    )
    person = joined(system_id, subject_ref or operation_id)  # records of many share no pseudonym
    pseudonym = snap.resource(Vault).mac(snap.tenant_id, "system-pseudonym", person).hex()[:16]
    context = Context(
        tenant_id=snap.tenant_id,
        system_id=system_id,
        operation_id=operation_id,
        now=snap.now,
        draft=draft,
        pseudonym=f"erased-{pseudonym}",
        data_classes=found.system.data_classes,
        resources=snap.resources,
        callback_url=callback_url(snap, system_id),
    )
    return registry.connector(retiring.MANUAL if retired else found.system.kind), context


def callback_url(snap: Snapshot, system_id: str) -> str:
    """Where a system may report to: an address that nobody can make up."""
    public = snap.resource(Settings).public_url
    return f"{public}/callbacks/{system_id}/{snap.tenant_ref}.{_callback_secret(snap, system_id)}"


def check_callback_secret(snap: Snapshot, system_id: str, secret: str) -> None:
    """See that a callback came to the address that was given to this system; NotFoundError if not."""
    if not hmac.compare_digest(_callback_secret(snap, system_id).encode(), secret.encode()):
        raise NotFoundError("There is nothing to report to at this address.")


def _callback_secret(snap: Snapshot, system_id: str) -> str:
    return snap.resource(Vault).mac(snap.tenant_id, "system-callback", system_id.encode()).hex()


def probe(connector: Connector, context: Context) -> Report:
    """Try the connection and the mapping of a system that `connect` gave. Not inside a transaction."""
    return connector.probe(context)


def surroundings(snap: Snapshot) -> Surroundings:
    """What a system's record is checked against."""
    settings = snap.resource(Settings)
    return Surroundings(
        catalogue.vocabulary(settings.policies_dir).data_classes,
        allowed(settings, snap.tenant_id),
        (settings.database_url, settings.keyring_url, settings.decision_log_url),
        {each.system_id: each for each in registered(snap)},
    )


def allowed(settings: Settings, tenant_id: str) -> frozenset[str]:
    """Where the operator lets this tenant's systems lie: places for everybody, and `tenant=place` for one."""
    return settings.places_of(tenant_id)


def _get(snap: Snapshot, system_id: str) -> store.Stored:
    found = _find(snap, system_id)
    if found is None:
        raise NotFoundError("There is no system of this id.")
    return found


def _find(snap: Snapshot, system_id: str) -> store.Stored | None:
    # What can name nothing is not looked up: a database would choke on some of it.
    return store.find(snap.connection, snap.tenant_id, system_id) if may_name(system_id) else None


def _refuse_circle(work: Work, new: System) -> None:
    depends_on = {each.system_id: each.depends_on for each in registered(work)} | {
        new.system_id: new.depends_on
    }
    way = circle(depends_on, new.system_id)
    if way:
        sentence = f"These depend on each other in a circle: {' → '.join(way)}."
        raise InvalidError("This system cannot be kept as it is.", fields={"depends_on": [sentence]})


def _write(work: Work, checked: Checked) -> System:
    """Store a version and say so in the ledger, with the digest of what it says (without its secrets)."""
    new = checked.system
    said = {"config": dict(new.config), "country": new.country, "processor": new.processor}
    digest = hashlib.sha256(rfc8785.dumps({**said, "secrets": list(new.secrets)})).hexdigest()
    facts: dict[str, Fact] = {
        "system": new.system_id,
        "version": new.version,
        "kind": new.kind,
        "data_classes": list(new.data_classes),
        "depends_on": list(new.depends_on),
        "digest": digest,
    }
    sealed = None
    if checked.secrets:
        plain = json.dumps(dict(checked.secrets)).encode()
        sealed = work.resource(Vault).seal(work.tenant_id, _KEEPER, OPERATIONAL, _place(new), plain)
    event = work.record("system.put", facts=facts)
    stored = store.Stored(new, sealed)
    if not store.write(work.connection, work.tenant_id, stored, at=work.now, event_id=event.id):
        raise StaleError(_NOT_CHANGED + "someone else has just written it.")
    return new


def _reveal(snap: Snapshot, found: store.Stored) -> dict[str, str]:
    if found.secrets_sealed is None:
        return {}
    plain = snap.resource(Vault).reveal(
        snap.tenant_id, _KEEPER, OPERATIONAL, _place(found.system), found.secrets_sealed
    )
    secrets: dict[str, str] = json.loads(plain)
    return secrets


def _place(system: System) -> Place:
    return Place("system", "secrets_sealed", f"{system.system_id}/{system.version}")
