"""Use cases of screenings: ask about many people, work the question off, look at how it came out.

`create` only queues. `run` answers everyone in one read snapshot and writes all answers in one transaction at
the end; `run_due` does so for whatever waits, in as many processes as like to: each screening is worked on
under a lease with a fence, and one whose worker died is taken up again after a minute.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from governance.clock import wire
from governance.communications import screening_answers as answers
from governance.communications import screening_audience as audiences
from governance.communications import screening_leases as leases
from governance.communications import screening_store as store
from governance.communications.gate import open_gate
from governance.communications.id_files import IdFile
from governance.communications.screening import Screening, question_digest, read_audience
from governance.communications.screening_questions import read_question, stored_question
from governance.communications.screening_run import Answered, answer_everyone
from governance.communications.screening_spool import Spool
from governance.errors import GovernanceError, NotFoundError
from governance.events import Actor
from governance.ids import new_secret
from governance.vault.service import Vault
from governance.work import Snapshot, Work, Workplace

WORKER = Actor("job:screenings", "job")
_BEAT = timedelta(seconds=2)


class _LostError(Exception):
    """Another worker has the lease."""


def create(work: Work, question: Mapping[str, Any], audience: Mapping[str, Any] | IdFile) -> Screening:
    """Queue a screening of `question` (a check's properties with `action`) over `audience` (see `Audience`).

    Ids are looked up here: people are kept by reference, the ids of nobody as they are. Of a file the lines
    that hold no id are kept by their numbers (`rejected`). Raises InvalidError that names the fields.
    """
    asked = read_question(question)
    open_gate(work).asked(asked)
    file = audience if isinstance(audience, IdFile) else None
    whom = audiences.read_file(file) if file else read_audience(audience)  # type: ignore[arg-type]
    audiences.check_ids(whom.ids)
    document = stored_question(asked)
    new = Screening(
        screening_id=work.new_id("scr"),
        question=document,
        audience=audiences.stored(whom, file),
        question_digest=question_digest(document, whom),
        status="queued",
        created_at=work.now,
    )
    event = work.record(
        "screening.created",
        facts={
            "screening": new.screening_id,
            "question": new.question_digest,
            "audience": whom.kind,
            "ids": len(whom.ids),
            "rejected": 0 if file is None else len(file.rejected),
        },
    )
    store.add(work.connection, work.tenant_id, new, event.id)
    if whom.kind == "ids":
        audiences.keep_ids(work, new.screening_id, whom.ids)
    if file is not None:
        audiences.keep_rejected(work, new.screening_id, file.rejected)
    return new


def find(snap: Snapshot, screening_id: str) -> Screening:
    """The screening of this id, with its progress; NotFoundError."""
    found = store.find(snap.connection, snap.tenant_id, screening_id, snap.now)
    if found is None:
        raise NotFoundError("There is no screening with this id.")
    return found


def run_due(opener: Workplace, *, most: int = 10) -> int:
    """Work off up to `most` waiting screenings of all tenants; returns how many were finished.

    Safe in several threads and processes at once. A screening that fails is marked `failed`; one that cannot
    be finished now (the database is busy or gone) is left for the next call, three times at the most.
    """
    finished = 0
    for tenant_id in opener.tenant_ids(active=True):
        with opener.snapshot(tenant_id, WORKER) as snap:
            waiting = leases.due(snap.connection, tenant_id, snap.now)
        for screening_id in waiting:
            if finished >= most:
                return finished
            opener.heed()
            finished += run(opener, tenant_id, screening_id)
    return finished


def run(opener: Workplace, tenant_id: str, screening_id: str) -> bool:
    """Answer everyone a screening asks about; False if another worker has it or it is finished already."""
    held = _claim(opener, tenant_id, screening_id)
    if held is None:
        return False
    if held.fence > leases.MOST_ATTEMPTS:
        return _fail(opener, tenant_id, held, "given-up")
    try:
        with Spool() as spool:
            with opener.snapshot(tenant_id, WORKER) as snap:
                kept = find(snap, screening_id)
                answered = _answer(opener, snap, kept, held, spool)
            return _finish(opener, tenant_id, kept, held, answered, spool)
    except _LostError:
        return False
    except (GovernanceError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as problem:
        # What will go wrong again next time. The class says what; the message might say about whom.
        return _fail(opener, tenant_id, held, getattr(problem, "code", type(problem).__name__))
    except Exception:
        _release(opener, tenant_id, held)
        raise


def _answer(opener: Workplace, snap: Snapshot, kept: Screening, held: leases.Lease, spool: Spool) -> Answered:
    renewed = opener.clock()

    def beat(progress: int) -> None:
        nonlocal renewed
        if opener.clock() - renewed < _BEAT:
            return
        with opener.work(snap.tenant_id, WORKER) as work, work.bookkeeping():
            if not leases.renew(work.connection, snap.tenant_id, held, work.now, progress):
                raise _LostError
            renewed = work.now

    selections, strangers = audiences.selections(snap, kept)
    return answer_everyone(snap, read_question(kept.question), selections, strangers, spool, beat)


def _claim(opener: Workplace, tenant_id: str, screening_id: str) -> leases.Lease | None:
    with opener.work(tenant_id, WORKER) as work, work.bookkeeping():
        return leases.claim(work.connection, tenant_id, screening_id, new_secret(), work.now)


def _release(opener: Workplace, tenant_id: str, held: leases.Lease) -> None:
    with opener.work(tenant_id, WORKER) as work, work.bookkeeping():
        leases.release(work.connection, tenant_id, held)


def _finish(
    opener: Workplace,
    tenant_id: str,
    kept: Screening,
    held: leases.Lease,
    answered: Answered,
    spool: Spool,
) -> bool:
    root = spool.root(answered.outcomes)
    with opener.work(tenant_id, WORKER) as work:
        with work.bookkeeping():
            if not leases.hold(work.connection, tenant_id, held):
                return False
        done = _completed(work, kept, answered, root, work.now)
        answers.add_outcomes(work.connection, tenant_id, kept.screening_id, answered.outcomes)
        for number, known, columns in spool.chunks():
            answers.add_chunk(work.connection, tenant_id, kept.screening_id, number, known, columns)
        store.finish(work.connection, tenant_id, done)
        work.record(
            "screening.completed",
            facts={
                "screening": kept.screening_id,
                "question": kept.question_digest,
                "policy": answered.policy,
                "epoch": answered.epoch,
                "total": answered.counts.total,
                "allowed": answered.counts.allowed,
                "denied": answered.counts.denied,
                "results_root": root,
            },
        )
    return True


def _completed(
    work: Work, kept: Screening, answered: Answered, root: str, finished_at: datetime
) -> Screening:
    claims = {
        "screening": kept.screening_id,
        "tenant": work.tenant_ref,
        "question": dict(kept.question),
        "audience": dict(kept.audience),
        "question_sha256": kept.question_digest,
        "policy": answered.policy,
        "epoch": answered.epoch,
        "evaluated_at": wire(answered.evaluated_at),
        **answered.counts.claims(),
        "results_root": root,
    }
    return replace(
        kept,
        status="completed",
        finished_at=finished_at,
        evaluated_at=answered.evaluated_at,
        epoch=answered.epoch,
        policy=answered.policy,
        counts=answered.counts,
        results_root=root,
        receipt=work.resource(Vault).sign_receipt(claims),
    )


def _fail(opener: Workplace, tenant_id: str, held: leases.Lease, failure: str) -> bool:
    with opener.work(tenant_id, WORKER) as work:
        with work.bookkeeping():
            if not leases.hold(work.connection, tenant_id, held):
                return False
        kept = find(work, held.screening_id)
        failed = replace(kept, status="failed", finished_at=work.now, failure=failure)
        store.finish(work.connection, tenant_id, failed)
        work.record("screening.failed", facts={"screening": held.screening_id, "failure": failure})
    return True
