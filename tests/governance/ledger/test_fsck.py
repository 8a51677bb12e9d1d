"""fsck is green over what the service wrote and red after any change by hand."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from governance.events import Sealed
from governance.ledger import merkle, service, store, triggers
from governance.ledger.fsck import fsck
from governance.ledger.note import NoteSigner

ENTRY, HEAD, NODE, CHECKPOINT = (
    store.ledger_entry,
    store.ledger_head,
    store.ledger_node,
    store.ledger_checkpoint,
)


@pytest.fixture
def filled(
    engine: Engine, open_work: Callable[..., Any], record: Callable[..., None], signer: NoteSigner
) -> Engine:
    """Two tenants; 301 entries, two checkpoints; the triggers out of the way of the hand."""
    record(3, tenant_id="other")
    with open_work() as work:
        work.record("consent.granted", subject_ref="sub_1", sealed=Sealed(b"secret", "ab" * 32))
    with open_work() as work:
        service.checkpoint(work, signer)
    record(300)
    for tenant_id in ("acme", "other"):
        with open_work(tenant_id) as work:
            service.checkpoint(work, signer)
    with engine.begin() as connection:
        triggers.remove_triggers(connection)
    return engine


def problems(engine: Engine, signer: NoteSigner, tenant_id: str = "acme") -> list[str]:
    with engine.connect() as connection:
        return fsck(connection, tenant_id, signer.vkey)


def test_a_sound_ledger_has_no_problems(filled: Engine, signer: NoteSigner) -> None:
    assert problems(filled, signer) == []
    assert problems(filled, signer, "other") == []
    assert problems(filled, signer, "nobody") == []


def test_an_erased_payload_is_no_problem(
    filled: Engine, open_work: Callable[..., Any], signer: NoteSigner
) -> None:
    with open_work() as work:
        service.clear_payloads(work, subject_ref="sub_1")
        work.record("subject.erased", subject_ref="sub_1")
    assert problems(filled, signer) == []


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        (ENTRY, "event_id", "evt_forged"),
        (ENTRY, "kind", "consent.withdrawn"),
        (ENTRY, "subject_ref", None),
        (ENTRY, "subject_ref", "sub_2"),
        (ENTRY, "actor_ref", "client_2"),
        (ENTRY, "at", None),
        (ENTRY, "leaf", b"{}"),
        (ENTRY, "leaf", b"\xff"),
        (ENTRY, "leaf_hash", b"\0" * 32),
        (ENTRY, "payload", b"forged"),
        (HEAD, "size", 300),
        (HEAD, "frontier", b"\0" * 160),
        (HEAD, "root", b"\0" * 32),
        (NODE, "hash", b"\0" * 32),
        (NODE, "level", 16),
        (NODE, "index_", 1),
        (CHECKPOINT, "note", "forged"),
        (CHECKPOINT, "size", 2),
        (CHECKPOINT, "key_id", "00000000"),
    ],
)
def test_a_change_by_hand_in_any_column_is_found(
    filled: Engine, signer: NoteSigner, table: sa.Table, column: str, value: Any
) -> None:
    change = sa.update(table).where(table.c.tenant_id == "acme")
    if table is ENTRY:
        change = change.where(ENTRY.c.position == 0)
    if table is CHECKPOINT:
        change = change.where(CHECKPOINT.c.size == 1)
    if column == "at":
        shift = "at + 1" if filled.dialect.name == "sqlite" else "at + interval '1 microsecond'"
        change = change.values(at=sa.text(shift))
    else:
        change = change.values({column: value})
    with filled.begin() as connection:
        assert connection.execute(change).rowcount == 1
    assert problems(filled, signer) != []
    assert problems(filled, signer, "other") == []


@pytest.mark.parametrize("table", [ENTRY, HEAD, NODE])
def test_a_deleted_row_is_found(filled: Engine, signer: NoteSigner, table: sa.Table) -> None:
    gone = sa.delete(table).where(table.c.tenant_id == "acme")
    if table is ENTRY:
        gone = gone.where(ENTRY.c.position == 17)
    with filled.begin() as connection:
        assert connection.execute(gone).rowcount == 1
    assert problems(filled, signer) != []


def test_entries_cut_off_at_the_end_are_found_even_with_a_matching_head(
    filled: Engine, signer: NoteSigner
) -> None:
    with filled.begin() as connection:
        connection.execute(sa.delete(ENTRY).where(ENTRY.c.tenant_id == "acme", ENTRY.c.position >= 290))
        hashes = store.hashes(connection, "acme", level=0, first=0, count=290)
        frontier, _ = merkle.Frontier().extend(hashes)
        store.write_head(connection, "acme", frontier, frontier.root())
    assert problems(filled, signer) == ["Checkpoint of 301 entries: the ledger has only 290 entries."]


def test_a_rewritten_leaf_with_all_hashes_recomputed_is_found_by_the_checkpoints(
    filled: Engine, signer: NoteSigner
) -> None:
    """What a database administrator can do who holds everything but the signing key."""
    with filled.begin() as connection:
        victim = service.entries(connection, "acme", limit=1)[0]
        leaf = json.dumps(
            json.loads(victim.leaf) | {"kind": "consent.refused"}, sort_keys=True, separators=(",", ":")
        ).encode()
        connection.execute(
            sa.update(ENTRY)
            .where(ENTRY.c.tenant_id == "acme", ENTRY.c.position == 0)
            .values(leaf=leaf, leaf_hash=merkle.leaf_hash(leaf), kind="consent.refused")
        )
        hashes = store.hashes(connection, "acme", level=0, first=0, count=301)
        frontier, nodes = merkle.Frontier().extend(hashes, keep=frozenset({8}))
        connection.execute(sa.delete(NODE).where(NODE.c.tenant_id == "acme"))
        store.add_nodes(connection, "acme", nodes)
        store.write_head(connection, "acme", frontier, frontier.root())
    assert problems(filled, signer) == [
        "Checkpoint of 1 entries: the signed root differs from the tree.",
        "Checkpoint of 301 entries: the signed root differs from the tree.",
    ]


def test_a_checkpoint_by_an_unknown_key_is_found(filled: Engine, signer: NoteSigner) -> None:
    with filled.connect() as connection:
        assert len(fsck(connection, "acme")) == 2
        assert fsck(connection, "acme", "nonsense")[0].startswith("A given key cannot be used.")


def test_many_problems_are_counted_not_listed(filled: Engine, signer: NoteSigner) -> None:
    with filled.begin() as connection:
        connection.execute(sa.update(ENTRY).where(ENTRY.c.tenant_id == "acme").values(kind="x.y"))
    found = problems(filled, signer)
    assert len(found) == 101
    assert found[-1] == "... and 201 more problems."
