"""Two people are two natural persons: whether whoever acts may be the second person for an act.

Every act that somebody else has to approve, release or look at asks `not_second` and nothing else (a house
test holds every room to it). Credentials and accounts are not persons: one member of staff may have several.
Whose they are is kept by a room far above, so the composition root hands the answer in as a function.
"""

from collections.abc import Callable
from dataclasses import dataclass

from governance.work import Snapshot, Work

CODE = "second-person-needed"
UNTOLD = (
    "Nobody knows whether this is another person: it is not known which member of staff is behind one of the "
    "two credentials. Come as a member of staff, and have credentials registered with whoever holds them "
    "(`clients` of /v1/staff or /v1/components)."
)
ALONE = "A program that works alone is nobody's second person; let a member of staff do it."


@dataclass(frozen=True, slots=True)
class Party:
    """Who stands behind the reference of an actor, now or at any time.

    `staff`: members of staff whose credential it is or was; who once held a secret may still know it, so
    handing a credential on makes no second person. `components`: the same of programs. `alone`: nobody works
    with it (services, machines, jobs). `credential`: it is one, and no job or command.
    """

    ref: str
    staff: frozenset[str] = frozenset()
    components: frozenset[str] = frozenset()
    alone: bool = False
    credential: bool = False

    @property
    def nobodys(self) -> bool:
        """Whether it is a credential that belongs to nobody, so that anybody may hold it."""
        return self.credential and not self.staff and not self.components

    def meets(self, other: "Party") -> bool:
        """Whether one person may be behind both."""
        return (
            self.ref == other.ref
            or not self.staff.isdisjoint(other.staff)
            or not self.components.isdisjoint(other.components)
        )


@dataclass(frozen=True, slots=True)
class Parties:
    """`of` tells who stands behind a reference; `staffed` whether only staff can be the second person.

    It is so as soon as the tenant has any member of staff, or says that it knows all who ask: behind two
    credentials that belong to nobody, or to programs, there may be one and the same of them.
    """

    of: Callable[[Snapshot, str], Party]
    staffed: Callable[[Snapshot], bool]


def not_second(work: Work, *first: str, otherwise: str) -> str | None:
    """Why whoever acts cannot be the second person for what `first` did; None if they can.

    `first` are references of actors (`governance.events.Actor.ref`) or `component:ID`; `otherwise` is the
    sentence for one and the same person. Where it cannot be told apart, the answer is no.
    """
    handed = work.resources.get(Parties)
    if not isinstance(handed, Parties):
        return UNTOLD
    me, others = handed.of(work, work.actor.ref), [handed.of(work, each) for each in first]
    if any(me.meets(other) for other in others):
        return otherwise
    if me.alone:
        return ALONE
    if me.staff:
        # Whoever approves may hold as well what belongs to nobody.
        return UNTOLD if any(other.nobodys for other in others) else None
    told_apart = not any(other.staff for other in others) and not handed.staffed(work)
    return None if told_apart else UNTOLD
