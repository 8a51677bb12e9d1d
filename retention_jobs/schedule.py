"""The timetable, as data."""

from collections.abc import Callable
from dataclasses import dataclass

from governance.bootstrap import Runtime
from retention_jobs import (
    announce_reconfirmations,
    build_packages,
    carry_out_retention,
    close_tenants,
    deliver_webhooks,
    end_own_data,
    expire_consents,
    forget_deliveries,
    forget_expired,
    match_rights_requests,
    notify_holds,
    probe_erasures,
    re_evaluate_transfers,
    report_opendsr,
    reset_inactive,
    rewrite_files,
    rotate_keys,
    run_erasures,
    run_imports,
    run_retention,
    run_rights_clocks,
    run_screenings,
    run_shadows,
    seal_checkpoint,
    seal_decisions,
    settle_policies,
    sweep_retention,
    tell_recipients,
)


@dataclass(frozen=True, slots=True)
class Job:
    """A job: its name, how often it is due (seconds), and what it does; `run` gives how much it did.

    `run` is safe to repeat and to kill at any line, and calls `runtime.heed()` between its batches.
    `at_once`: how many workers may do it at the same time. `each_slot`: a slot that was missed is made up for
    by a run of its own; else one run stands for all that were missed.
    """

    name: str
    every_seconds: int
    run: Callable[[Runtime], int]
    means: str
    at_once: int = 1
    each_slot: bool = False


JOBS = (
    Job("seal-checkpoint", 60, seal_checkpoint.run, "sign each ledger's head while there is traffic"),
    Job(
        "seal-decisions",
        60,
        seal_decisions.run,
        "put the root of each closed batch of decisions in the ledger",
    ),
    Job(
        "settle-policies",
        30,
        settle_policies.run,
        "write down policies that came into force at the instant they were approved for",
    ),
    Job("run-shadows", 10, run_shadows.run, "decide drafts beside what is in force, behind the answers"),
    Job("run-erasures", 5, run_erasures.run, "carry ordered erasures out, step by step, in every system"),
    Job(
        "probe-erasures",
        3600,
        probe_erasures.run,
        "look a second time, end what was kept and evidence at its term, bury whom a restore brought back",
    ),
    Job("report-opendsr", 10, report_opendsr.run, "tell controllers how their OpenDSR requests stand"),
    Job("build-packages", 60, build_packages.run, "collect what verified requests for access ask for"),
    Job("tell-recipients", 30, tell_recipients.run, "tell who holds a copy of corrections and restrictions"),
    Job("match-rights-requests", 5, match_rights_requests.run, "look whom requests from the form mean"),
    Job(
        "run-rights-clocks", 600, run_rights_clocks.run, "remind of requests, end those that nobody confirmed"
    ),
    Job("run-imports", 5, run_imports.run, "take in uploaded files that wait, or whose runner died"),
    Job("run-screenings", 5, run_screenings.run, "run screenings that nobody runs, or whose runner died"),
    Job("run-retention", 5, run_retention.run, "run retention runs that nobody runs, or whose runner died"),
    Job("deliver-webhooks", 2, deliver_webhooks.run, "send what happened to the systems that listen"),
    Job(
        "reset-inactive",
        3600,
        reset_inactive.run,
        "warn of people who did nothing for long, move on those whom nobody kept",
    ),
    Job(
        "re-evaluate-transfers",
        600,
        re_evaluate_transfers.run,
        "announce flows that a mechanism's end, a rule's date or a number of people has stopped or moved on",
    ),
    Job("expire-consents", 60, expire_consents.run, "note the end of consents that were given for a time"),
    Job(
        "announce-reconfirmations",
        3600,
        announce_reconfirmations.run,
        "announce consents that lapse within 60 days unless the person confirms them again",
    ),
    Job("sweep-retention", 86_400, sweep_retention.run, "propose what the retention schedules say is due"),
    Job(
        "carry-out-retention",
        30,
        carry_out_retention.run,
        "end what retention found due and somebody or the blast radius let pass",
    ),
    Job(
        "notify-holds", 3600, notify_holds.run, "give notice before legal holds end, end those that are over"
    ),
    Job(
        "end-own-data",
        86_400,
        end_own_data.run,
        "end our own records at their term",
    ),
    Job("forget-deliveries", 3600, forget_deliveries.run, "forget deliveries of webhooks that are long past"),
    Job(
        "forget-expired",
        3600,
        forget_expired.run,
        "forget used-up idempotency keys, revoked tokens, old slots",
    ),
    Job("close-tenants", 3600, close_tenants.run, "delete tenants whose deletion is approved and due"),
    Job(
        "rewrite-files",
        86_400,
        rewrite_files.run,
        "write SQLite's files anew, without what deleted rows left in unused places",
    ),
    Job("rotate-keys", 3600, rotate_keys.run, "open a new key epoch every week and destroy the old one"),
)


def job(name: str) -> Job | None:
    """The job of this name."""
    return next((one for one in JOBS if one.name == name), None)
