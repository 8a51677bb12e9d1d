"""What a tenant sets itself: the end of its financial year, and how much one run may delete unasked."""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from governance.errors import InvalidError
from governance.retention import store
from governance.work import Snapshot, Work

_YEAR_END = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """`financial_year_end` is (month, day). A run whose deletions exceed `most_share` (tenths of a percent of
    all records) or `most_count` stops until a person approves it.
    """

    financial_year_end: tuple[int, int] = (12, 31)
    most_share: int = 50
    most_count: int = 1000
    updated_at: datetime | None = None

    def document(self) -> dict[str, object]:
        """The answer of `GET /v1/retention/settings`."""
        return {
            "financial_year_end": f"{self.financial_year_end[0]:02}-{self.financial_year_end[1]:02}",
            "blast_radius": {"percent": self.most_share / 10, "count": self.most_count},
        }

    def allows(self, deletions: int, of: int) -> bool:
        """Whether so many deletions among so many records need nobody's approval."""
        return deletions <= self.most_count and deletions * 1000 <= self.most_share * of


def get(snap: Snapshot) -> RetentionSettings:
    """The settings of the tenant; the shipped ones if it has set none."""
    row = store.find_setting(snap.connection, snap.tenant_id)
    if row is None:
        return RetentionSettings()
    month, _, day = row.financial_year_end.partition("-")
    return RetentionSettings((int(month), int(day)), row.most_share, row.most_count, row.updated_at)


def put(
    work: Work,
    *,
    financial_year_end: str | None = None,
    percent: float | None = None,
    count: int | None = None,
) -> RetentionSettings:
    """Change settings; what is not named stays. InvalidError names what cannot be meant."""
    new = get(work)
    if financial_year_end is not None:
        if not _YEAR_END.fullmatch(financial_year_end):
            complaint = "A financial year ends on a day such as 03-31."
            raise InvalidError(complaint, fields={"financial_year_end": [complaint]})
        month, _, day = financial_year_end.partition("-")
        new = replace(new, financial_year_end=(int(month), int(day)))
    if percent is not None:
        new = replace(new, most_share=round(percent * 10))
    if count is not None:
        new = replace(new, most_count=count)
    said = new.document()
    event = work.record(
        "retention.settings_changed",
        facts={
            "financial_year_end": str(said["financial_year_end"]),
            "most_permille": new.most_share,
            "most_count": new.most_count,
        },
    )
    store.put_setting(
        work.connection,
        {
            "tenant_id": work.tenant_id,
            "financial_year_end": said["financial_year_end"],
            "most_share": new.most_share,
            "most_count": new.most_count,
            "updated_at": work.now,
            "event_id": event.id,
        },
    )
    return replace(new, updated_at=work.now)
