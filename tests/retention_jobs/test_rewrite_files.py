"""What SQLite leaves of deleted rows in unused parts of its pages is gone when the file is written anew."""

import random
from pathlib import Path

import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.database import make_engine, rewrite, scrub
from retention_jobs import rewrite_files

NAMES = [f"canary-{number:06}-songbird" for number in range(2000)]


def left_over(path: Path, seed: int) -> list[str]:
    """Let pages split and rows move between them, then delete every fourth; what can be read of these."""
    chance = random.Random(seed)
    engine = make_engine(f"sqlite:///{path}")
    rows = [(f"{chance.getrandbits(128):032x}", name) for name in NAMES]
    with engine.begin() as connection:
        run = connection.exec_driver_sql
        run("CREATE TABLE person (ref TEXT PRIMARY KEY, name TEXT UNIQUE, body TEXT)")
        for ref, name in rows:
            run("INSERT INTO person VALUES (?, ?, ?)", (ref, name, "x" * chance.randint(20, 200)))
        for ref, _ in rows[::4]:
            run("UPDATE person SET body = ? WHERE ref = ?", ("y" * chance.randint(20, 900), ref))
            run("UPDATE person SET name = ? WHERE ref = ?", (f"{chance.getrandbits(64):016x}", ref))
            run("DELETE FROM person WHERE ref = ?", (ref,))
    assert scrub(engine)
    engine.dispose()
    return found(path)


def found(path: Path) -> list[str]:
    content = path.read_bytes()
    return [name for name in NAMES[::4] if name.encode() in content]


def test_deleting_securely_leaves_rows_in_unused_places_and_rewriting_does_not(tmp_path: Path) -> None:
    seed = next(seed for seed in range(60) if left_over(tmp_path / f"{seed}.db", seed))
    path = tmp_path / f"{seed}.db"
    engine = make_engine(f"sqlite:///{path}")
    assert rewrite(engine)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM person")) == len(NAMES) * 3 // 4
    engine.dispose()
    assert found(path) == []


def test_the_job_rewrites_every_file_of_sqlite_and_none_of_postgresql(any_runtime: Runtime) -> None:
    expected = 3 if any_runtime.engine.dialect.name == "sqlite" else 0
    assert rewrite_files.run(any_runtime) == expected
