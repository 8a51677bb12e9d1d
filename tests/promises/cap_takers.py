"""What each of the processes of `test_caps` does. Of its own, for a fork server to import once."""

from typing import Any

import sqlalchemy as sa

from governance.bootstrap import Runtime, assemble
from governance.communications import cap_store, capping
from governance.communications import service as communications
from governance.communications.caps import Cap, Window
from governance.communications.messages import SendRequest
from governance.communications.model import read_check
from governance.settings import Settings
from governance.subjects.model import SubjectReference
from tests.conftest import ACTOR, HandClock

LIMIT = 3


def slot(runtime: Runtime, process: int, person: int) -> bool:
    """Take a slot as an authorisation does, in a unit of work of its own, and nothing else."""
    with runtime.work("acme", ACTOR) as work, work.bookkeeping():
        caps = [Cap("daily", 1, LIMIT, "P1D", "email")]
        full = capping.take(work, caps, subject_ref=f"sub_{person}", message_ref=f"msg_{process}_{person}")
    return not full


def count_then_insert(runtime: Runtime, process: int, person: int) -> bool:
    """The seeded bug: look whether there is room, and write that there is one less in the next step."""
    ref, counter = f"sub_{person}", cap_store.cap_counter
    with runtime.snapshot("acme", ACTOR) as snap:
        (cap,) = capping.every(snap)
        window: Window = cap.window_at(snap.now, None)
        seen = sa.select(counter.c.taken).where(counter.c.tenant_id == "acme", counter.c.subject_ref == ref)
        if (snap.connection.execute(seen).scalar() or 0) >= cap.limit:
            return False
    with runtime.work("acme", ACTOR) as work, work.bookkeeping():
        cap_store.take_slot(work.connection, "acme", ref, cap.cap_id, window, limit=10**9)
    return True


def authorise(runtime: Runtime, process: int, person: int) -> bool:
    """Authorise a message through the whole gate."""
    question = read_check(
        SubjectReference(id=f"crm-{person}"),
        {"channel": "email", "message_class": "promotional", "purpose": "marketing"},
    )
    with runtime.work("acme", ACTOR) as work:
        return communications.authorise(work, SendRequest(f"m-{process}-{person}", question)).allowed


def run(settings: Settings, attempt: Any, process: int, people: int, go: Any, answers: Any) -> None:
    """Ask about everybody once all processes are ready, and tell whom a message was given for."""
    runtime = assemble(settings, clock=HandClock())
    go.wait()
    won = [person for person in range(people) if attempt(runtime, process, person)]
    answers.put((process, won))
    runtime.close()
