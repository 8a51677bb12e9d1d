"""What trying a system showed, in sentences. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a test report: `level` is ok, warning or problem; `at` is a place in the config."""

    level: str
    at: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Report:
    """What trying a connection and its mapping showed; `good` if nothing stands in the way."""

    findings: tuple[Finding, ...]

    @property
    def good(self) -> bool:
        """Whether there is no problem among the findings."""
        return all(each.level != "problem" for each in self.findings)
