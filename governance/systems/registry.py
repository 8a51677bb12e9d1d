"""The kinds of systems: those that are shipped, and those that an installed package brings.

A package names a class in the entry point group `governance.connectors`; its name is the kind.
"""

from functools import cache
from importlib.metadata import entry_points

from governance.errors import InvalidError
from governance.systems.connector import Connector
from governance.systems.manual import ManualConnector
from governance.systems.opendsr import OpenDsrConnector
from governance.systems.sql.connector import SqlConnector
from governance.systems.webhook import WebhookConnector

GROUP = "governance.connectors"

_SHIPPED: dict[str, type[Connector]] = {
    "sql": SqlConnector,
    "webhook": WebhookConnector,
    "opendsr": OpenDsrConnector,
    "manual": ManualConnector,
}


def kinds() -> tuple[str, ...]:
    """The kinds that can be registered."""
    return tuple(dict.fromkeys([*_SHIPPED, *sorted(entry_points(group=GROUP).names)]))


@cache
def connector(kind: str) -> Connector:
    """The connector of a kind; InvalidError names the kinds there are. Connectors hold no state."""
    if kind in _SHIPPED:
        return _SHIPPED[kind]()
    for each in entry_points(group=GROUP, name=kind):
        made: Connector = each.load()()
        return made
    raise InvalidError(
        "There is no such kind of system.", fields={"kind": [f"Use one of {', '.join(kinds())}."]}
    )
