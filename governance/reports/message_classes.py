"""Which messages look as if they went out under a class that is not theirs.

What to look for is data (`policies/catalogue/message-class-signs.yaml`). A sign is no proof. Nothing here
names a person: findings are codes and numbers, samples are references of messages or decisions.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from governance.clock import wire
from governance.communications.messages import OUTCOMES
from governance.errors import InvalidError
from governance.purposes import service as purposes
from governance.purposes.model import Purpose
from governance.reports import message_classes_store as store
from governance.reports.message_classes_store import Sent
from governance.settings import Settings
from governance.work import Snapshot

PERIOD = timedelta(days=30)
"""How far back a report looks if nobody says."""

LONGEST = timedelta(days=400)
SAMPLES = 10
_FILE = "catalogue/message-class-signs.yaml"


@dataclass(frozen=True, slots=True)
class Sign:
    """What to look for, as the file says; `per_thousand` 0 asks for no share."""

    id: str
    title: str
    look_at: str
    least: int
    per_thousand: int = 0
    leave_out: frozenset[str] = frozenset()
    outcomes: tuple[str, ...] = ()

    def shows(self, count: int, of: int) -> bool:
        """Whether so many out of so many are a sign."""
        return count >= self.least and count * 1000 >= self.per_thousand * of


@dataclass(frozen=True, slots=True)
class Finding:
    """One sign at one place: `count` messages (of `of`) show it; `classes` are numbers by message class."""

    sign: Sign
    where: Mapping[str, str]
    count: int
    of: int
    classes: Mapping[str, int]
    sample: Sequence[str]

    def document(self) -> dict[str, Any]:
        """One entry of the report."""
        return {
            "sign": self.sign.id,
            "title": self.sign.title,
            "where": dict(self.where),
            "count": self.count,
            "of": self.of,
            "classes": dict(sorted(self.classes.items())),
            "sample": list(self.sample),
        }


@dataclass(frozen=True, slots=True)
class _Period:
    """What the signs are looked for in: the messages of a period, and the purposes as they are today."""

    snap: Snapshot
    since: datetime
    until: datetime
    sent: Sequence[Sent]
    purposes: Mapping[str, Purpose]
    commercial: frozenset[str]

    def sample(self, wanted: Mapping[str, Any], outcomes: Sequence[str] = ()) -> list[str]:
        return store.sample(
            self.snap.connection,
            self.snap.tenant_id,
            self.since,
            self.until,
            wanted,
            outcomes=outcomes,
            limit=SAMPLES,
        )


COLUMNS = ("sign", "title", "where", "count", "of", "classes", "sample")


def report(snap: Snapshot, *, since: datetime | None = None, until: datetime | None = None) -> dict[str, Any]:
    """Everything that shows a sign, in the order of the signs, most messages first.

    `{"since", "until", "messages", "findings": [Finding…], "signs": [what was looked for]}`. InvalidError for
    a period that is none, or longer than LONGEST.
    """
    until = snap.now if until is None else until
    since = until - PERIOD if since is None else since
    if not timedelta(0) < until - since <= LONGEST:
        sentence = f"Give a period of at most {LONGEST.days} days that begins before it ends."
        raise InvalidError(sentence, fields={"since": [sentence]})
    folder = snap.resource(Settings).policies_dir
    signs = read_signs(purposes.message_class_signs(folder))
    period = _Period(
        snap,
        since,
        until,
        store.sent(snap.connection, snap.tenant_id, since, until),
        {each.purpose_id: each for each in purposes.every(snap)},
        frozenset(each.id for each in purposes.message_classes(folder).values() if each.commercial),
    )
    found = [
        finding
        for sign in signs
        for finding in sorted(
            _LOOKERS[sign.look_at](sign, period), key=lambda each: (-each.count, *each.where.values())
        )
    ]
    return {
        "since": wire(since),
        "until": wire(until),
        "messages": sum(each.count for each in period.sent),
        "findings": [finding.document() for finding in found],
        "signs": [
            {"id": sign.id, "title": sign.title, "least": sign.least, "per_thousand": sign.per_thousand}
            for sign in signs
        ],
    }


def read_signs(entries: Mapping[str, Mapping[str, Any]]) -> list[Sign]:
    """Read the file of signs; InvalidError names the entry that cannot be used."""
    signs = []
    for sign_id, entry in entries.items():
        sign = Sign(
            sign_id,
            str(entry.get("title") or sign_id),
            str(entry.get("look_at")),
            entry.get("least", 1),
            entry.get("per_thousand", 0),
            frozenset(entry.get("leave_out") or ()),
            tuple(entry.get("outcomes") or ()),
        )
        whole = all(type(number) is int and number >= 0 for number in (sign.least, sign.per_thousand))
        outcomes = set(sign.outcomes) <= set(OUTCOMES) and bool(sign.outcomes) == (sign.look_at == "outcomes")
        if sign.look_at not in _LOOKERS or not whole or not outcomes:
            raise InvalidError(
                f"{_FILE}: {sign_id} needs look_at (one of {', '.join(_LOOKERS)}), whole numbers in "
                "least and per_thousand, and outcomes if it looks at them and only then."
            )
        signs.append(sign)
    return signs


def _campaigns(sign: Sign, period: _Period) -> Iterable[Finding]:
    """One campaign under commercial classes and others: the others are counted."""
    by_campaign: dict[str, list[Sent]] = defaultdict(list)
    for each in period.sent:
        if each.campaign is not None and each.message_class not in sign.leave_out:
            by_campaign[each.campaign].append(each)
    for campaign, sent in by_campaign.items():
        plain = [each for each in sent if not each.commercial]
        if plain and len(plain) < len(sent) and sign.shows(_sum(plain), _sum(sent)):
            wanted = {"campaign": campaign, "commercial": False, "message_class": _classes(plain)}
            yield _finding(sign, {"campaign": campaign}, plain, sent, period.sample(wanted))


def _purposes(sign: Sign, period: _Period) -> Iterable[Finding]:
    """Classes that are not commercial, under a purpose most of whose classes are."""
    by_purpose: dict[str, list[Sent]] = defaultdict(list)
    for each in period.sent:
        by_purpose[each.purpose].append(each)
    for purpose_id, sent in by_purpose.items():
        served = period.purposes.get(purpose_id)
        listed = set() if served is None else set(served.message_classes) - sign.leave_out
        if len(listed & period.commercial) * 2 <= len(listed):
            continue
        plain = [each for each in sent if not each.commercial and each.message_class not in sign.leave_out]
        if plain and sign.shows(_sum(plain), _sum(sent)):
            wanted = {"purpose": purpose_id, "commercial": False, "message_class": _classes(plain)}
            yield _finding(sign, {"purpose": purpose_id}, plain, sent, period.sample(wanted))


def _unlisted(sign: Sign, period: _Period) -> Iterable[Finding]:
    """Classes that the purpose's record of today does not list."""
    by_place: dict[tuple[str, str], list[Sent]] = defaultdict(list)
    for each in period.sent:
        served = period.purposes.get(each.purpose)
        if each.message_class in sign.leave_out or (served and each.message_class in served.message_classes):
            continue
        by_place[each.purpose, each.message_class].append(each)
    for (purpose_id, kind), sent in by_place.items():
        if sign.shows(_sum(sent), _sum(sent)):
            wanted = {"purpose": purpose_id, "message_class": kind}
            yield _finding(sign, wanted, sent, sent, period.sample(wanted))


def _refused(sign: Sign, period: _Period) -> Iterable[Finding]:
    """Classes that were asked for under a purpose that does not list them: nothing went out."""
    refs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in store.refused(period.snap.connection, period.snap.tenant_id, period.since, period.until):
        served = period.purposes.get(each.purpose)
        listed = served is not None and each.message_class in served.message_classes
        if not listed and each.message_class not in sign.leave_out:
            refs[each.purpose, each.message_class].append(each.decision_id)
    for (purpose_id, kind), found in refs.items():
        if sign.shows(len(found), len(found)):
            where = {"purpose": purpose_id, "message_class": kind}
            yield Finding(sign, where, len(found), len(found), {kind: len(found)}, found[:SAMPLES])


def _outcomes(sign: Sign, period: _Period) -> Iterable[Finding]:
    """What people did about messages that are said not to be commercial."""
    said: Counter[tuple[str, str, str]] = Counter()
    for each in period.sent:
        if not each.commercial and each.message_class not in sign.leave_out:
            said[each.purpose, each.channel, each.message_class] += each.count
    connection, tenant_id = period.snap.connection, period.snap.tenant_id
    for place, count in store.reacted(
        connection, tenant_id, period.since, period.until, sign.outcomes
    ).items():
        # Few messages say nothing: `least` is how many were sent, the share is of those who reacted.
        if said[place] >= max(sign.least, 1) and count * 1000 >= sign.per_thousand * said[place]:
            where = dict(zip(("purpose", "channel", "message_class"), place, strict=True))
            refs = period.sample({**where, "commercial": False}, sign.outcomes)
            yield Finding(sign, where, count, said[place], {place[2]: count}, refs)


_LOOKERS: Mapping[str, Callable[[Sign, _Period], Iterable[Finding]]] = {
    "campaigns": _campaigns,
    "purposes": _purposes,
    "unlisted": _unlisted,
    "refused": _refused,
    "outcomes": _outcomes,
}


def _sum(sent: Iterable[Sent]) -> int:
    return sum(each.count for each in sent)


def _classes(sent: Iterable[Sent]) -> list[str]:
    return sorted({each.message_class for each in sent})


def _finding(
    sign: Sign, where: Mapping[str, str], shown: Sequence[Sent], of: Sequence[Sent], sample: Sequence[str]
) -> Finding:
    classes: Counter[str] = Counter()
    for each in of:
        classes[each.message_class] += each.count
    return Finding(sign, where, _sum(shown), _sum(of), classes, sample)
