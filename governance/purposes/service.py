"""Use cases of the purposes and capture points."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rfc8785
import sqlalchemy as sa

from governance.errors import NotFoundError, StaleError
from governance.events import Fact
from governance.purposes import catalogue, store
from governance.purposes.checks import check_capture_point, check_purpose
from governance.purposes.model import (
    Body,
    CapturePoint,
    MessageClass,
    Purpose,
    may_name,
    read_capture_point,
    read_purpose,
)
from governance.settings import Settings
from governance.work import Snapshot, Work

_NOT_CHANGED = "This record was not changed; read it again and repeat the change on what you find: "


def install_catalogue(work: Work) -> None:
    """Put into use what the catalogue holds and the tenant has not; safe to repeat."""
    folder = _policies_dir(work)
    have = {each.purpose_id for each in every(work)}
    for purpose_id, body in catalogue.purposes(folder).items():
        if purpose_id not in have:
            put(work, purpose_id, body, None)
    have = {each.capture_point_id for each in every_capture_point(work)}
    for capture_point_id, body in catalogue.capture_points(folder).items():
        if capture_point_id not in have:
            put_capture_point(work, capture_point_id, body, None)


def put(work: Work, purpose_id: str, body: Body, if_match: int | None) -> Purpose:
    """Create a purpose (`if_match` None) or replace the version that the caller read.

    An incomplete one is kept inactive. Raises InvalidError for a record that is no purpose, StaleError if the
    newest version is not `if_match`.
    """
    check_purpose(purpose_id, body, catalogue.vocabulary(_policies_dir(work)))
    version = _next_version(work, store.purpose, purpose_id, if_match)
    new = read_purpose(purpose_id, version, body)
    _write(work, store.purpose, store.Record(purpose_id, version, new.body), "purpose", state=new.state)
    return new


def get(snap: Snapshot, purpose_id: str) -> Purpose:
    """The purpose of this id; NotFoundError if there is none."""
    found = find(snap, purpose_id)
    if found is None:
        raise NotFoundError("There is no purpose of this id.")
    return found


def find(snap: Snapshot, purpose_id: str) -> Purpose | None:
    """The purpose of this id, if there is one."""
    record = _find(snap, store.purpose, purpose_id)
    return None if record is None else read_purpose(record.id, record.version, record.body)


def is_sensitive(snap: Snapshot, purpose_id: str) -> bool:
    """Whether the purpose of this id names special categories of data."""
    found = find(snap, purpose_id)
    return found is not None and found.special_categories


def every(snap: Snapshot) -> list[Purpose]:
    """All purposes of the tenant, by id."""
    records = store.every(snap.connection, snap.tenant_id, store.purpose)
    return [read_purpose(each.id, each.version, each.body) for each in records]


def put_capture_point(work: Work, capture_point_id: str, body: Body, if_match: int | None) -> CapturePoint:
    """Create a capture point (`if_match` None) or replace the version that the caller read.

    Raises InvalidError for a record that is no capture point or names a purpose that the tenant has not,
    StaleError if the newest version is not `if_match`.
    """
    check_capture_point(capture_point_id, body, {each.purpose_id for each in every(work)})
    version = _next_version(work, store.capture_point, capture_point_id, if_match)
    new = read_capture_point(capture_point_id, version, body)
    _write(work, store.capture_point, store.Record(capture_point_id, version, new.body), "capture_point")
    return new


def get_capture_point(snap: Snapshot, capture_point_id: str) -> CapturePoint:
    """The capture point of this id; NotFoundError if there is none."""
    found = find_capture_point(snap, capture_point_id)
    if found is None:
        raise NotFoundError("There is no capture point of this id.")
    return found


def find_capture_point(snap: Snapshot, capture_point_id: str) -> CapturePoint | None:
    """The capture point of this id, if there is one."""
    record = _find(snap, store.capture_point, capture_point_id)
    return None if record is None else read_capture_point(record.id, record.version, record.body)


def every_capture_point(snap: Snapshot) -> list[CapturePoint]:
    """All capture points of the tenant, by id."""
    records = store.every(snap.connection, snap.tenant_id, store.capture_point)
    return [read_capture_point(each.id, each.version, each.body) for each in records]


def message_class_signs(policies_dir: Path | None = None) -> Mapping[str, Mapping[str, Any]]:
    """Signs of messages under a wrong class, by id: the shipped ones, or those of the installation."""
    return catalogue.message_class_signs(policies_dir)


def win_back(policies_dir: Path | None = None) -> Mapping[str, Mapping[str, Any]]:
    """What can undo a refusal, by id, in the order in which it is tried."""
    return catalogue.win_back(policies_dir)


def win_back_limits(policies_dir: Path | None = None) -> Mapping[str, Mapping[str, Any]]:
    """Who is left out of win-back lists whatever the gate would permit, by id."""
    return catalogue.win_back_limits(policies_dir)


def message_classes(policies_dir: Path | None = None) -> Mapping[str, MessageClass]:
    """The classes of messages by id: the shipped ones, or those of the installation's policies folder."""
    return catalogue.message_classes(policies_dir)


def data_classes(snap: Snapshot) -> tuple[str, ...]:
    """The classes of data that the catalogue has, sorted."""
    return tuple(sorted(catalogue.vocabulary(_policies_dir(snap)).data_classes))


def _find(snap: Snapshot, table: sa.Table, record_id: str) -> store.Record | None:
    # What can name nothing is not looked up: a database would choke on some of it.
    return store.find(snap.connection, snap.tenant_id, table, record_id) if may_name(record_id) else None


def _next_version(work: Work, table: sa.Table, record_id: str, if_match: int | None) -> int:
    """The version that a change makes; StaleError unless it builds on the newest."""
    present = store.find(work.connection, work.tenant_id, table, record_id)
    newest = 0 if present is None else present.version
    if if_match != (newest or None):
        raise StaleError(
            _NOT_CHANGED + (f"its newest version is {newest}." if newest else "it does not exist.")
        )
    return newest + 1


def _write(work: Work, table: sa.Table, new: store.Record, kind: str, **more: str) -> None:
    """Store a record and say so in the ledger, with the digest of what it now says."""
    digest = hashlib.sha256(rfc8785.dumps(dict(new.body))).hexdigest()
    facts: dict[str, Fact] = {kind: new.id, "version": new.version, "digest": digest, **more}
    event = work.record(f"{kind}.put", facts=facts)
    if not store.write(work.connection, work.tenant_id, table, new, at=work.now, event_id=event.id, **more):
        raise StaleError(_NOT_CHANGED + "someone else has just written it.")


def _policies_dir(snap: Snapshot) -> Path | None:
    return snap.resource(Settings).policies_dir
