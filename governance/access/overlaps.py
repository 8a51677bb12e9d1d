"""Definitions that contradict themselves: grants that overlap, roles that go in a circle. Pure."""

from collections.abc import Collection, Mapping

from governance.access.model import FULL, MASKED, NONE, Field, Grant, Role


def overlaps(grants: Collection[Grant], fields: Mapping[str, Field]) -> list[str]:
    """Sentences about grants of one record that speak of the same field, purpose and stage."""
    listed = list(grants)
    found: list[str] = []
    for place, one in enumerate(listed):
        for other_place, other in enumerate(listed[place + 1 :], place + 1):
            purposes, stages = one.purposes & other.purposes, _both(one.stages, other.stages)
            same = [name for name, each in fields.items() if NONE not in (one.shows(each), other.shows(each))]
            if purposes and stages != frozenset() and same:
                found.append(
                    f"Grants {place + 1} and {other_place + 1} overlap: both speak of {same[0]} for "
                    f"{min(purposes)} in {_stage(stages)}; say it once."
                )
    return found


def clash(role: Role, other: Role, fields: Mapping[str, Field]) -> str | None:
    """A sentence if a role and one that it includes show the same field in two ways; None if they agree."""
    for one in role.grants:
        for included in other.grants:
            purposes, stages = one.purposes & included.purposes, _both(one.stages, included.stages)
            if not purposes or stages == frozenset():
                continue
            for name, each in fields.items():
                shown = {one.shows(each), included.shows(each)}
                if shown == {FULL, MASKED}:
                    return (
                        f"The role {role.role_id} overlaps with {other.role_id}, which it includes: one "
                        f"shows {name} in full, the other masked, for {min(purposes)} in {_stage(stages)}; "
                        "let only one say it."
                    )
    return None


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _stage(stages: frozenset[str] | None) -> str:
    return "every stage" if stages is None else f"the stage {min(stages)}"


def circle(role_id: str, roles: Mapping[str, Role]) -> tuple[str, ...]:
    """The way from a role back to itself along what roles include; empty if there is none."""
    seen: set[str] = set()

    def walk(at: str, way: tuple[str, ...]) -> tuple[str, ...]:
        for each in roles[at].includes if at in roles else ():
            if each == role_id:
                return (*way, each)
            if each not in seen:
                seen.add(each)
                back = walk(each, (*way, each))
                if back:
                    return back
        return ()

    return walk(role_id, (role_id,))
