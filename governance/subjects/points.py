"""Contact points outside a put: one that a consent or message names, and how one fares."""

from governance.errors import InvalidError, NotFoundError
from governance.subjects import point_store
from governance.subjects.changes import check_not_frozen, plan_points
from governance.subjects.identifiers import Identifier
from governance.subjects.lookups import find_indexed, lock, points, read_value
from governance.subjects.model import POINT_STATES, ContactPoint
from governance.subjects.puts import carry_out
from governance.work import Work


def ensure_point(
    work: Work,
    subject_ref: str,
    point_type: str,
    value: str,
    *,
    verified: bool | None = None,
    subscriber: str | None = None,
) -> ContactPoint:
    """The person's contact point with this value: added if it is new, re-opened if it was closed.

    An undeliverable one stays so. InvalidError if the value can be none, NotFoundError for an unknown person,
    ConflictError `erasure-pending` for a new value of somebody who is being erased.
    """
    person = lock(work, subject_ref)
    wanted = read_value(work, Identifier(point_type, value, verified, subscriber), person.country)
    known = points(work, subject_ref)
    plan = plan_points(known, [wanted], replace=False)
    point = find_indexed(known, wanted)
    if point is not None and plan.is_empty:
        return point
    if plan.add:
        check_not_frozen(person)
    added = carry_out(work, subject_ref, plan)
    ref = added[0].point_ref if added else next(iter(plan.amend))
    work.record(
        "subject.point_added" if added else "subject.point_changed",
        subject_ref=subject_ref,
        facts={"point": ref, "type": wanted.type},
    )
    return added[0] if added else _known(work, subject_ref, ref)


def set_point_state(work: Work, subject_ref: str, point_ref: str, state: str) -> ContactPoint:
    """Open, close or mark undeliverable a contact point (a hard bounce); again changes nothing.

    Consents and opt-outs of the point stay as they are. NotFoundError if the person has no such point.
    """
    if state not in POINT_STATES:
        raise InvalidError(f"The state of a contact point is one of {', '.join(POINT_STATES)}.")
    lock(work, subject_ref)
    point = _known(work, subject_ref, point_ref)
    if point.state == state:
        return point
    work.touch(subject_ref)
    changed = {"state": state, "since": work.now}
    point_store.update(work.connection, work.tenant_id, subject_ref, point_ref, changed)
    work.record(
        "subject.point_changed",
        subject_ref=subject_ref,
        facts={"point": point_ref, "type": point.type, "state": state},
    )
    return _known(work, subject_ref, point_ref)


def set_point_verified(work: Work, subject_ref: str, point_ref: str) -> ContactPoint:
    """Note that the person was shown to be at this contact point (a confirmed double opt-in)."""
    lock(work, subject_ref)
    point = _known(work, subject_ref, point_ref)
    if point.verified:
        return point
    work.touch(subject_ref)
    point_store.update(work.connection, work.tenant_id, subject_ref, point_ref, {"verified": True})
    work.record(
        "subject.point_changed",
        subject_ref=subject_ref,
        facts={"point": point_ref, "type": point.type, "verified": True},
    )
    return _known(work, subject_ref, point_ref)


def _known(work: Work, subject_ref: str, point_ref: str) -> ContactPoint:
    for point in points(work, subject_ref):
        if point.point_ref == point_ref:
            return point
    raise NotFoundError("This person has no such contact point.")
