"""The record of processing activities (GDPR Art. 30(1)): made from what is in force, not from a survey."""

from typing import Any

from governance.purposes import service as purposes
from governance.purposes.model import ACTIVE, Purpose
from governance.reports import figures_store as store
from governance.retention import service as retention
from governance.retention.views import rule_document
from governance.systems import service as systems
from governance.systems.model import System
from governance.tenants import store as tenants
from governance.transfers import flows
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
    "retention",
)
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
    declared = [flows.document(each) for each in flows.listed(snap, limit=500)]
    return {
        "controller": {
            "name": tenant.name,
            "country": tenant.country,
            "postal_address": tenant.postal_address,
            "sectors": list(tenant.sectors),
        },
        "activities": [
            _activity(each, stages, recipients, tenant.country, rules) for each in purposes.every(snap)
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
        "transfers": declared,
        "security": list(SECURITY),
    }


def _activity(
    purpose: Purpose, stages: list[str], recipients: list[System], home: str | None, rules: Any
) -> dict[str, Any]:
    held = set(purpose.data_classes)
    receiving = [each for each in recipients if held & set(each.data_classes)]
    abroad = sorted({each.country for each in receiving if each.country and each.country != home})
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
        "recipients": [each.system_id for each in receiving],
        "third_countries": abroad,
        "retention": [*([body["retention"]] if body.get("retention") else []), *sorted(set(kept))[:20]],
    }
