"""How much is measured, and on what."""

from dataclasses import dataclass, replace

from bench.sites import Sites


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of a run. `rounds` of `seconds` each are measured, and their median is reported.

    `served` people are in the store behind the HTTP server; `grown` are the two sizes that growth compares.
    """

    sites: Sites
    databases: tuple[str, ...]
    served: int
    screened: tuple[int, ...]
    grown: tuple[int, int]
    checks: int
    imported: int
    rounds: int
    seconds: float
    options: str = ""

    def command(self, name: str) -> str:
        """What repeats one measurement on these databases."""
        chosen = "both" if len(self.databases) > 1 else self.databases[0]
        return f"python -m bench {name} --database {chosen}{self.options}"

    def only(self, database: str) -> "Plan":
        """The same plan for one database."""
        return replace(self, databases=(database,))


def full(sites: Sites, databases: tuple[str, ...]) -> Plan:
    """Everything, up to a million people; takes some ten minutes."""
    return Plan(sites, databases, 100_000, (100_000, 1_000_000), (10_000, 1_000_000), 5_000, 20_000, 5, 4.0)


def quick(sites: Sites, databases: tuple[str, ...]) -> Plan:
    """Small populations and short rounds; takes some two minutes."""
    return Plan(
        sites, databases, 10_000, (10_000, 100_000), (10_000, 100_000), 2_000, 3_000, 3, 2.0, " --quick"
    )
