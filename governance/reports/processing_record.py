"""The record of processing activities (GDPR Art. 30(1)): made from what is in force, not from a survey."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from governance.access import service as access
from governance.access.model import Seat
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
from governance.transfers.disclosures import EEA, at_home
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
    away = {seat: held for seat, held in access.seated(snap).items() if seat.country not in near}
    return {
        "controller": {
            "name": tenant.name,
            "country": tenant.country,
            "postal_address": tenant.postal_address,
            "sectors": list(tenant.sectors),
        },
        "activities": [
            _activity(
                each,
                stages,
                recipients,
                declared,
                near,
                rules,
                [seat for seat, held in away.items() if each.purpose_id in held],
            )
            for each in purposes.every(snap)
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


def table(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The activities as rows of COLUMNS: every cell is a text that an officer can read."""
    return [
        {
            **activity,
            "lawful_basis": _basis(activity["lawful_basis"]),
            "transfers": "; ".join(map(_transfer_words, activity["transfers"])),
        }
        for activity in found["activities"]
    ]


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
    callers: list[Seat],
) -> dict[str, Any]:
    held = set(purpose.data_classes)
    receiving = [each for each in systems_known if held & set(each.data_classes)]
    flowing = [each for each in declared if held & set(each.flow.data_classes)]
    there = [(each.system_id, each.country) for each in receiving if each.country is not None]
    there += [(each.recipient, each.country) for each in callers]
    transfers = list(_transfers(there, flowing, near))
    recipients = [each.system_id for each in receiving] + [each.flow.recipient for each in flowing]
    recipients += [each.recipient for each in callers]
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
    there: Iterable[tuple[str, str]], flowing: Iterable[FlowAnswer], near: frozenset[str]
) -> Iterator[dict[str, Any]]:
    """What goes to third countries: by declared flows, and to systems and callers (`there`) without one."""
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
    for recipient, country in dict.fromkeys(there):
        if country in near or (recipient, country) in told:
            continue
        yield {
            "flow": None,
            "recipient": recipient,
            "destination": country,
            "status": NOT_DECLARED,
            "mechanism": None,
            "mechanisms": [],
        }
