"""Many are erased among more: nothing of them is found or read, everything of the others is, proofs hold."""

import io
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.commands.auditing import check_consents, check_decisions, check_ledger, check_subjects
from governance.consent import service as consent
from governance.consent.acts import NewConsent
from governance.database import scrub
from governance.erasure import replay, service
from governance.errors import UnreadableError
from governance.ledger import service as ledger
from governance.ledger.export import export_lines
from governance.ledger.store import ledger_entry
from governance.ledger.verify import verify_export
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import NewSubject, SubjectChange
from governance.vault.keyring import subject_key
from governance.vault.model import EVIDENCE, evidence_place
from governance.vault.service import Vault
from retention_jobs import probe_erasures, rewrite_files, run_erasures
from tests.conftest import ACTOR, HandClock
from tests.promises.canaries import files, hits


class Town:
    """So many people, each with values that occur nowhere else; every tenth is to be erased."""

    def __init__(self, runtime: Runtime, people: int) -> None:
        self.runtime = runtime
        self.refs: dict[int, str] = {}
        self.people = people

    @property
    def leaving(self) -> list[int]:
        return list(range(0, self.people, 10))

    @property
    def staying(self) -> list[int]:
        return [number for number in range(self.people) if number % 10]

    @staticmethod
    def values(number: int) -> list[str]:
        """Twenty values of one person."""
        own = [f"canary-{kind}-{number:06}-songbird" for kind in ("crm", "order", "agent", "wording", "city")]
        return [
            *own,
            f"canary.{number:06}@songbird.example",
            f"+4930{70_000_000 + number * 7}",
            f"https://songbird.example/{number:06}/form",
            *(f"canary-extra{each}-{number:06}-songbird" for each in range(12)),
        ]

    def settle(self) -> None:
        """Everybody is created, consents with evidence, and buys something."""
        for first in range(0, self.people, 200):
            numbers = range(first, min(first + 200, self.people))
            with self.runtime.work("acme", ACTOR) as work:
                rows = [
                    NewSubject(
                        self.values(number)[0],
                        SubjectChange(
                            identifiers=(
                                Identifier("email", self.values(number)[5]),
                                Identifier("phone", self.values(number)[6]),
                            ),
                            country="US",
                            relationship="lead",
                        ),
                    )
                    for number in numbers
                ]
                for number, made in zip(numbers, subjects.put_many(work, rows), strict=True):
                    self.refs[number] = made.subject_ref
            for number in numbers:
                if number % 10 in (0, 1):
                    self._act(number)

    def _act(self, number: int) -> None:
        values = self.values(number)
        evidence = {"form_url": values[7], "user_agent": values[2], "wording": values[3]}
        evidence |= {f"extra{each}": value for each, value in enumerate(values[8:])}
        with self.runtime.work("acme", ACTOR) as work:
            act = NewConsent(
                self.refs[number],
                "marketing",
                "granted",
                "web_form",
                channel="email",
                contact_point=Identifier("email", values[5]),
                evidence=evidence,
            )
            consent.record(work, act)
            subjects.record_event(work, self.refs[number], event="purchase", reference=values[1])

    def erase(self) -> None:
        for number in self.leaving:
            with self.runtime.work("acme", ACTOR) as work:
                service.order(work, self.refs[number], reason="rights_request", undo_hours=0)
        while run_erasures.run(self.runtime):
            pass

    def wrapped_keys(self, kind: str) -> list[bytes]:
        """The wrapped keys of those who leave, as they stand in the keyring."""
        refs = [self.refs[number] for number in self.leaving]
        engine = self.runtime.vault._keys.engine
        with engine.connect() as connection:
            query = sa.select(subject_key.c.wrapped).where(
                subject_key.c.subject_ref.in_(refs), subject_key.c.kind == kind
            )
            return [bytes(row[0]) for row in connection.execute(query)]

    def indexes(self) -> list[str]:
        """The blind indexes of the addresses of those who leave."""
        vault = self.runtime.vault
        return [vault.blind_index("acme", "email", self.values(number)[5]) for number in self.leaving]

    def evidence_readable(self, number: int) -> bool:
        """Whether the proof of a person's consent can be opened."""
        with self.runtime.snapshot("acme", ACTOR) as snap:
            query = sa.select(ledger_entry).where(
                ledger_entry.c.tenant_id == "acme",
                ledger_entry.c.subject_ref == self.refs[number],
                ledger_entry.c.kind == "consent.granted",
            )
            entry = snap.connection.execute(query).one()
            try:
                snap.resource(Vault).reveal(
                    "acme", self.refs[number], EVIDENCE, evidence_place(entry.event_id), entry.payload
                )
            except UnreadableError:
                return False
            return True

    def readable(self, numbers: list[int]) -> int:
        """How many of these people have an address that can be read."""
        count = 0
        with self.runtime.snapshot("acme", ACTOR) as snap:
            for number in numbers:
                points = subjects.points(snap, self.refs[number])
                try:
                    count += any(subjects.reveal_point(snap, point) for point in points)
                except UnreadableError:
                    continue
        return count


def _faults(runtime: Runtime) -> list[str]:
    vkey = runtime.vault.checkpoint_signer("governance").vkey
    with runtime.snapshot("acme", ACTOR) as snap:
        return [
            *check_ledger(snap.connection, "acme", vkey),
            *check_decisions(snap.connection, "acme", runtime.decision_log),
            *check_subjects(snap),
            *check_consents(snap),
        ]


def _export(runtime: Runtime) -> Iterator[bytes]:
    signer = runtime.vault.checkpoint_signer("governance")
    with runtime.work("acme", ACTOR) as work:
        ledger.checkpoint(work, signer)
    with runtime.snapshot("acme", ACTOR) as snap:
        text = "".join(export_lines(snap.connection, "acme", vkey=signer.vkey))
    return iter(io.BytesIO(text.encode()))


def leave_nothing(runtime: Runtime, clock: HandClock, people: int) -> None:
    """Erase every tenth person of a town on SQLite and look for them everywhere."""
    town = Town(runtime, people)
    town.settle()
    path = Path(str(runtime.engine.url.database))
    old_keys = town.wrapped_keys("operational")
    evidence_keys = town.wrapped_keys("evidence")
    assert old_keys, "those who leave have keys"
    assert evidence_keys, "those who leave have proofs"
    indexes = town.indexes()
    clear = [value for number in town.leaving for value in town.values(number)]
    folder = runtime.settings.data_dir
    assert hits(clear[:20], files(folder)), "the CRM's own id can be found before"
    runtime.engine.dispose()
    assert scrub(runtime.engine)
    backup = path.with_suffix(".backup")
    shutil.copy(path, backup)
    proven = list(_export(runtime))
    town.erase()
    runtime.decision_log.engine.dispose()
    assert rewrite_files.run(runtime) == 3

    backup_away = folder.parent / "backup.db"
    shutil.move(backup, backup_away)
    assert hits(clear, files(folder)) == []
    contents = dict(files(folder))
    for name, content in contents.items():
        assert not any(key in content for key in old_keys), f"a destroyed key stands in {name}"
        if name.startswith(str(path)):
            assert not any(index.encode() in content for index in indexes), f"an index stands in {name}"
    assert town.readable(town.leaving) == 0
    assert town.readable(town.staying) == len(town.staying)
    assert town.evidence_readable(town.leaving[0]), "proofs are kept for claims until their term"
    assert _faults(runtime) == []
    assert verify_export(iter(proven)).ok
    assert verify_export(_export(runtime)).ok

    # The backup comes back; the keyring does not.
    runtime.engine.dispose()
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    shutil.copy(backup_away, path)
    assert town.readable(town.leaving) == 0, "the keys are gone, whatever is restored"
    assert replay.replay(runtime, "acme") == len(town.leaving)
    runtime.engine.dispose()
    assert rewrite_files.run(runtime) == 3
    assert hits(clear, files(folder)) == []
    assert town.readable(town.staying) == len(town.staying)
    assert _faults(runtime) == []


def test_nothing_is_left_of_whoever_was_erased(runtime: Runtime, clock: HandClock) -> None:
    leave_nothing(runtime, clock, 300)


@pytest.mark.full
def test_nothing_is_left_of_a_thousand_among_ten_thousand(runtime: Runtime, clock: HandClock) -> None:
    leave_nothing(runtime, clock, 10_000)


def test_at_its_term_the_evidence_cannot_be_read_either(runtime: Runtime, clock: HandClock) -> None:
    town = Town(runtime, 20)
    town.settle()
    keys = town.wrapped_keys("evidence")
    town.erase()
    assert town.evidence_readable(0)
    clock.forward(timedelta(days=365 * 12))
    probe_erasures.run(runtime)
    assert not town.evidence_readable(0)
    assert town.evidence_readable(1), "others keep theirs"
    keyring = Path(str(runtime.vault._keys.engine.url.database)).read_bytes()
    assert not any(key in keyring for key in keys)


def test_a_file_without_secure_delete_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "leaky.db"
    plain = sqlite3.connect(path)
    plain.execute("PRAGMA secure_delete=OFF")
    plain.execute("CREATE TABLE person (id TEXT)")
    plain.executemany("INSERT INTO person VALUES (?)", [(Town.values(each)[0],) for each in range(50)])
    plain.commit()
    plain.execute("DELETE FROM person")
    plain.commit()
    plain.close()
    assert hits([Town.values(7)[0]], files(tmp_path))
