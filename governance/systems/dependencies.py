"""Which systems hold what others derived their data from, and so which is erased before which. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from governance.systems.model import System


def erasure_order(systems: Iterable[System]) -> list[list[str]]:
    """System ids in batches: those of a batch may be erased at once, each batch before the next.

    A system comes before those it depends on: what is derived goes first. Names outside are passed over.
    """
    open_ = {each.system_id: set(each.depends_on) for each in systems}
    batches: list[list[str]] = []
    while open_:
        needed = set().union(*open_.values()) if open_ else set()
        ready = sorted(each for each in open_ if each not in needed)
        if not ready:  # a circle is refused when systems are registered; never loop on one
            ready = sorted(open_)
        batches.append(ready)
        for each in ready:
            del open_[each]
    return batches


def circle(depends_on: Mapping[str, Sequence[str]], start: str) -> list[str]:
    """The way from a system through its dependencies back to itself; empty if there is none."""
    ways = [[start, each] for each in depends_on.get(start, ())]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        if way[-1] == start:
            return way
        if way[-1] not in seen:
            seen.add(way[-1])
            ways += [[*way, each] for each in depends_on.get(way[-1], ())]
    return []
