"""Two requests that wait for each other's rows: the database stops one, and it is done again at once."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

MOST_TIMES = 3
_STOPPED = ("40P01", "40001")  # SQLSTATE: deadlock detected, serialization failure

Made = TypeVar("Made")


def carried_through(unit: Callable[[], Made]) -> Made:
    """Run what opens one unit of work and closes it, again if the database stopped it for another's sake.

    Nothing of a stopped unit of work was committed, and doing it again is what its caller would do about the
    503. The last time raises what the database said.
    """
    for _ in range(MOST_TIMES - 1):
        try:
            return unit()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _STOPPED:
                raise
    return unit()
