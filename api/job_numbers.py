"""Prometheus numbers of the scheduled jobs, as the database knows them: the same from every process."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from governance.bootstrap import Runtime
from governance.database import for_reading
from governance.queue import service as queue
from governance.queue.model import Standing
from governance.queue.timetable import TIMETABLE
from governance.tenants import store as tenants

_COUNTED = {
    "runs": "Runs that ended well.",
    "failures": "Attempts that ended with an error.",
    "given_up": "Slots that were given up after failures.",
    "missed": "Slots of the timetable that no scheduler queued in time.",
    "overlapped": "Slots that came while an earlier one still waited for a worker.",
}


def render(runtime: Runtime) -> bytes:
    """Write the jobs' numbers in the Prometheus text form; nothing if the database does not answer."""
    try:
        with runtime.engine.connect() as plain, for_reading(plain).begin():
            since = tenants.first_instant(plain)
            found = queue.standings(plain, runtime.clock(), timetable=TIMETABLE, since=since)
    except (SQLAlchemyError, OSError):
        return b""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Standings(found))
    return generate_latest(registry)


class _Standings(Collector):
    def __init__(self, found: list[Standing]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        """Give one family after another, a sample for each job."""
        lag = GaugeMetricFamily(
            "governance_job_lag_seconds",
            "How long the oldest slot has been due; also before any scheduler ran.",
            labels=["job"],
        )
        backlog = GaugeMetricFamily(
            "governance_job_backlog", "Slots that are due and that nobody works on.", labels=["job"]
        )
        running = GaugeMetricFamily("governance_job_running", "Slots under a lease.", labels=["job"])
        ended = GaugeMetricFamily(
            "governance_job_last_end_timestamp_seconds", "When the last attempt ended.", labels=["job"]
        )
        for each in self._found:
            lag.add_metric([each.kind], each.lag.total_seconds())
            backlog.add_metric([each.kind], each.backlog)
            running.add_metric([each.kind], each.running)
            if each.last_ended_at is not None:
                ended.add_metric([each.kind], each.last_ended_at.timestamp())
        yield from (lag, backlog, running, ended)
        for name, means in _COUNTED.items():
            family = CounterMetricFamily(f"governance_job_{name}", means, labels=["job"])
            for each in self._found:
                family.add_metric([each.kind], getattr(each, name))
            yield family
