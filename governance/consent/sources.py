"""Where a person's data came from, as the capture point tells that the caller names.

A capture point that stands for data of others (a bought list, a referral) says so itself, so that nobody has
to remember it when people are recorded: the time of Art. 14 GDPR runs from there.
"""

from dataclasses import replace

from governance.errors import InvalidError
from governance.purposes import service as purposes
from governance.subjects.model import Absent, SubjectChange
from governance.work import Work


def sourced(work: Work, change: SubjectChange) -> SubjectChange:
    """The same change with the source that its capture point stands for, unless it names one itself.

    InvalidError for a capture point that nobody declared; it names those that are.
    """
    if not isinstance(change.capture_point, str):
        return change
    point = purposes.find_capture_point(work, change.capture_point)
    if point is None:
        known = ", ".join(sorted(each.capture_point_id for each in purposes.every_capture_point(work)))
        sentence = f"Give one of {known or 'those that you declare first'}, or declare it as a capture point."
        raise InvalidError("This capture point is not declared.", fields={"source.capture_point": [sentence]})
    if point.acquired is None or not isinstance(change.acquired, Absent):
        return change
    return replace(change, acquired=point.acquired)
