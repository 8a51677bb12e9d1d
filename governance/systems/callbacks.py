"""What far sides report by themselves: believed only if it is proven to be theirs, recorded if it is not."""

from collections.abc import Mapping

from governance.events import Actor
from governance.systems import operations, service
from governance.systems.model import Received
from governance.work import Opener

REPORTER = Actor("system-callback", "system")


def receive(
    opener: Opener, tenant_id: str, system_id: str, secret: str, headers: Mapping[str, str], body: bytes
) -> Received:
    """Take a report that came to a system's callback address; `headers` by lower-case name.

    Raises NotFoundError if the address was never given out. A report that is not proven is refused and leaves
    an event; only who knows the address can make one.
    """
    with opener.snapshot(tenant_id, REPORTER) as snap:
        connector, context = service.connect(snap, system_id, "callback", "")
        service.check_callback_secret(snap, system_id, secret)
    received = connector.receive(context, headers, body)
    with opener.work(tenant_id, REPORTER) as work:
        if received.refused is None and received.outcome is not None:
            known = operations.finish_reported(work, system_id, received, received.outcome)
            if not known:
                received = Received(received.reference, None, "unknown-request")
        if received.refused is not None:
            work.record("system.callback_refused", facts={"system": system_id, "because": received.refused})
    return received
