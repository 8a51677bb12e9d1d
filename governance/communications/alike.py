"""Who is alike: what rules can still tell apart of a person once the person's places are known.

The rules of one country seldom look at what those of another do: nobody's region matters in Germany, nobody's
inquiry in the United States. A million people differ in tens of thousands of ways, and in a few thousand that
count.
"""

from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from typing import Any

from governance.communications.local_time import LOCAL
from governance.communications.model import ACTION
from governance.communications.situations import TIME_ZONE
from governance.policy.buckets import Bucketer
from governance.policy.codegen import COVERED
from governance.policy.compiled import CompiledPolicy
from governance.policy.specialised import facts_used

_PLACES = ("person.country", "person.region", TIME_ZONE)


class Alike:
    """Reduces people to what counts, for one question at one instant.

    `given` are the facts that are the same for everybody asked about.
    """

    def __init__(
        self, policy: CompiledPolicy, bucketer: Bucketer, given: Mapping[str, Any], now: datetime
    ) -> None:
        self._policy, self._bucketer, self._given, self._now = policy, bucketer, given, now
        self._used: dict[tuple[str | None, str | None], frozenset[str]] = {}
        self._order: dict[tuple[str | None, frozenset[str | None]], tuple[str, ...]] = {}

    def reduced(self, person: Mapping[str, Any], point_countries: Iterable[str | None]) -> Hashable:
        """What counts of a person with contact points in these countries (None: not known, or no point)."""
        country = person.get("person.country")
        there = country, frozenset(point_countries)
        names = self._order.get(there)
        if names is None:
            used = frozenset().union(*(self._of(country, each) for each in there[1]))
            names = self._order[there] = tuple(sorted(used))
        return (country, *[person.get(name) for name in names])

    def _of(self, country: str | None, point_country: str | None) -> frozenset[str]:
        key = country, point_country
        found = self._used.get(key)
        if found is None:
            places: dict[str, Any] = {"person.country": country, "contact_point.country": point_country}
            places[COVERED] = self._bucketer.covered(country, self._given["message.channel"], point_country)
            found = facts_used(self._policy, ACTION, {**self._given, **places}, self._now)
            if not LOCAL.isdisjoint(found):
                # Local time is reckoned from where the person is.
                found = found.union(_PLACES)
            self._used[key] = found
        return found
