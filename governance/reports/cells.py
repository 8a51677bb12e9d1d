"""Numbers about people that are shown to readers who may not learn of single ones. Pure.

A number below SMALLEST is not shown. Where only one of the numbers that add up to a sum is missing, it
could be reckoned, so that the next smallest is left out as well.
"""

from collections.abc import Hashable, Mapping
from typing import TypeVar

SMALLEST = 5
"""The smallest number of people that is shown; common practice of statistical offices is 3 to 10."""

Key = TypeVar("Key", bound=Hashable)


def shown(counts: Mapping[Key, int]) -> dict[Key, int | None]:
    """The counts of one sum, None where one is not shown. Zero is shown: it says that nobody is there."""
    small = {key for key, count in counts.items() if 0 < count < SMALLEST}
    if len(small) == 1:
        others = [(count, str(key), key) for key, count in counts.items() if key not in small and count]
        if others:
            small.add(min(others, key=lambda each: each[:2])[2])
    return {key: None if key in small else count for key, count in counts.items()}
