"""Appending, reading, proving and signing on each database."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.engine import Engine

from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.events import Sealed
from governance.ledger import merkle, service, store
from governance.ledger.fsck import fsck
from governance.ledger.model import UnfitLeafError
from governance.ledger.note import NoteSigner, parse_vkey, verify_checkpoint

OpenWork = Callable[..., Any]
Record = Callable[..., None]


def test_an_appended_event_is_read_back_with_its_place_and_payload(
    engine: Engine, open_work: OpenWork
) -> None:
    with open_work() as work:
        first = work.record("consent.requested", subject_ref="sub_1", facts={"purpose": "newsletter"})
        second = work.record("consent.granted", subject_ref="sub_2", sealed=Sealed(b"secret", "ab" * 32))
        work.seal()
        sealings = dict(work.sealings)
    assert [sealings[each.id].position for each in (first, second)] == [0, 1]
    with engine.connect() as connection:
        entries = service.entries(connection, "acme")
        assert service.entry(connection, "acme", second.id) == entries[1]
        size, root = service.head(connection, "acme")
        with pytest.raises(NotFoundError):
            service.entry(connection, "other", second.id)
    assert [each.event_id for each in entries] == [first.id, second.id]
    assert entries[0].facts == {"purpose": "newsletter"}
    assert entries[0].at == first.at
    assert (entries[0].payload, entries[1].payload) == (None, b"secret")
    assert [each.leaf_hash.hex() for each in entries] == [sealings[e.id].leaf_hash for e in (first, second)]
    assert (size, root) == (2, merkle.tree_root([merkle.leaf_hash(each.leaf) for each in entries]))


def test_an_empty_ledger_has_the_empty_root_and_no_checkpoint(engine: Engine) -> None:
    with engine.connect() as connection:
        assert service.head(connection, "acme") == (0, merkle.EMPTY_ROOT)
        assert service.entries(connection, "acme") == []
        assert service.latest_checkpoint(connection, "acme") is None
        assert service.root_at(connection, "acme", 0) == merkle.EMPTY_ROOT


def test_entries_are_paged_by_position_and_filtered_by_person_and_tenant(
    engine: Engine, record: Record
) -> None:
    record(3, subject_ref="sub_1")
    record(2, subject_ref="sub_2")
    record(1, tenant_id="other")
    with engine.connect() as connection:
        pages = [service.entries(connection, "acme", after=after, limit=2) for after in (-1, 1, 3, 4)]
        assert [[each.position for each in page] for page in pages] == [[0, 1], [2, 3], [4], []]
        of_two = service.entries(connection, "acme", after=3, subject_ref="sub_2")
        assert [each.position for each in of_two] == [4]
        assert service.head(connection, "other")[0] == 1


def test_a_rolled_back_unit_of_work_leaves_no_gap(
    engine: Engine, open_work: OpenWork, record: Record
) -> None:
    record(2)
    with contextlib.suppress(RuntimeError), open_work() as work:
        work.record("consent.granted")
        work.seal()
        raise RuntimeError
    record(1)
    with engine.connect() as connection:
        assert [each.position for each in service.entries(connection, "acme")] == [0, 1, 2]
        assert fsck(connection, "acme") == []


def test_an_event_with_personal_data_in_a_fact_is_never_written(engine: Engine, open_work: OpenWork) -> None:
    with pytest.raises(UnfitLeafError), open_work() as work:
        work.record("consent.granted", facts={"address": "jane@example.org"})
    with engine.connect() as connection:
        assert service.head(connection, "acme")[0] == 0


def test_proofs_from_stored_nodes_equal_those_from_all_leaves(engine: Engine, record: Record) -> None:
    record(1300)
    with engine.connect() as connection:
        hashes = store.hashes(connection, "acme", level=0, first=0, count=1300)
        subtree = merkle.subtrees_of(hashes)
        for size in (1, 2, 255, 256, 257, 512, 700, 1024, 1025, 1299, 1300):
            root = merkle.tree_root(hashes[:size])
            assert service.root_at(connection, "acme", size) == root
            for position in {0, 1, 255, 256, 511, 700, 1024, size - 1}:
                if position < size:
                    proof = service.inclusion(connection, "acme", position, size)
                    assert proof == merkle.inclusion_proof(position, size, subtree)
                    assert merkle.verify_inclusion(hashes[position], position, size, proof, root)
            for first in {1, 3, 256, 300, 512, 1024, size}:
                if first <= size:
                    proof = service.consistency(connection, "acme", first, size)
                    assert proof == merkle.consistency_proof(first, size, subtree)
                    assert merkle.verify_consistency(
                        first, size, proof, merkle.tree_root(hashes[:first]), root
                    )


def test_proofs_outside_the_ledger_are_refused(engine: Engine, record: Record) -> None:
    record(3)
    with engine.connect() as connection:
        for position, size in [(-1, 3), (3, 3), (0, 4), (0, 0)]:
            with pytest.raises(InvalidError):
                service.inclusion(connection, "acme", position, size)
        for first, second in [(0, 3), (3, 2), (1, 4), (-1, 3)]:
            with pytest.raises(InvalidError):
                service.consistency(connection, "acme", first, second)
        with pytest.raises(InvalidError):
            service.root_at(connection, "acme", 4)


def test_a_checkpoint_signs_the_head_once_and_names_host_and_tenant(
    engine: Engine, open_work: OpenWork, record: Record, signer: NoteSigner
) -> None:
    record(5)
    with open_work() as work:
        note = service.checkpoint(work, signer, host="privacy.example.org")
    with open_work() as work:
        assert service.checkpoint(work, signer, host="privacy.example.org") == note
    signed = verify_checkpoint(note, [parse_vkey(signer.vkey)])
    with engine.connect() as connection:
        assert (signed.size, signed.root) == service.head(connection, "acme")
        assert service.latest_checkpoint(connection, "acme") == note
    assert signed.origin == "privacy.example.org/ref-of-acme"


def test_a_changed_key_signs_the_same_head_again(
    engine: Engine, open_work: OpenWork, record: Record, signer: NoteSigner
) -> None:
    record(1)
    successor = NoteSigner(signer.name, Ed25519PrivateKey.from_private_bytes(b"n" * 32))
    with open_work() as work:
        first = service.checkpoint(work, signer)
    with open_work() as work:
        second = service.checkpoint(work, successor)
    assert first != second
    with engine.connect() as connection:
        assert fsck(connection, "acme", signer.vkey, successor.vkey) == []


def test_a_checkpoint_is_refused_while_events_wait(open_work: OpenWork, signer: NoteSigner) -> None:
    with open_work() as work:
        work.record("consent.granted")
        with pytest.raises(ConflictError):
            service.checkpoint(work, signer)


def test_four_writers_append_gaplessly_in_commit_order(engine: Engine, open_work: OpenWork) -> None:
    """Each writer waits at random places and rolls every fifth unit back; positions stay gapless."""
    seen: list[tuple[int, ...]] = []
    errors: list[BaseException] = []

    def write(writer: int) -> None:
        for turn in range(30):
            try:
                with open_work() as work:
                    for _ in range(1 + (writer + turn) % 3):
                        work.record("consent.granted", facts={"writer": writer, "turn": turn})
                    work.seal()
                    if turn % 5 == 4:
                        raise RuntimeError("rolled back on purpose")
                    time.sleep(0.0005 * ((writer * 7 + turn * 3) % 4))
                    # Still under the head lock: this list is in commit order.
                    seen.append(tuple(each.position for each in work.sealings.values()))
            except RuntimeError:
                pass
            except BaseException as error:
                errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    positions = [position for unit in seen for position in unit]
    assert positions == list(range(len(positions)))
    assert len(seen) == 4 * 24
    with engine.connect() as connection:
        assert service.head(connection, "acme")[0] == len(positions)
        assert fsck(connection, "acme") == []
