"""The gate of deletion as one question: may data of this person be erased now, and if not, why not?

Answered by the schedules and the legal holds (`governance.retention.service`), which erasures ask as well.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from governance.clock import wire
from governance.decisions.ground import Ground
from governance.decisions.model import Reason, Verdict, failed
from governance.decisions.record import AskedFor, DecisionRecord
from governance.errors import InvalidError
from governance.purposes import service as purposes
from governance.retention import service as retention
from governance.retention.model import OCCASIONS, PROFILE, REQUEST, RetentionVerdict
from governance.subjects import service as subjects
from governance.work import Snapshot

ACTION = "data.erase"
_ART_17 = "Regulation (EU) 2016/679 Art. 17"


def check(
    snap: Snapshot,
    ground: Ground,
    subject_ref: str | None,
    properties: Mapping[str, Any],
    *,
    time: datetime | None = None,
    asked_for: AskedFor | None = None,
) -> DecisionRecord:
    """Say whether data of a person may be erased; changes nothing.

    `properties`: `data_class` (default: the person's own record) and `occasion`, `erasure` (somebody demands
    it, the default) or `schedule`. `time` moves what depends on the clock (terms, expiry of consents), never
    back behind now. Raises InvalidError naming the member that cannot be used.
    """
    data_class, occasion = _read(snap, properties)
    known = None if subject_ref is None else subjects.find_by_ref(snap, subject_ref)
    if known is None:
        verdict = _no(ground, "unknown-subject", "No such person is known.", "Check the id.")
    elif known.erased:
        verdict = _no(ground, "erased", "This person is erased already.", "Nothing is left to be done.")
    else:
        kept = retention.verdict(snap, known.subject_ref, data_class, occasion=occasion, time=time)
        verdict = _verdict(ground, kept)
    return DecisionRecord(
        id=snap.new_id("dec"),
        action=ACTION,
        subject_ref=None if known is None else known.subject_ref,
        verdict=verdict,
        policy=ground.policy.digest,
        ledger_position=ground.ledger_position,
        evaluated_at=snap.now,
        caller_ref=snap.actor.ref,
        question={
            "data_class": data_class,
            "occasion": occasion,
            **({} if time is None else {"time": wire(time)}),
        },
        facts=({"record.data_class": data_class},),
        asked_for=asked_for,
        stage={"relationship": None if known is None else known.stage_relationship},
    )


def variants(snap: Snapshot) -> Sequence[Mapping[str, Any]]:
    """What may be asked of any person: each class of data, on demand."""
    return [{"data_class": each, "occasion": REQUEST} for each in purposes.data_classes(snap)]


def _read(snap: Snapshot, properties: Mapping[str, Any]) -> tuple[str, str]:
    data_class, occasion = properties.get("data_class", PROFILE), properties.get("occasion", REQUEST)
    known = purposes.data_classes(snap)
    fields: dict[str, list[str]] = {}
    if not isinstance(data_class, str) or data_class not in known:
        fields["data_class"] = [f"Give one of {', '.join(known)}."]
    if occasion not in OCCASIONS:
        fields["occasion"] = [f"Give one of {', '.join(OCCASIONS)}."]
    if fields:
        raise InvalidError("The question cannot be read; see the fields.", fields=fields)
    return str(data_class), str(occasion)


def _verdict(ground: Ground, kept: RetentionVerdict) -> Verdict:
    if kept.deletable:
        return Verdict(True, (), (), () if kept.rule is None else (kept.rule,))
    if kept.held_by:
        return _no(ground, "legal-hold", kept.because, "Wait until the hold is released.", kept)
    if not kept.because:
        return failed("The schedules do not say why these data are kept, so the answer is no.")
    when = "" if kept.free_from is None else f" From {kept.free_from.isoformat()} on nothing keeps it."
    return _no(ground, "retention-required", kept.because, f"Wait until the term is over.{when}", kept)


def _no(ground: Ground, code: str, text: str, remedy: str, kept: RetentionVerdict | None = None) -> Verdict:
    reason = Reason(
        code,
        (kept.rule or "") if kept is not None else "",
        "forbid",
        text,
        kept.cites if kept is not None else (_ART_17,),
        kept is None or kept.verified or bool(kept.held_by),
        remedy,
        ground.policy.rank(code),
    )
    return Verdict(False, (reason,), (), ())
