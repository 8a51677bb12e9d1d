"""Outcomes as JSON, for keeping and for answering: counts, codes and sentences, never a person. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from governance.systems.model import Item, Outcome, StepOutcome


def write_step(step: StepOutcome) -> dict[str, Any]:
    """A step as JSON."""
    return {
        "data_class": step.data_class,
        "outcome": step.outcome,
        "rows": dict(step.rows),
        "because": step.because,
        "until": None if step.until is None else step.until.isoformat(),
    }


def read_steps(documents: Sequence[Mapping[str, Any]]) -> tuple[StepOutcome, ...]:
    """Steps from their JSON."""
    return tuple(
        StepOutcome(
            each["data_class"],
            each["outcome"],
            dict(each["rows"]),
            each["because"],
            None if each["until"] is None else date.fromisoformat(each["until"]),
        )
        for each in documents
    )


def write_outcome(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON, without the collected items."""
    return {
        "status": outcome.status,
        "because": outcome.because,
        "steps": [write_step(each) for each in outcome.steps],
        "counts": dict(outcome.counts),
        "records": dict(outcome.records),
        "warnings": list(outcome.warnings),
        "transient": outcome.transient,
    }


def read_outcome(document: Mapping[str, Any], items: Sequence[Item] = ()) -> Outcome:
    """An outcome from its JSON."""
    return Outcome(
        document["status"],
        document["because"],
        read_steps(document["steps"]),
        dict(document["counts"]),
        dict(document["records"]),
        tuple(items),
        tuple(document["warnings"]),
        transient=document["transient"],
    )


def write_item(item: Item) -> dict[str, Any]:
    """A collected item as JSON; this one does hold personal data."""
    return {
        "data_class": item.data_class,
        "table": item.table,
        "row": item.row,
        "values": dict(item.values),
        "free_text": list(item.free_text),
        "shared": item.shared,
        **({"media": item.media} if item.media else {}),
    }


def read_item(document: Mapping[str, Any]) -> Item:
    """A collected item from its JSON."""
    return Item(
        document["data_class"],
        document["table"],
        document["row"],
        dict(document["values"]),
        tuple(document["free_text"]),
        document["shared"],
        document.get("media", ""),
    )
