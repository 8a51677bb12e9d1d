"""A period of the ledger verifies offline: whole, in its place, and nothing else does."""

from datetime import timedelta

import pytest

from governance.bootstrap import Runtime
from governance.errors import InvalidError
from governance.ledger import service as ledger
from governance.ledger.part import is_part, part_lines, verify_part
from tests.conftest import ACTOR, START, HandClock

DAY = timedelta(days=1)


@pytest.fixture
def days(any_runtime: Runtime, clock: HandClock) -> Runtime:
    """Twenty days with more and more entries each."""
    for day in range(20):
        with any_runtime.work("acme", ACTOR) as work:
            for number in range(day * 3):
                work.record("subject.updated", facts={"n": number})
        clock.forward(DAY)
    with any_runtime.work("acme", ACTOR) as work:
        ledger.checkpoint(work, any_runtime.vault.checkpoint_signer("governance"))
    return any_runtime


def part(runtime: Runtime, first: int, last: int) -> list[bytes]:
    vkey = runtime.vault.checkpoint_signer("governance").vkey
    since, until = START + first * DAY, START + last * DAY
    with runtime.snapshot("acme", ACTOR) as snap:
        lines = part_lines(snap.connection, "acme", since=since, until=until, vkey=vkey)
        return [line.encode() for line in lines]


@pytest.mark.by_hand
def test_every_period_verifies_with_its_neighbours_and_no_change_to_it_does(days: Runtime) -> None:
    vkey = days.vault.checkpoint_signer("governance").vkey
    for first, last, inside in ((1, 2, 3), (3, 6, 9 + 12 + 15), (0, 20, 570), (19, 20, 57)):
        lines = part(days, first, last)
        found = verify_part(lines, vkey=vkey)
        assert found.ok, found.problems
        assert inside <= found.size <= inside + 200, (
            "what made the tenant is before, one neighbour on each side"
        )
        assert is_part(lines[0])
    lines = part(days, 5, 7)
    wrong = {
        "an entry is missing": [*lines[:5], *lines[6:]],
        "the first is missing": [lines[0], *lines[2:]],
        "the last is missing": [*lines[:-2], lines[-1]],
        "two are exchanged": [*lines[:4], lines[5], lines[4], *lines[6:]],
        "one is there twice": [*lines[:4], lines[3], *lines[4:]],
        "the end is missing": lines[:-1],
        "the beginning is missing": lines[1:],
        "nothing": [],
    }
    for what, changed in wrong.items():
        assert not verify_part(changed, vkey=vkey).ok, what
    whole = b"".join(lines)
    for place in range(0, len(whole), 37):
        flipped = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        assert not verify_part(flipped.splitlines(keepends=True), vkey=vkey).ok, place
    assert not verify_part(lines, vkey=vkey.replace("governance", "somebody")).ok


@pytest.mark.by_hand
def test_a_period_without_entries_or_without_length_is_refused(days: Runtime) -> None:
    with pytest.raises(InvalidError):
        part(days, 40, 41)
    with pytest.raises(InvalidError):
        part(days, 3, 3)
