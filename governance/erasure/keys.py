"""What the person is found by in other systems: sealed with the case, under a key of the case's own."""

import json
from collections.abc import Iterator, Mapping, Sequence

from governance.erasure import store, waiting_store
from governance.erasure.model import Erasure
from governance.errors import UnreadableError
from governance.subjects import service as subjects
from governance.systems.model import SubjectKeys
from governance.vault.model import OPERATIONAL, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work

_BY_TYPE = {
    "email": "emails",
    "phone": "phones",
    "postal": "postal",
    "device": "devices",
    "social": "socials",
}


def read(snap: Snapshot, erasure: Erasure) -> SubjectKeys | None:
    """What the person is found by elsewhere; None once it was dropped."""
    sealed = store.sealed_keys(snap.connection, snap.tenant_id, erasure.erasure_id)
    if sealed is None:
        return None
    place = _place(erasure.erasure_id)
    plain = snap.resource(Vault).reveal(snap.tenant_id, erasure.erasure_id, OPERATIONAL, place, sealed)
    values = {name: tuple(found) for name, found in json.loads(plain).items()}
    return SubjectKeys(erasure.subject_ref, **values)


def found_by(snap: Snapshot, member: str, value: str) -> Iterator[tuple[str, str]]:
    """Cases, with their persons, that are not over and know somebody by this value; the newest first.

    `member`: of `SubjectKeys`. Whose keys are gone, nobody finds.
    """
    wanted = value if member == "external_ids" else value.casefold()
    for batch in waiting_store.with_keys(snap.connection, snap.tenant_id):
        held = snap.resource(Vault).hold(snap.tenant_id, [erasure_id for erasure_id, _, _ in batch])
        for erasure_id, subject_ref, sealed in batch:
            try:
                plain = held.reveal(erasure_id, OPERATIONAL, _place(erasure_id), sealed)
            except UnreadableError:
                continue
            known = json.loads(plain).get(member, ())
            if wanted in (known if member == "external_ids" else [each.casefold() for each in known]):
                yield erasure_id, subject_ref


def seal_known(work: Work, erasure_id: str, subject_ref: str) -> bytes:
    """What the person is found by now, sealed for a new case."""
    return _seal_keys(work, erasure_id, _known_as(work, subject_ref))


def gather(work: Work, erasure: Erasure) -> None:
    """Add to what the case holds what the person has come to be found by since; nothing is taken away.

    Whoever is erased already, or cannot be read any more, has nothing to add.
    """
    person = subjects.find_by_ref(work, erasure.subject_ref)
    held = read(work, erasure)
    if held is None or person is None or person.erased:
        return
    try:
        now = _known_as(work, erasure.subject_ref)
    except UnreadableError:
        return
    keys = {name: list(getattr(held, name)) for name in ("external_ids", *_BY_TYPE.values())}
    both = {name: list(dict.fromkeys([*found, *now.get(name, ())])) for name, found in keys.items()}
    if both != keys:
        sealed = _seal_keys(work, erasure.erasure_id, both)
        with work.bookkeeping():
            store.change(work.connection, work.tenant_id, erasure.erasure_id, {"keys_sealed": sealed})


def drop(work: Work, erasure: Erasure) -> None:
    """Forget what the person was found by elsewhere: the key of the case goes, and with it every copy."""
    store.change(
        work.connection,
        work.tenant_id,
        erasure.erasure_id,
        {"keys_sealed": None, "facts_sealed": None, "undated_since": None},
    )
    work.resource(Vault).shred(work.tenant_id, erasure.erasure_id, OPERATIONAL, work.now)


def _known_as(snap: Snapshot, subject_ref: str) -> dict[str, list[str]]:
    """What the person is found by elsewhere, as the members of `SubjectKeys`."""
    known = subjects.known_as(snap, subject_ref)
    keys: dict[str, list[str]] = {"external_ids": list(known.external_ids)}
    for kind, value in known.values:
        keys.setdefault(_BY_TYPE[kind], []).append(value)
    return keys


def _seal_keys(work: Work, erasure_id: str, keys: Mapping[str, Sequence[str]]) -> bytes:
    plain = json.dumps({name: list(found) for name, found in keys.items()}).encode()
    place = _place(erasure_id)
    return work.resource(Vault).seal(work.tenant_id, erasure_id, OPERATIONAL, place, plain)


def _place(erasure_id: str) -> Place:
    return Place("erasure", "keys_sealed", erasure_id)
