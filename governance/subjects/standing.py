"""Stages and restriction: what the gates ask about a person beyond contact points."""

from datetime import datetime

from governance.subjects import store
from governance.subjects.lookups import lock
from governance.subjects.model import Subject
from governance.vault.service import Vault
from governance.work import Snapshot, Work


def set_stage(
    work: Work, subject_ref: str, model: str, stage: str, event_id: str, *, since: datetime | None = None
) -> None:
    """Set a person's stage in one model as the lifecycle gate decided; `event_id` is the gate's own event.

    `since` is now if absent. Whether the transition is allowed is the gate's question, not asked here.
    """
    work.touch(subject_ref)
    store.put_stage(
        work.connection,
        work.tenant_id,
        subject_ref,
        model=model,
        stage=stage,
        since=since or work.now,
        event_id=event_id,
    )


def stages(snap: Snapshot, subject_ref: str) -> dict[str, tuple[str, datetime, str]]:
    """A person's stage per model: (stage, since, id of the event that set it)."""
    return store.stages(snap.connection, snap.tenant_id, subject_ref)


def set_restriction(work: Work, subject_ref: str, restricted: bool, *, because: str | None = None) -> Subject:
    """Restrict processing to storage, or lift that; `because` is sealed as evidence. Again changes nothing.

    NotFoundError if the person is unknown. Lifting has to be announced to the person (Art. 18(3) GDPR): the
    caller sees to it.
    """
    person = lock(work, subject_ref)
    if person.restricted == restricted:
        return person
    store.update(
        work.connection, work.tenant_id, subject_ref, {"restricted": restricted, "updated_at": work.now}
    )
    work.touch(subject_ref)
    event_id = work.new_id("evt")
    sealed = None
    if because is not None:
        evidence = {"because": because}
        sealed = work.resource(Vault).seal_evidence(work.tenant_id, subject_ref, event_id, evidence)
    kind = "subject.restricted" if restricted else "subject.restriction_lifted"
    work.record(kind, subject_ref=subject_ref, sealed=sealed, event_id=event_id)
    return lock(work, subject_ref)


def set_held(work: Work, subject_ref: str, held: bool) -> Subject:
    """Mark a person as under a legal hold, or take the mark away; again changes nothing.

    For the room that knows the holds, which records the event. A hold stops deletion and permits nothing.
    """
    person = lock(work, subject_ref)
    if person.held != held:
        store.update(work.connection, work.tenant_id, subject_ref, {"held": held, "updated_at": work.now})
        work.touch(subject_ref)
    return lock(work, subject_ref)
