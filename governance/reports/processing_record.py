"""The record of processing activities (GDPR Art. 30(1)): made from what is in force, not from a survey."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from governance.policy import service as policies
from governance.purposes import service as purposes
from governance.purposes.model import ACTIVE, Purpose
from governance.reports import figures_store as store
from governance.retention import service as retention
from governance.retention.views import rule_document
from governance.systems import service as systems
from governance.systems.model import System
from governance.tenants import store as tenants
from governance.transfers import flows
from governance.transfers.gate import FlowAnswer
from governance.transfers.model import STOPPED
from governance.work import Snapshot

COLUMNS = (
    "purpose",
    "title",
    "owner",
    "controller",
    "lawful_basis",
    "state",
    "data_subjects",
    "data_classes",
    "special_categories",
    "recipients",
    "third_countries",
    "transfers",
    "retention",
    "profiling",
    "description",
)
EEA = "EEA"
"""The group of the vocabulary (`policies/facts.yaml`) that names the states of the European Economic Area."""

NOT_DECLARED = "not_declared"
"""A recipient in a third country for whom no flow is declared, so that no mechanism is named either."""
SECURITY = (
    "What identifies a person is encrypted under keys of that person's own, wrapped outside the database.",
    "Every change is an entry of an append-only, signed ledger that can be verified offline.",
    "Access is decided at every request, by purpose and scope; no permission is remembered.",
    "Tenants are kept apart by every query and, on PostgreSQL, by row-level security.",
)
"""Art. 30(1)(g): the measures that this service itself takes; the controller adds its own."""


def report(snap: Snapshot) -> dict[str, Any]:
    """`{"controller", "activities": [COLUMNS…], "data_subjects", "recipients", "transfers", "security"}`."""
    tenant = tenants.find(snap.connection, snap.tenant_id)
    assert tenant is not None
    recipients = systems.every(snap)
    everybody = store.people(snap.connection, snap.tenant_id)
    stages = sorted({stage for _, stage in everybody if stage is not None})
    countries = {country for country, _ in everybody if country is not None}
    rules = retention.schedules(snap).rules
    declared = flows.listed(snap, limit=500)
    groups = policies.active(snap.connection, snap.tenant_id, snap.now).vocabulary.groups
    near = at_home(tenant.country, groups.get(EEA, ()))
    return {
        "controller": {
            "name": tenant.name,
            "country": tenant.country,
            "postal_address": tenant.postal_address,
            "sectors": list(tenant.sectors),
        },
        "activities": [
            _activity(each, stages, recipients, declared, near, rules) for each in purposes.every(snap)
        ],
        "data_subjects": {"stages": stages, "countries": sorted(countries)},
        "recipients": [
            {
                "system": each.system_id,
                "kind": each.kind,
                "country": each.country,
                "processor": each.processor,
                "data_classes": list(each.data_classes),
            }
            for each in recipients
        ],
        "transfers": [flows.document(each) for each in declared],
        "security": list(SECURITY),
    }


def at_home(country: str | None, eea: Iterable[str]) -> frozenset[str]:
    """The countries that are no third countries for a controller established in `country`.

    For one in a state of the EEA these are all its states (GDPR Art. 44 with the EEA Agreement); the laws of
    the United Kingdom, of Switzerland and of others look at their own country only. Nothing is near to one
    whose country nobody said.
    """
    states = frozenset(eea)
    if country in states:
        return states
    return frozenset() if country is None else frozenset({country})


def in_words(activity: Mapping[str, Any]) -> dict[str, Any]:
    """An activity as a row of a table: every cell is a text that an officer can read."""
    return {
        **activity,
        "lawful_basis": _basis(activity["lawful_basis"]),
        "transfers": "; ".join(map(_transfer_words, activity["transfers"])),
    }


def _basis(basis: str | Mapping[str, Any] | None) -> str:
    """The lawful basis as a sentence: the default, then where and when another one holds."""
    if not isinstance(basis, Mapping):
        return _plain(basis)
    words = [_plain(basis.get("default"))]
    words += [f"in {country}: {_plain(code)}" for country, code in (basis.get("by_country") or {}).items()]
    words += [
        f"at the stage {stage}: {_plain(code)}" for stage, code in (basis.get("by_stage") or {}).items()
    ]
    return "; ".join(words)


def _plain(code: str | None) -> str:
    return "none" if code is None else code.replace("_", " ")


def _transfer_words(transfer: Mapping[str, Any]) -> str:
    to = f"to {transfer['recipient']} in {transfer['destination']}"
    if transfer["status"] == NOT_DECLARED:
        return f"{to}: no flow is declared"
    to = f"{to} (flow {transfer['flow']})"
    if transfer["status"] == STOPPED:
        return f"{to}: stopped, nothing in force covers it"
    if transfer["mechanism"] is None:
        return f"{to}: needs no mechanism"
    return f"{to}: rests on {transfer['mechanism']}"


def _activity(
    purpose: Purpose,
    stages: list[str],
    systems_known: list[System],
    declared: list[FlowAnswer],
    near: frozenset[str],
    rules: Any,
) -> dict[str, Any]:
    held = set(purpose.data_classes)
    receiving = [each for each in systems_known if held & set(each.data_classes)]
    flowing = [each for each in declared if held & set(each.flow.data_classes)]
    transfers = list(_transfers(receiving, flowing, near))
    recipients = [each.system_id for each in receiving] + [each.flow.recipient for each in flowing]
    kept = [
        rule_document(rule)["sentence"]
        for rule in rules
        if (not rule.purposes or purpose.purpose_id in rule.purposes) and held & set(rule.data_classes)
    ]
    body = purpose.body
    return {
        "purpose": purpose.purpose_id,
        "title": purpose.title,
        "description": body.get("description"),
        "owner": purpose.owner,
        "controller": purpose.controller,
        "lawful_basis": body.get("lawful_basis") or None,
        "state": "active" if purpose.state == ACTIVE else "inactive",
        "data_subjects": stages,
        "data_classes": list(purpose.data_classes),
        "special_categories": purpose.special_categories,
        "profiling": purpose.profiling,
        "assessments": {
            name: body[name] for name in ("lia_reference", "dpia_reference", "lia", "dpia") if body.get(name)
        },
        "recipients": list(dict.fromkeys(recipients)),
        "third_countries": sorted({each["destination"] for each in transfers}),
        "transfers": transfers,
        "retention": [*([body["retention"]] if body.get("retention") else []), *sorted(set(kept))[:20]],
    }


def _transfers(
    receiving: Iterable[System], flowing: Iterable[FlowAnswer], near: frozenset[str]
) -> Iterator[dict[str, Any]]:
    """What goes to third countries: by declared flows, and to systems there for which none is declared."""
    told: set[tuple[str, str]] = set()
    for each in flowing:
        if each.flow.destination not in near:
            told.add((each.flow.recipient, each.flow.destination))
            yield {
                "flow": each.flow.flow_id,
                "recipient": each.flow.recipient,
                "destination": each.flow.destination,
                "status": each.status,
                "mechanism": each.mechanism,
                "mechanisms": list(each.flow.mechanisms),
            }
    for system in receiving:
        if system.country is None or system.country in near or (system.system_id, system.country) in told:
            continue
        yield {
            "flow": None,
            "recipient": system.system_id,
            "destination": system.country,
            "status": NOT_DECLARED,
            "mechanism": None,
            "mechanisms": [],
        }
