"""Regimes: which law a request falls under, and the strictest where several may apply. Pure.

Regimes are data (`policies/rights/`). One is given, or found by where the person lives; where that is not
known, the strictest of those that may apply: the earliest day due, then the earliest acknowledgement, then
the earliest end of an extension.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from governance.calendar import zones_of
from governance.errors import InvalidError
from governance.rights.clocks import Clock, Course, Extension, Ground, Reading, read
from governance.rights.model import APPEAL
from governance.rights.periods import Period

EVERYWHERE = "everywhere"
TAKEN_UP = (
    "The law dates the decision on the appeal or complaint, not what follows; that what was granted is done "
    "by the same day is promised."
)
_FAR = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Appeal:
    """How long an appeal against a refusal may take to be decided, and how much longer."""

    ground: Ground
    decide: Period
    extend: Period | None = None


@dataclass(frozen=True, slots=True)
class Regime:
    """One law.

    `places`: ISO 3166-1 countries or ISO 3166-2 regions; `default_of`: for the rest of a country, or
    `everywhere`.

    `rights`: type of request → yes | partial; absent: no (empty: not known). `holidays`: whose public
    holidays count, None: those of the place where the person lives. `appeal` None: the law gives none.
    """

    id: str
    title: str
    places: tuple[str, ...]
    default_of: str | None
    clocks: tuple[Clock, ...]
    appeal: Appeal | None
    rights: Mapping[str, str]
    complaint: str | None
    holidays: str | None

    def clock(self, type_: str, received_at: datetime) -> Clock | None:
        """The clock for a request of this type received then; None if the law was not in force.

        An appeal has the law's own period for appeals.
        """
        if type_ == APPEAL and self.appeal is not None:
            more = self.appeal.extend
            return Clock(
                self.appeal.ground,
                ("receipt",),
                self.appeal.decide,
                extension=None if more is None else Extension(more, self.appeal.decide),
            )
        day = received_at.astimezone(UTC).date()
        return next((each for each in self.clocks if each.speaks_of(type_, day)), None)

    def gives(self, type_: str) -> str:
        """Whether this law gives such a right: yes, partial, no or unknown."""
        return self.rights.get(type_, "no") if self.rights else "unknown"


@dataclass(frozen=True, slots=True)
class Regimes:
    """All regimes, and those to ask when a place is not known."""

    every: Mapping[str, Regime]
    when_unknown: tuple[str, ...]

    def get(self, regime_id: str) -> Regime:
        """The regime of this id; InvalidError names the known ones."""
        found = self.every.get(regime_id)
        if found is None:
            complaint = f"Use one of: {', '.join(self.every)}."
            raise InvalidError("This regime is not known.", fields={"regime": [complaint]})
        return found

    def candidates(self, places: Iterable[tuple[str | None, str | None]]) -> list[Regime]:
        """The regimes that may apply to somebody who may live at these places (country, region)."""
        found: dict[str, Regime] = {}
        for country, region in places:
            for each in self._of(country, region):
                found[each.id] = each
        return list(found.values()) or [self.every[each] for each in self.when_unknown]

    def _of(self, country: str | None, region: str | None) -> Sequence[Regime]:
        if country is None:
            return ()
        regimes = self.every.values()
        exact = [each for each in regimes if region is not None and region in each.places]
        if exact:
            return exact
        whole = [each for each in regimes if country in each.places]
        if region is None:
            # The region may have a law of its own: all of them may apply.
            whole += [
                each for each in regimes if any(place.startswith(f"{country}-") for place in each.places)
            ]
        return whole or self._defaults(country)

    def _defaults(self, country: str) -> list[Regime]:
        own = [each for each in self.every.values() if each.default_of == country]
        return own or [each for each in self.every.values() if each.default_of == EVERYWHERE]

    def fallback(self, country: str | None) -> Regime:
        """What holds where no law is in force."""
        return self._defaults(country or EVERYWHERE)[0]


def after_appeal(clock: Clock) -> Clock:
    """The clock of a request that was opened again, from that of the appeal or complaint that was granted.

    The acts say by when the person learns of "any action taken or not taken in response to the appeal"
    (Va. Code § 59.1-577(C) and those like it): so what is granted is done by then. See ADR 19.
    """
    return replace(clock, acknowledge=None, statutory=False, says=TAKEN_UP)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The regime of a request, its clock and what the clock shows, in the zone that is strictest."""

    regime: Regime
    clock: Clock
    zone: str
    holidays_of: str | None
    reading: Reading


def choose(
    regimes: Regimes,
    type_: str,
    received_at: datetime,
    places: Sequence[tuple[str | None, str | None]],
    now: datetime,
    *,
    given: str | None = None,
    zone: str | None = None,
    home: str | None = None,
) -> Chosen:
    """Choose the strictest regime for somebody who may live at these places, or take the given one.

    `zone`: where the person is, if known; else every zone of the place is tried and the earliest end taken.
    `home` is the controller's own country: one more candidate when no place is known.
    """
    known = [place for place in places if place[0] is not None]
    asked = known or ([(home, None)] if home else [])
    found = [regimes.get(given)] if given else regimes.candidates(asked)
    if not given and not known:
        found += [regimes.every[each] for each in regimes.when_unknown if regimes.every[each] not in found]
    country = known[0][0] if known else home
    options: list[Chosen] = []
    for regime in found:
        clock = regime.clock(type_, received_at)
        if clock is None and given:
            complaint = "This law was not in force on the day of receipt; leave the regime out."
            raise InvalidError(complaint, fields={"regime": [complaint]})
        if clock is None:
            regime = regimes.fallback(country)
            clock = regime.clock(type_, received_at)
        assert clock is not None, "a default has a clock for everything"
        options += _readings(regime, clock, type_, received_at, known, now, zone, country)
    return min(options, key=_strictness)


def _readings(
    regime: Regime,
    clock: Clock,
    type_: str,
    received_at: datetime,
    known: Sequence[tuple[str | None, str | None]],
    now: datetime,
    zone: str | None,
    country: str | None,
) -> Iterable[Chosen]:
    zones: list[str] = [zone] if zone else []
    for at_country, region in () if zone else known:
        zones += zones_of(at_country or "", region)
    if not zones:
        zones += zones_of(country or "") or ("UTC",)
    own = country if country in regime.places or regime.default_of else None
    holidays_of = regime.holidays or own
    for each in dict.fromkeys(zones):
        course = Course(type_, received_at, each, holidays_of)
        yield Chosen(regime, clock, each, holidays_of, read(clock, course, now))


def _strictness(option: Chosen) -> tuple[datetime, datetime, datetime, str, str]:
    reading = option.reading
    return (
        reading.due_at,
        reading.acknowledge_by or _FAR,
        reading.extension_until or reading.due_at,
        option.regime.id,
        option.zone,
    )
