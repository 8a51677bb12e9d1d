"""What a package says, as JSON with codes: the data item by item, and what Art. 15(1) and (2) GDPR or its kin
want said of them. The page says the same in words (`package_page`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.clock import wire
from governance.policy import service as policies
from governance.purposes import catalogue
from governance.rights import attachments, holdings
from governance.rights.described import OWN_CLASSES, Describer
from governance.rights.dossier import Dossier, regime_of
from governance.rights.holdings import Section
from governance.rights.model import ACCESS
from governance.rights.reasons import Reasons, reasons
from governance.settings import Settings
from governance.systems import service as systems
from governance.systems.model import Item
from governance.tenants import store as tenants
from governance.transfers import service as transfers
from governance.transfers.disclosures import EEA, at_home
from governance.transfers.gate import FlowAnswer
from governance.work import Snapshot


@dataclass(frozen=True, slots=True)
class Collected:
    """What the systems gave: items by system id, whose they are by the item's identity, and why others gave
    nothing.
    """

    items: dict[str, list[Item]]
    owners: dict[int, str]
    missing: dict[str, str]


def document(
    snap: Snapshot,
    dossier: Dossier,
    people: Sequence[str],
    collected: Collected,
) -> dict[str, Any]:
    """The package of a request about these people: what is held here, and what the systems gave."""
    items = collected.items
    registered = {each.system_id: each for each in systems.registered(snap)}
    told = reasons(dossier.request.language, snap.resource(Settings).policies_dir)
    describer = Describer(snap, list(registered.values()), items)
    held = [(ref, section) for ref in people for section in holdings.own(snap, ref)]
    here = [_section(describer, told, ref, section) for ref, section in held]
    elsewhere: list[dict[str, Any]] = []
    attached = attachments.names(items)
    for system_id, found in sorted(items.items()):
        elsewhere.append(
            {
                "system": system_id,
                "processor": registered[system_id].processor,
                "country": registered[system_id].country,
                "items": [
                    _item(describer, told, collected, system_id, each, attached.get(id(each)))
                    for each in found
                ],
            }
        )
    every: list[dict[str, Any]] = [*here, *(each for system in elsewhere for each in system["items"])]
    return {
        "request": dossier.request_id,
        "language": dossier.request.language,
        "regime": dossier.request.regime,
        "made_at": wire(snap.now),
        "held_here": here,
        "systems": elsewhere,
        "not_answered": [
            {"system": name, "because": because} for name, because in sorted(collected.missing.items())
        ],
        "unreadable": sum(len(names) for each in here for names in each["unreadable"]),
        "about": _about(told, every),
        "recipients": _distinct(one for each in every for one in each["recipients"]),
        "rights": _rights(snap, dossier, told),
        "automated_decisions": _automated(describer, people),
        "transfers": list(_transfers(snap, describer, {each["data_class"] for each in every})),
    }


def _section(describer: Describer, told: Reasons, ref: str, section: Section) -> dict[str, Any]:
    named = {str(each.values["purpose"]) for each in section.rows if each.values.get("purpose")}
    return {
        "data_class": section.data_class,
        "title": section.title,
        "source": "here" if section.data_class in OWN_CLASSES else describer.source(ref),
        "purposes": describer.purposes_of(
            ref, section.data_class, named if section.title in ("messages", "records") else ()
        ),
        "recipients": describer.recipients(section.data_class),
        "rows": [each.values for each in section.rows],
        "unreadable": [list(each.unreadable) for each in section.rows],
        "kept": [
            _said(
                told,
                describer.kept(
                    ref,
                    section.data_class,
                    at=each.at,
                    closed_at=each.closed_at,
                    system=each.system,
                    record=each.record,
                ),
            )
            for each in section.rows
        ],
    }


def _item(
    describer: Describer,
    told: Reasons,
    collected: Collected,
    system_id: str,
    item: Item,
    attached: str | None,
) -> dict[str, Any]:
    ref = collected.owners[id(item)]
    kept = describer.kept(ref, item.data_class, at=None, system=system_id, record=item.row)
    return {
        "data_class": item.data_class,
        "table": item.table,
        "source": "system",
        "purposes": describer.purposes_of(ref, item.data_class),
        "recipients": describer.recipients(item.data_class),
        "values": dict(item.values) if attached is None else attachments.values(item, attached),
        "free_text": list(item.free_text),
        "about_others_too": item.shared,
        **_said(told, kept),
    }


def _said(told: Reasons, kept: Mapping[str, Any]) -> dict[str, Any]:
    return {**kept, "because": told.say(kept["because"])}


def _about(told: Reasons, every: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same by class of data: every purpose, source, recipient and term of its items."""
    found = []
    for data_class in sorted({each["data_class"] for each in every}):
        of = [each for each in every if each["data_class"] == data_class]
        kept = [one for each in of for one in each.get("kept", [each])]
        found.append(
            {
                "data_class": data_class,
                "name": told.name_of(data_class),
                "sources": sorted({each["source"] for each in of}),
                "purposes": _distinct(one for each in of for one in each["purposes"]),
                "recipients": _distinct(one for each in of for one in each["recipients"]),
                "kept": _distinct(
                    {name: one[name] for name in ("kept_until", "because", "counts_from_entry")}
                    for one in kept
                ),
            }
        )
    return found


def _rights(snap: Snapshot, dossier: Dossier, told: Reasons) -> dict[str, Any]:
    """Art. 15(1)(e) and (f): what else may be asked for under the request's law, and where to complain."""
    regime = regime_of(snap, dossier.request)
    return {
        "law": regime.id,
        "title": regime.title,
        "may_ask_for": [
            {"type": name, "whole": said == "yes"}
            for name, said in regime.rights.items()
            if name != ACCESS and name in told.said.types
        ],
        "complaint": None if regime.complaint is None else told.say(regime.complaint),
    }


def _automated(describer: Describer, people: Sequence[str]) -> dict[str, Any]:
    """Art. 15(1)(h): purposes of this person for which a machine decides alone, or people are evaluated."""
    mine = [each for each in describer.purposes if any(describer.applies(ref, each) for ref in people)]
    alone = [each for each in mine if each.body.get("solely_automated")]
    return {
        "solely_automated": [
            {"id": each.purpose_id, "title": each.title, "description": each.body.get("description")}
            for each in alone
        ],
        "profiling": [
            {"id": each.purpose_id, "title": each.title, "description": each.body.get("description")}
            for each in mine
            if each.profiling
        ],
    }


def _transfers(snap: Snapshot, describer: Describer, held: set[str]) -> Iterator[dict[str, Any]]:
    """Art. 15(2): what goes to other countries, and the safeguards; without a flow none is recorded."""
    home = tenants.find(snap.connection, snap.tenant_id)
    groups = policies.active(snap.connection, snap.tenant_id, snap.now).vocabulary.groups
    near = at_home(None if home is None else home.country, groups.get(EEA, ()))
    flowing = set()
    for each in describer.flows:
        if each.flow.destination not in near and held & set(each.flow.data_classes):
            flowing.add((each.flow.recipient, each.flow.destination))
            yield _flow(snap, each)
    for data_class in sorted(held):
        for one in describer.recipients(data_class):
            to = (one["system"] or one["processor"], one["country"])
            if one["country"] is not None and one["country"] not in near and to not in flowing:
                flowing.add(to)
                yield {
                    "recipient": one["processor"] or one["system"],
                    "country": one["country"],
                    "status": "not_declared",
                    "safeguards": [],
                }


def _flow(snap: Snapshot, answer: FlowAnswer) -> dict[str, Any]:
    titles: list[str] = []
    if answer.mechanism is not None:
        known = catalogue.transfer_instruments(snap.resource(Settings).policies_dir)
        used = transfers.get(snap, answer.mechanism)
        titles = [str(known.get(each, {}).get("title", each)) for each in used.instruments] or [used.kind]
    return {
        "recipient": answer.flow.recipient,
        "country": answer.flow.destination,
        "status": answer.status,
        "safeguards": titles,
    }


def _distinct(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    for each in found:
        if each not in told:
            told.append(each)
    return told
