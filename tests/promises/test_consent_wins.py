"""Promise: a withdrawal wins, whatever is imported, told late, merged, split, expired or objected to around
it.

A machine acts on a real installation and keeps a naive account of its own: a list of what was said per
person, read from start to end for every question. The account knows nothing of cells, sequences or
projections.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from governance.bootstrap import Runtime
from governance.consent import model, store
from governance.consent import service as consent
from governance.consent.model import Question
from governance.consent.resolving import resolve
from governance.consent.service import ImportedAct, NewConsent, NewObjection
from governance.errors import ConflictError
from governance.events import Actor
from governance.subjects import service as subjects
from governance.subjects.model import Identifier, SubjectChange

ACTOR = Actor("client_machine")
PEOPLE = ("ada", "bob", "eve")
CHANNELS = ("email", "sms")
TOPICS = ("spring", "")
PROOF = {"form_url": "https://x.example", "occurred_at": "2026-01-01", "text_shown_sha256": "0" * 64}

channels = st.sampled_from([None, "email", "sms"])
topics = st.sampled_from([None, "spring"])
hours = st.sampled_from([0, 0, -1, -30, -100, 24])
past = hours.map(lambda each: -abs(each))
"""When a yes was said: one that lies in the future is refused (`governance.happened`); a no is not."""
people = st.sampled_from(PEOPLE)
terms = st.sampled_from([None, None, 5, 60])


@dataclass
class Said:
    """One thing that was said. `points`: addresses that a yes covers (None: the channel as a whole)."""

    what: str  # act | claim | hearsay | no | objection | join | part
    order: int
    at: datetime
    channel: str | None = None
    topic: str | None = None
    points: tuple[str | None, ...] = ()
    until: datetime | None = None
    of: list["Said"] = field(default_factory=list)
    released: bool = False


@dataclass(frozen=True)
class Asked:
    channel: str
    topic: str
    point: str | None


def speaks(said: Said, asked: Asked) -> bool:
    return said.channel in (None, asked.channel) and said.topic in (None, asked.topic)


def grants(said: Said, asked: Asked, now: datetime, kinds: tuple[str, ...]) -> bool:
    return (
        said.what in kinds
        and speaks(said, asked)
        and asked.point in said.points
        and (said.until is None or said.until > now)
    )


def standing(log: list[Said], asked: Asked, now: datetime) -> list[Said]:
    """The noes that stand. After a merge or split: what stood on either side and no later act of the person
    lifted, and what was said since and not lifted since."""
    joint = max((i for i, said in enumerate(log) if said.what in ("join", "part")), default=None)
    after = log if joint is None else log[joint + 1 :]
    acts = [said for said in after if grants(said, asked, now, ("act",))]
    before: list[Said] = []
    if joint is not None:
        before = standing(log[:joint], asked, now) + standing(log[joint].of, asked, now)
    since = [said for said in after if said.what in ("no", "objection") and not said.released]
    return [no for no in before if not any(act.at > no.at for act in acts)] + [
        no
        for no in since
        if speaks(no, asked) and not any(act.order > no.order and act.at > no.at for act in acts)
    ]


def is_barred(log: list[Said], asked: Asked, now: datetime) -> bool:
    return bool(standing(log, asked, now))


def was_granted(log: list[Said], asked: Asked, now: datetime) -> bool:
    """Whether any yes that was ever said could still hold; nothing that was said before a split."""
    parted = max((i for i, said in enumerate(log) if said.what == "part"), default=-1)
    for said in log[parted + 1 :]:
        if grants(said, asked, now, ("act", "claim")):
            return True
        if said.what == "join" and was_granted(said.of, asked, now):
            return True
    return False


def holds(log: list[Said], asked: Asked, now: datetime) -> bool:
    """Whether consent holds for somebody who was never merged.

    The yes that happened last in each place counts.
    """
    last: dict[Any, Said] = {}
    for said in log:
        for point in said.points:
            place = (said.what, said.channel, said.topic, point)
            if said.what in ("act", "claim") and (place not in last or said.at >= last[place].at):
                last[place] = said
    plain = [said for said in log if said.what not in ("act", "claim")]
    plain += [
        Said(said.what, said.order, said.at, said.channel, said.topic, (place[3],), said.until)
        for place, said in last.items()
    ]
    return was_granted(plain, asked, now) and not is_barred(plain, asked, now)


class Consents(RuleBasedStateMachine):
    """Acts on the installation and in the account alike."""

    runtime: Runtime
    clock: Any
    runs = 0

    @initialize()
    def begin(self) -> None:
        type(self).runs += 1
        self.order = 0
        self.refs: dict[str, str] = {}
        self.logs: dict[str, list[Said]] = {}
        self.addresses: dict[str, list[str]] = {}
        self.merged: dict[str, str] = {}
        self.objections: list[tuple[str, Said]] = []
        with self.runtime.work("acme", ACTOR) as work:
            for name in PEOPLE:
                own = f"{name}{self.runs}@example.org"
                shared = f"family{self.runs}@example.org"
                listed = [own, shared] if name != "eve" else [own]
                change = SubjectChange(identifiers=[Identifier("email", each) for each in listed])
                self.refs[name] = subjects.put(work, f"{name}-{self.runs}", change).subject_ref
                self.logs[name] = []
                self.addresses[name] = listed

    def living(self, name: str) -> str:
        while name in self.merged:
            name = self.merged[name]
        return name

    def at(self, shift: int) -> datetime:
        return self.clock.now() + timedelta(hours=shift)

    def note(self, name: str, what: str, shift: int = 0, **more: Any) -> Said:
        self.order += 1
        said = Said(what, self.order, min(self.at(shift), self.clock.now()), **more)
        self.logs[name].append(said)
        return said

    def covered(self, name: str, channel: str | None, point: str | None) -> tuple[str | None, ...]:
        if point is not None:
            return (point,)
        return (None, *(self.addresses[name] if channel != "sms" else ()))

    @rule(forward=st.sampled_from([0, 1, 20, 100]))
    def time_passes(self, forward: int) -> None:
        self.clock.forward(timedelta(hours=forward, seconds=1))

    @rule(name=people, channel=channels, topic=topics, shift=past, term=terms, pick=st.integers(0, 2))
    def grant(
        self, name: str, channel: str | None, topic: str | None, shift: int, term: int | None, pick: int
    ) -> None:
        name = self.living(name)
        point = self.addresses[name][pick % len(self.addresses[name])] if pick and channel != "sms" else None
        until = None if term is None else self.at(term)
        new = NewConsent(
            self.refs[name],
            "marketing",
            "granted",
            "web_form",
            channel=channel,
            topic=topic,
            contact_point=None if point is None else Identifier("email", point),
            occurred_at=self.at(shift),
            expires_at=until,
            evidence={"form_url": "https://x.example"},
        )
        with self.runtime.work("acme", ACTOR) as work:
            consent.record(work, new)
        points = self.covered(name, channel, point)
        self.note(name, "act", shift, channel=channel, topic=topic, points=points, until=until)

    @rule(name=people, channel=channels, topic=topics, shift=past, proven=st.booleans())
    def import_grant(
        self, name: str, channel: str | None, topic: str | None, shift: int, proven: bool
    ) -> None:
        name = self.living(name)
        with self.runtime.work("acme", ACTOR) as work:
            mine = [point.point_ref for point in subjects.points(work, self.refs[name])]
            row = ImportedAct(
                self.refs[name],
                "marketing",
                "granted",
                channel=channel,
                topic=topic,
                open_points=tuple(mine) if channel != "sms" else (),
                occurred_at=self.at(shift),
                evidence=PROOF if proven else None,
            )
            assert consent.record_many(work, [row])[0].refusal is None
        points = self.covered(name, channel, None)
        what = "claim" if proven else "hearsay"
        self.note(name, what, shift, channel=channel, topic=topic, points=points)

    @rule(
        name=people,
        channel=channels,
        topic=topics,
        shift=hours,
        status=st.sampled_from(["withdrawn", "withdrawn", "refused"]),
    )
    def say_no(self, name: str, channel: str | None, topic: str | None, shift: int, status: str) -> None:
        name = self.living(name)
        new = NewConsent(
            self.refs[name],
            "marketing",
            status,
            "reply",
            channel=channel,
            topic=topic,
            occurred_at=self.at(shift),
        )
        with self.runtime.work("acme", ACTOR) as work:
            consent.record(work, new)
        self.note(name, "no", shift, channel=channel, topic=topic)

    @rule(name=people, shift=hours)
    def object_to_marketing(self, name: str, shift: int) -> None:
        name = self.living(name)
        new = NewObjection(self.refs[name], "all", method="reply", occurred_at=self.at(shift))
        with self.runtime.work("acme", ACTOR) as work:
            made = consent.object_(work, new)
        self.objections.append((made.objection_id, self.note(name, "objection", shift)))

    @precondition(lambda self: self.objections)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        objection_id, said = data.draw(st.sampled_from(self.objections))
        try:
            with self.runtime.work("acme", ACTOR) as work:
                consent.release_objection(work, objection_id, method="reply")
        except ConflictError:
            assert said.at >= self.clock.now()
        else:
            said.released = True

    @precondition(lambda self: len(self.merged) < 2)
    @rule(data=st.data())
    def merge(self, data: st.DataObject) -> None:
        gone, stays = data.draw(
            st.permutations([name for name in PEOPLE if name not in self.merged]).map(lambda order: order[:2])
        )
        with self.runtime.work("acme", ACTOR) as work:
            consent.merge(work, self.refs[gone], self.refs[stays])
        self.note(stays, "join", of=list(self.logs[gone]))
        self.addresses[stays] = list(dict.fromkeys([*self.addresses[stays], *self.addresses[gone]]))
        self.merged[gone] = stays

    @precondition(lambda self: len(self.merged) == 1)
    @rule()
    def split(self) -> None:
        ((gone, stays),) = self.merged.items()
        with self.runtime.work("acme", ACTOR) as work:
            consent.split(work, self.refs[gone])
            for name in (gone, stays):
                self.addresses[name] = [
                    subjects.reveal_point(work, point) for point in subjects.points(work, self.refs[name])
                ]
        # What was said by either before now bars both; what was granted is the leaver's no more.
        # The split keeps a copy of the survivor's account, which goes on by itself from here.
        self.order += 1
        self.logs[gone].append(Said("part", self.order, self.clock.now(), of=list(self.logs[stays])))
        self.merged.clear()

    @invariant()
    def withdrawal_wins(self) -> None:
        if not hasattr(self, "refs"):
            return
        with self.runtime.snapshot("acme", ACTOR) as snap:
            now = snap.now
            for name, ref in self.refs.items():
                cells = store.cells_of(snap.connection, "acme", ref)
                assert cells == consent.rebuild(snap.connection, "acme", ref)
                if name in self.merged:
                    continue
                known = {
                    subjects.reveal_point(snap, point): point.point_ref
                    for point in subjects.points(snap, ref)
                }
                assert {*known} >= {*self.addresses[name]}
                simple = all(said.what not in ("join", "part") for said in self.logs[name])
                for channel, topic, point in product(CHANNELS, TOPICS, (None, *self.addresses[name])):
                    if point is not None and channel == "sms":
                        continue
                    asked = Asked(channel, topic, point)
                    question = Question("marketing", "", channel, topic, known[point] if point else None, ref)
                    facts = resolve(list(cells.values()), question, (), now)
                    sendable = facts.status == "granted" and facts.objection == "none"
                    if sendable:
                        assert not is_barred(self.logs[name], asked, now), (name, asked, facts)
                        assert was_granted(self.logs[name], asked, now), (name, asked, facts)
                    if simple:
                        assert sendable == holds(self.logs[name], asked, now), (name, asked, facts)


def run(runtime: Runtime, clock: Any, *, examples: int, steps: int, explain: bool = True) -> None:
    machine = type("Run", (Consents,), {"runtime": runtime, "clock": clock})
    phases = tuple(Phase) if explain else (Phase.generate,)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_withdrawal_wins_over_everything_but_the_persons_own_later_act(
    runtime: Runtime, clock: Any
) -> None:
    run(runtime, clock, examples=20, steps=35, explain=False)


@pytest.mark.full
def test_a_withdrawal_wins_in_a_long_campaign(runtime: Runtime, clock: Any) -> None:
    run(runtime, clock, examples=1000, steps=50)


def by_client_time(yes: model.Cell, no: model.Cell) -> bool:
    return yes.pos_at is not None and (no.neg_at is None or yes.pos_at > no.neg_at)


def by_position(yes: model.Cell, no: model.Cell) -> bool:
    return yes.pos_seq is not None and (no.neg_seq is None or yes.pos_seq > no.neg_seq)


def whoever_says_it(_: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("place", "bug"),
    [
        ("governance.consent.resolving.is_later", by_client_time),
        ("governance.consent.resolving.is_later", by_position),
        ("governance.consent.bulk.is_act", whoever_says_it),
    ],
)
def test_the_machine_catches_a_seeded_bug(
    runtime: Runtime, clock: Any, monkeypatch: pytest.MonkeyPatch, place: str, bug: Callable[..., bool]
) -> None:
    monkeypatch.setattr(place, bug)
    with pytest.raises(AssertionError):
        run(runtime, clock, examples=60, steps=35, explain=False)
