"""The second look: every system is read again some days after an erasure; what came back re-opens the case.

Who cannot count is asked another way: a manual system gets a task, with an owner and evidence; of a system
that can be asked neither it is written that it was not probed, and why. One that does not answer is asked
again, an officer is told when that takes too long, and at a stated term the look ends without it: the
identifiers of an erased person are never held for it any longer.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from governance.erasure import afterwards, keys, service, store
from governance.erasure.afterwards import ACTOR
from governance.erasure.certificate import certify
from governance.erasure.model import (
    DONE,
    NOT_PROBED,
    OWN,
    PENDING,
    PROBE_AFTER,
    PROBE_OVERDUE,
    PROBE_REST,
    PROBED,
    UNREACHABLE,
    WAITING,
    Erasure,
    Look,
    Step,
)
from governance.erasure.returning import AGAIN, CAME_BACK, came_back
from governance.events import Fact
from governance.settings import Settings
from governance.systems import operations, task_reports
from governance.systems.model import COUNT, FAILED, LOOK, UNSUPPORTED, SubjectKeys
from governance.systems.model import DONE as ANSWERED
from governance.systems.operations import Operation
from governance.work import Opener, Work

_NO_ANSWER = "It did not answer until the term of the second look, {day}. "


def probe(opener: Opener, tenant_id: str, erasure_id: str) -> bool:
    """Read every system a second time; gives whether nothing had come back.

    What cannot be read now is read later, until the term (`GOVERNANCE_PROBE_TERM_DAYS` after the erasure).
    """
    with opener.snapshot(tenant_id, ACTOR) as snap:
        found = service.get(snap, erasure_id)
        known = keys.read(snap, found)
    looks: dict[str, Look | None] = {}
    for step in found.steps:
        if step.system == OWN or step.status != DONE or (step.probe and step.probe.status == PROBED):
            continue
        looks[step.system] = (
            Look(NOT_PROBED, "The person's identifiers are no longer held.")
            if known is None
            else _look(opener, tenant_id, found, step, known)
        )
    with opener.work(tenant_id, ACTOR) as work:
        _note(work, service.get(work, erasure_id), looks)
    return None not in looks.values()


def _look(opener: Opener, tenant_id: str, found: Erasure, step: Step, known: SubjectKeys) -> Look | None:
    """Look at one system; None if anything of the person is there again."""
    name = f"{found.erasure_id}/{step.system}/{step.round}"
    outcome = operations.run(opener, ACTOR, tenant_id, Operation(f"{name}/probe", step.system, COUNT, known))
    if outcome.status == UNSUPPORTED:
        asked = Operation(f"{name}/look", step.system, LOOK, known)
        outcome = operations.run(opener, ACTOR, tenant_id, asked)
    if outcome.status == ANSWERED:
        # Counts hold what is kept, too; who reports without them tells only what was there again.
        back = _more(outcome.counts, step.left or {}) if outcome.counts else outcome.rows > 0
        return None if back else Look(PROBED)
    if outcome.status == UNSUPPORTED:
        return Look(NOT_PROBED, outcome.because)
    return Look(UNREACHABLE if outcome.status == FAILED else WAITING, outcome.because)


def _more(now: Mapping[str, int], left: Mapping[str, int]) -> bool:
    return any(count > left.get(table, 0) for table, count in now.items())


def _note(work: Work, found: Erasure, looks: Mapping[str, Look | None]) -> None:
    """Write what the second look saw. Of whoever came back nothing is taken: it may be theirs anew."""
    if None in looks.values() and (known := keys.read(work, found)) and came_back(work, found, known):
        looks = {system: look or Look(NOT_PROBED, CAME_BACK) for system, look in looks.items()}
    done = [step for step in found.steps if step.system in looks and step.status == DONE]
    back = [step for step in done if looks[step.system] is None]
    if back:
        for step in back:
            again = replace(
                step,
                status=PENDING,
                round=step.round + 1,
                attempts=0,
                next_at=work.now,
                because=AGAIN,
                probe=None,
            )
            _write(work, found, again)
        afterwards.reopen(work, found, "erasure.reopened", back)
        return
    term = _term(work, found)
    unread: list[str] = []
    for step in done:
        look = looks[step.system]
        assert look is not None
        if look.status in (WAITING, UNREACHABLE) and term <= work.now:
            look = Look(NOT_PROBED, _NO_ANSWER.format(day=term.date().isoformat()) + look.because)
        elif look.status in (WAITING, UNREACHABLE):
            unread.append(step.system)
        _write(work, found, replace(step, probe=look))
    if unread:
        _later(work, found, unread)
    else:
        _end(work, found)


def _term(work: Work, found: Erasure) -> datetime:
    """When the second look ends, whoever has answered."""
    days = work.resource(Settings).probe_term_days
    return (found.completed_at or work.now) + max(PROBE_AFTER, timedelta(days=days))


def _later(work: Work, found: Erasure, unread: list[str]) -> None:
    """Look again later; once it takes too long, say so in the ledger, which officers are told from."""
    assert found.probe_at is not None
    since = (found.completed_at or work.now) + PROBE_AFTER
    values = {"probe_at": min(work.now + PROBE_REST, max(_term(work, found), work.now))}
    with work.bookkeeping():
        store.change(work.connection, work.tenant_id, found.erasure_id, values)
    overdue = since + PROBE_OVERDUE
    if found.probe_at < overdue <= work.now + PROBE_REST:
        facts: dict[str, Fact] = {"erasure": found.erasure_id, "systems": unread}
        work.record("erasure.probe_overdue", subject_ref=found.subject_ref, facts=facts)


def _end(work: Work, found: Erasure) -> None:
    """Every system was read, or it is written why not: the identifiers go, unless something is kept."""
    store.change(work.connection, work.tenant_id, found.erasure_id, {"probed_at": work.now})
    task_reports.no_longer_asked(work, f"{found.erasure_id}/")
    if not (found.awaits_lifting or found.awaits_date) and not any(step.comes_back for step in found.steps):
        keys.drop(work, found)
    ended = service.get(work, found.erasure_id)
    store.change(work.connection, work.tenant_id, found.erasure_id, {"certificate": certify(work, ended)})
    blind = [step.system for step in ended.steps if step.probe and step.probe.status == NOT_PROBED]
    work.record(
        "erasure.probed",
        subject_ref=found.subject_ref,
        facts={"erasure": found.erasure_id, "systems": len(found.steps), "not_probed": blind},
    )


def _write(work: Work, found: Erasure, step: Step) -> None:
    with work.bookkeeping():
        store.change_step(work.connection, work.tenant_id, found.erasure_id, step)
